"""Flags of surfaces and lines: what changes a measurement, a picture, or nothing at all."""

import pytest

from tests.analyses.command.slices.networks import GRID, LINE, QUIET
from tests.commands import assert_one_line, content


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--loss", "softmax_squared_error"), "loss cross_entropy, now softmax_squared_error"),
        (("--metrics", "brier"), "metrics not given, now ['brier']"),
        (("--split", "train,test"), "others not given, now {'test': "),
    ],
)
def test_what_is_asked_for_more_is_measured_anew(done, mine, tmp_path, words, message):
    _, first = mine
    done("line", *first, *LINE)
    before = content(tmp_path / "out")
    _, err = done("line", *first, *LINE, *words)
    assert "was measured differently" in err
    assert message in err
    assert content(tmp_path / "out")["net/line.1.h5"] == before["net/line.h5"]
    _, err = done("line", *first, *LINE, *words)
    assert "net: line is already measured" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--loss", "cross-entropy"), "unknown --loss 'cross-entropy'; expected cross_entropy,"),
        (("--metrics", "brier,bier"), "unknown --metrics 'bier'; expected top5_error,"),
        (("--loss", "squared_error"), "the model's outputs have shape"),
        (("--loss", "FILE:summed"), "mean"),
        (("--loss", "FILE:absent"), "absent"),
        (("--metrics", "FILE:absent"), "absent"),
        (("--split", "train,dev"), "unknown split 'dev'"),
        (("--split", ""), "unknown split ''"),
        (("--precision", "fp64", "--bn", "reestimate"), "has no BatchNorm"),
        (("--repeats", "0"), "--repeats has to be at least 1, got 0"),
        (("--repeats", "2", "--directions", "gradient"), "--repeats draws random directions"),
        (("--directions", "randomly"), "unknown directions 'randomly'; expected random, gradient"),
        (("--toward-y", "nonexistent.pt"), "--toward-y"),
        (("--orthogonalize",), "--orthogonalize"),
        (("--policy", "li"), "invalid choice: 'li'"),
        (("--perturb", "bias=some"), "bias=some"),
    ],
)
def test_what_can_not_be_asked_is_one_line(refused, mine, tmp_path, words, message):
    source, first = mine
    words = [word.replace("FILE", str(source)) for word in words]
    assert message in refused("line", *first, *LINE, *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--zmin", "2", "--zmax", "1"), "--zmin has to be less than --zmax, got 2.0 and 1.0"),
        (("--scale", "log", "--zmin", "0"), "--scale log needs --zmin and --zmax above 0"),
        (("--scale", "cubic"), "invalid choice: 'cubic'"),
        (("--zmax", "high"), "argument --zmax"),
    ],
)
def test_a_look_that_nothing_can_have_is_one_line(plot, mine, words, message):
    status, _, err = plot("line", *mine[1], *LINE, "--format", "png", *words, "--quiet")
    assert status == 2
    assert_one_line(err, "landscape-plot")
    assert message in err


def test_the_look_changes_the_picture_and_not_the_result(done, mine, tmp_path):
    _, first = mine
    pictures = []
    done("surface", *first, *GRID)
    before = content(tmp_path / "out")
    for options in ((), ("--scale", "log"), ("--zmax", "2.5"), ("--zmin", "0.5", "--zmax", "3")):
        _, err = done("surface", *first, *GRID, "--format", "png", *options)
        assert "net: surface is already measured" in err
        pictures.append((tmp_path / "out" / "surface.png").read_bytes())
    assert len(set(pictures)) == len(pictures)
    assert content(tmp_path / "out")["net/surface.h5"] == before["net/surface.h5"]


@pytest.mark.parametrize("analysis", ["hessian", "sparsity", "report"])
def test_fast_arithmetic_is_for_slices(refused, runs, tmp_path, analysis):
    words = (runs[0], "--precision", "bf16", "--output-dir", tmp_path)
    assert "--precision bf16 is for surface, line" in refused(analysis, *words)
    assert content(tmp_path) == {}


def test_a_stored_result_is_drawn_again(done, runs, tmp_path):
    words = (*GRID, "--samples", "48", *QUIET)
    done("surface", *runs, *words, "--output-dir", tmp_path / "one")
    before = content(tmp_path / "one")
    stored = [tmp_path / "one" / name / "surface.h5" for name in ("plain", "sam")]
    drawn = (f"a={stored[0]}", f"b={stored[1]}", "--format", "svg", "--scale", "log")
    out, err = done("surface", *drawn, "--output-dir", tmp_path / "two")
    names = [f"surface{part}.svg" for part in ("", "_lines", "_3d")]
    assert out.splitlines() == [str(tmp_path / "two" / name) for name in names]
    assert err == ""
    assert content(tmp_path / "one") == before
    text = (tmp_path / "two" / "surface.svg").read_text()
    assert ">a<" in text
    assert ">b<" in text

"""A result that is there is used again, unless the question has changed."""

import pytest

from analyses.analysis import Analysis
from tests.analyses.command.words import REPORTED, SMALL
from tests.analyses.written import arrays, headline
from tests.commands import content
from tests.hdf5_files import changed


# By itself, curves reads the runs' metrics each time: they may have grown.
@pytest.mark.parametrize("analysis", [*(name for name in REPORTED if name != "curves"), "report"])
def test_what_is_measured_is_not_measured_again(done, runs, measured, analysis, monkeypatch):
    compute = Analysis.compute

    def refuse(analysis, *words):
        """A trajectory is asked for, and says that there is none."""
        assert analysis.name not in REPORTED, "measured again"
        return compute(analysis, *words)

    monkeypatch.setattr(Analysis, "compute", refuse)
    before = content(measured)
    _, err = done(analysis, *runs, *SMALL[analysis], "--format", "none", "--output-dir", measured)
    names = REPORTED if analysis == "report" else [analysis]
    for name in names:
        for label in ("plain", "sam"):
            assert f"{label}: {name} is already measured" in err
            for file in (f"{label}/{name}.h5", f"{label}/{name}.json"):
                assert content(measured)[file] == before[file]


def test_what_is_measured_stays_when_a_checkpoint_is_added(done, runs, measured):
    before = (measured / "plain" / "line.h5").read_bytes()
    checkpoints = (runs[0], f"third={runs[1]}")
    _, err = done(
        "line", "--format", "none", *checkpoints, *SMALL["line"], "--output-dir", measured
    )
    assert "plain: line is already measured" in err
    assert "third: measuring line" in err
    assert (measured / "plain" / "line.h5").read_bytes() == before


def set_loss(file):
    file["train_loss"][:] = 7.0


def test_force_measures_again(done, runs, measured):
    changed(measured / "plain" / "line.h5", set_loss)
    _, err = done("line", "--format", "none", runs[0], *SMALL["line"], "--output-dir", measured)
    assert "already measured" in err
    assert headline(measured, "plain", "line")["loss_at_end"] == 7
    _, err = done(
        "line", "--format", "none", runs[0], *SMALL["line"], "--output-dir", measured, "--force"
    )
    assert "plain: measuring line" in err
    assert arrays(measured / "plain" / "line.h5")["train_loss"].max() != 7
    assert headline(measured, "plain", "line")["loss_at_end"] != 7


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--x=-1:1:5",), "x -1:1:3, now -1:1:5"),
        (("--normalize", "layer"), "normalize filter, now layer"),
        (("--samples", "32"), "another sample"),
        (("--seed", "1"), "seed 0, now 1"),
        (("--precision", "fp64"), "precision"),
        (("--split", "test"), "another sample"),
        (("--mean", "0.5", "--std", "0.5"), "another sample"),
    ],
    ids=["x", "normalize", "samples", "seed", "precision", "split", "mean"],
)
def test_another_question_does_not_replace_an_answer(done, runs, measured, words, message):
    before = content(measured)
    _, said = done(
        "line", "--format", "none", runs[0], *SMALL["line"], *words, "--output-dir", measured
    )
    assert message in said
    assert f"{measured / 'plain' / 'line.h5'} was measured differently" in said
    assert "kept as line.1.h5" in said
    after = content(measured)
    for kind in ("h5", "json"):
        assert after[f"plain/line.1.{kind}"] == before[f"plain/line.{kind}"]
        assert after[f"plain/line.{kind}"] != before[f"plain/line.{kind}"]


def test_other_weights_do_not_replace_an_answer(done, runs, measured):
    before = content(measured)
    words = (f"plain={runs[1]}", *SMALL["line"], "--output-dir", measured)
    assert "other weights" in done("line", "--format", "none", *words)[1]
    assert content(measured)["plain/line.1.h5"] == before["plain/line.h5"]


def test_a_damaged_result_is_measured_again_with_force_only(refused, done, runs, measured):
    path = measured / "plain" / "line.h5"
    path.write_bytes(path.read_bytes()[:1000])
    before = content(measured)
    words = ("line", runs[0], *SMALL["line"], "--output-dir", measured)
    assert f"{path} is damaged or was changed" in refused(*words)
    assert content(measured) == before
    done(*words, "--force")
    assert arrays(path)["train_loss"].shape == (3,)


def test_an_interrupted_command_goes_on_with_what_is_not_finished(
    plot, runs, tmp_path, monkeypatch
):
    compute, left = Analysis.compute, [1]

    def interrupted(analysis, *words):
        if left.pop():
            left.append(0)
            return compute(analysis, *words)
        raise KeyboardInterrupt

    words = ("line", *runs, *SMALL["line"], "--output-dir", tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Analysis, "compute", interrupted)
        status, _, err = plot(*words)
    assert status == 130
    assert (
        "landscape-plot: interrupted; what is finished is kept; the same command continues" in err
    )
    assert set(content(tmp_path)) == {"plain/line.h5", "plain/line.json"}
    status, _, err = plot(*words)
    assert status == 0
    assert "plain: line is already measured" in err
    assert "sam: measuring line" in err

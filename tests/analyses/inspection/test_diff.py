"""``landscape-plot diff`` says in what two results differ."""

import math
import re
from dataclasses import replace

import pytest

from analyses.headline_numbers import HeadlineEntry
from analyses.inspection.diff import difference_text
from tests.analyses.problems import NAMES, result
from tests.commands import content


def saved(tmp_path, name, file, seed=0, **changes):
    path = tmp_path / file
    replace(result(name, seed) if seed else result(name), **changes).save(path)
    return path


def line_of(out, start):
    (line,) = (line for line in out.splitlines() if line.strip().startswith(start))
    return re.split(r"  +", line.strip())


@pytest.mark.parametrize("name", NAMES)
def test_a_result_does_not_differ_from_itself(done, tmp_path, name):
    first, second = (saved(tmp_path, name, file) for file in ("a.h5", "b.h5"))
    before = content(tmp_path)
    out, err = done("diff", first, second)
    assert (err, content(tmp_path)) == ("", before)
    assert out.count(": no difference") == 4
    assert "→" not in out.partition("\n")[2]


def test_numbers_differ_by_standard_errors_of_their_difference(done, tmp_path):
    first, second = result("hessian"), result("hessian", 1)
    paths = saved(tmp_path, "hessian", "a.h5"), saved(tmp_path, "hessian", "b.h5", 1)
    out, _ = done("diff", *paths)
    change = second.loss - first.loss
    deviations = change / math.sqrt(first.loss_stderr**2 + second.loss_stderr**2)
    (_, values, apart) = line_of(out, "loss ")
    assert values == (
        f"{first.loss:.3f} ± {first.loss_stderr:.3f} → "
        f"{second.loss:.3f} ± {second.loss_stderr:.3f} nats"
    )
    shown, words = apart.split(maxsplit=1)
    assert words == "standard errors"
    assert float(shown) == pytest.approx(deviations, rel=0.06)
    assert shown[0] in "+-"
    # Both are of the same sample.
    assert "errors are combined as of independent numbers" in out


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ((101.0, 4.0), (8.9, 0.4), "-23 standard errors"),
        ((1.0, 3.0), (2.0, 4.0), "+0.20 standard errors"),
        ((1.0, None), (1.5, 0.1), "+0.500"),
        ((1.0, math.nan), (1.5, 0.1), "+0.500 (no error)"),
        ((1.0, 0.0), (1.5, 0.0), "+0.500 (no error)"),
        ((None, None), (1.5, 0.1), ""),
        (("full", None), ("logit", None), ""),
    ],
)
def test_the_difference_of_two_entries(before, after, text):
    assert difference_text(*(HeadlineEntry(("x",), *entry) for entry in (before, after))) == text


def test_settings_weights_sample_and_versions_are_compared(done, tmp_path):
    before = result("norms")
    made = before.provenance
    other = replace(
        made,
        weights_sha256="f" * 64,
        sample_sha256="0" * 64,
        versions={**made.versions, "torch": "9.9"},
        origin={**made.origin, "model_args": {"layers": [4, 5]}},
    )
    paths = (
        saved(tmp_path, "norms", "a.h5"),
        saved(tmp_path, "norms", "b.h5", label="other", provenance=other),
    )
    out, _ = done("diff", *paths)
    assert line_of(out, "label")[1] == "plain → other"
    assert line_of(out, "weights_sha256")[1] == f"{made.weights_sha256[:12]}… → {'f' * 12}…"
    assert line_of(out, "sample_sha256")[1] == f"{made.sample_sha256[:12]}… → {'0' * 12}…"
    assert line_of(out, "torch")[1] == f"{made.versions['torch']} → 9.9"
    assert line_of(out, "model_args.layers")[1] == "4 6 5 3 → 4 5"
    assert "settings: no difference" in out
    assert "headline numbers: no difference" in out


def test_what_neither_file_says_is_no_difference(done, tmp_path):
    made = result("norms").provenance
    empty = {"step": "", "mean": [], "model_args": {}, "data_dir": None}
    nothing = replace(made, origin={**made.origin, "command": empty})
    paths = (
        saved(tmp_path, "norms", "a.h5"),
        saved(tmp_path, "norms", "b.h5", provenance=nothing),
    )
    out, _ = done("diff", *paths)
    assert "measured: no difference" in out


def test_settings_and_entries_that_only_one_has(done, tmp_path):
    before = result("sparsity")
    settings = replace(before.settings, thresholds=(0.2,))
    paths = (
        saved(tmp_path, "sparsity", "a.h5"),
        saved(tmp_path, "sparsity", "b.h5", settings=settings, above=before.above[:1]),
    )
    out, _ = done("diff", *paths)
    assert line_of(out, "thresholds")[1] == "0.2 0.5 → 0.2"
    assert line_of(out, "above.0.5.1")[1].endswith(" fraction → not there")


def test_different_analyses_are_refused(refused, tmp_path):
    paths = saved(tmp_path, "norms", "a.h5"), saved(tmp_path, "sparsity", "b.h5")
    line = refused("diff", *paths)
    assert "a.h5 is of norms and" in line
    assert "expected two results of one analysis" in line
    assert "no such result" in refused("diff", paths[0], tmp_path / "absent.h5")

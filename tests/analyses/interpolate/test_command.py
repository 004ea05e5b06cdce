"""The interpolate command."""

import shutil

import numpy as np
import pytest
import torch

from tests.analyses.interpolate.pairs import AXIS, ONE, ZERO
from tests.analyses.written import arrays, headline

SMALL = ("--samples", "48", "--x=-0.5:1.5:9")


def test_two_runs_on_two_splits(done, runs, tmp_path):
    words = (*SMALL, "--split", "train,test", "--precision", "fp64", "--output-dir", tmp_path)
    out, err = done("interpolate", *runs, *words)
    names = ("plain-to-sam/interpolate.h5", "plain-to-sam/interpolate.json")
    names = (*names, "interpolate.png", "interpolate.html")
    names = (*names, "interpolate.json", "interpolate.csv", "interpolate.md")
    assert out.splitlines() == [str(tmp_path / name) for name in names]
    assert "plain-to-sam: measuring interpolate" in err
    stored = arrays(tmp_path / "plain-to-sam" / "interpolate.h5")
    said = headline(tmp_path, "plain-to-sam", "interpolate")
    for split in ("train", "test"):
        alone = ("--samples", "48", "--x=-1:1:3", "--split", split, "--precision", "fp64")
        done("line", *runs, *alone, "--format", "none", "--output-dir", tmp_path / split)
        for run, place in (("plain", ZERO), ("sam", ONE)):
            own = headline(tmp_path / split, run, "line")
            assert stored[f"{split}_loss"][place] == pytest.approx(own["loss"], rel=1e-11)
            assert stored[f"{split}_acc"][place] == pytest.approx(own["accuracy"])
        loss = stored[f"{split}_loss"]
        heights = loss - (1 - AXIS.coordinates) * loss[ZERO] - AXIS.coordinates * loss[ONE]
        inside = heights[ZERO + 1 : ONE]
        assert said[f"{split}_barrier"] == pytest.approx(inside.max(), rel=1e-9)
        assert said[f"{split}_barrier_at"] == AXIS.coordinates[ZERO + 1 + inside.argmax()]
        assert said[f"{split}_barrier_stderr"] > 0
    assert said["settings"]["toward_x"] == str(runs[1])
    _, err = done("interpolate", *runs, *words, "--format", "none")
    assert "plain-to-sam: interpolate is already measured" in err


def test_the_first_with_each_of_the_others(done, runs, tmp_path):
    checkpoints = (f"a={runs[0]}", f"b={runs[1]}", f"c={runs[1] / 'best.pt'}")
    done("interpolate", *checkpoints, *SMALL, "--format", "none", "--output-dir", tmp_path)
    folders = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert folders == {"a-to-b", "a-to-c"}
    first, same = (arrays(tmp_path / name / "interpolate.h5") for name in sorted(folders))
    np.testing.assert_array_equal(first["train_loss"], same["train_loss"])


def test_what_is_no_pair(refused, runs, tmp_path):
    words = (*SMALL, "--output-dir", tmp_path / "figures")
    assert "interpolate takes two or more checkpoints" in refused("interpolate", runs[0], *words)
    same = (f"a={runs[0]}", f"b={runs[0]}")
    assert "have the same weights" in refused("interpolate", *same, *words)
    absent = tmp_path / "absent"
    assert f"no such checkpoint: {absent}" in refused("interpolate", runs[0], absent, *words)


def test_the_other_checkpoint_is_part_of_the_question(done, runs, tmp_path):
    """Other weights under the same name are another interpolation."""
    other = shutil.copytree(runs[1], tmp_path / "other")
    words = (runs[0], other, *SMALL, "--format", "none", "--output-dir", tmp_path / "figures")
    done("interpolate", *words)
    before = arrays(tmp_path / "figures" / "plain-to-other" / "interpolate.h5")["train_loss"]
    state = torch.load(other / "last.pt", weights_only=True)
    for tensor in state["model"].values():
        tensor *= 1.1
    torch.save(state, other / "last.pt")
    _, err = done("interpolate", *words)
    assert "another content of the files it was laid by" in err
    folder = tmp_path / "figures" / "plain-to-other"
    kept, after = (arrays(folder / f"interpolate{k}.h5")["train_loss"] for k in (".1", ""))
    np.testing.assert_array_equal(kept, before)
    assert after[ZERO] == before[ZERO]
    assert abs(after[ONE] - before[ONE]) > 1e-4


def test_a_stored_interpolation_is_drawn_again(done, runs, tmp_path):
    words = (*SMALL, "--format", "none", "--output-dir", tmp_path / "one")
    done("interpolate", *runs, *words)
    stored = tmp_path / "one" / "plain-to-sam" / "interpolate.h5"
    before = stored.read_bytes()
    words = ("--format", "svg", "--output-dir", tmp_path / "two")
    out, _ = done("interpolate", f"once more={stored}", *words)
    assert out.splitlines() == [str(tmp_path / "two" / "interpolate.svg")]
    text = (tmp_path / "two" / "interpolate.svg").read_text()
    assert "once more" in text
    assert "barrier" in text
    assert stored.read_bytes() == before


@pytest.mark.parametrize(
    "words",
    [
        ("--directions", "gradient"),
        ("--normalize", "layer"),
        ("--policy", "all"),
        ("--perturb", "bias=whole"),
    ],
)
def test_settings_of_random_lines_are_refused(refused, runs, tmp_path, words):
    said = refused("interpolate", *runs, *SMALL, *words, "--output-dir", tmp_path / "figures")
    assert f"{words[0]} has no effect on an interpolation" in said
    assert not (tmp_path / "figures").exists()

"""The fingerprint of a question: what changes it, and how changes are put in words."""

import json
from dataclasses import dataclass, replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.objective.objective import Objective
from landscape.results.fingerprint import HASHES, OF_THE_FUNCTION, differences, fingerprint

INPUTS, TARGETS = torch.randn(8, 3, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 2


@dataclass(frozen=True)
class Settings:
    """Some settings."""

    x: str = "-1:1:51"
    kinds: tuple[str, ...] = ("random", "gradient")
    seed: int = 0
    tolerance: float = 0.01


def build():
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def fingerprint_of(settings=None, model=None, data=(INPUTS, TARGETS), loss=F.cross_entropy, **more):
    objective = Objective(model or build(), data, loss, device="cpu", verify=False, **more)
    return fingerprint(settings or Settings(), objective.provenance(0.0))


def test_the_same_question_has_the_same_fingerprint_also_after_json():
    first, second = fingerprint_of(), fingerprint_of()
    assert first == second
    assert differences(first, second) == []
    assert differences(json.loads(json.dumps(first)), second) == []
    assert set(first) == {
        *("x", "kinds", "seed", "tolerance", "weights", "sample", "precision"),
        *OF_THE_FUNCTION,
    }


def test_history_is_not_in_the_fingerprint():
    here = fingerprint_of(
        origin={"label": "a", "checkpoint": "a.pt", "data_dir": "here", "model": "m"}
    )
    there = fingerprint_of(
        origin={"label": "b", "checkpoint": "b.pt", "data_dir": "there", "model": "m"}
    )
    assert here == there


def test_a_changed_setting():
    now = fingerprint_of(Settings(x="-2:2:51"))
    assert differences(fingerprint_of(), now) == ["x -1:1:51, now -2:2:51"]
    now = fingerprint_of(replace(Settings(), seed=3, kinds=("random", "random")))
    assert differences(fingerprint_of(), now) == [
        "kinds ['random', 'gradient'], now ['random', 'random']",
        "seed 0, now 3",
    ]


def test_other_weights():
    model = build()
    with torch.no_grad():
        model.bias[0] += 1e-6
    assert differences(fingerprint_of(), fingerprint_of(model=model)) == ["other weights"]


def test_other_statistics_are_other_weights():
    def normalized():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).eval()

    model = normalized()
    model[1].running_mean += 1
    assert differences(fingerprint_of(model=normalized()), fingerprint_of(model=model)) == [
        "other weights"
    ]


def test_another_sample():
    assert differences(fingerprint_of(), fingerprint_of(data=(INPUTS[:7], TARGETS[:7]))) == [
        "another sample"
    ]
    assert differences(fingerprint_of(), fingerprint_of(data=(INPUTS, 1 - TARGETS))) == [
        "another sample"
    ]
    assert differences(fingerprint_of(), fingerprint_of(data=(INPUTS + 1e-6, TARGETS))) == [
        "another sample"
    ]


def test_the_batch_size_is_not_in_the_fingerprint():
    assert fingerprint_of(batch_size=3) == fingerprint_of(batch_size=8)


def test_another_loss():
    targets = F.one_hot(TARGETS).float()
    squared, absolute = (
        fingerprint_of(data=(INPUTS, targets), loss=loss) for loss in (F.mse_loss, F.l1_loss)
    )
    assert differences(squared, absolute) == ["loss mse_loss, now l1_loss"]


def test_another_precision():
    changed = differences(fingerprint_of(), fingerprint_of(dtype=torch.float64))
    assert "precision float32, now float64" in changed
    changed = differences(fingerprint_of(), fingerprint_of(precision="bf16"))
    assert changed == ["evaluation not given, now bf16"]


def test_other_splits_and_metrics():
    changed = differences(
        fingerprint_of(), fingerprint_of(extra_splits={"test": (INPUTS, TARGETS)})
    )
    assert len(changed) == 1
    assert changed[0].startswith("others not given, now {'test': ")
    changed = differences(fingerprint_of(), fingerprint_of(metrics={"margin": F.multi_margin_loss}))
    assert changed == ["metrics not given, now ['margin']"]


def test_metrics_in_another_order_have_another_fingerprint():
    """Their values stand in the order in which they were given."""
    ordered = fingerprint_of(metrics={"a": F.multi_margin_loss, "b": F.cross_entropy})
    reordered = fingerprint_of(metrics={"b": F.cross_entropy, "a": F.multi_margin_loss})
    assert differences(ordered, reordered)


def test_another_model_of_the_same_weights():
    two_heads = fingerprint_of(origin={"model": "vit", "model_args": {"heads": 2}})
    four_heads = fingerprint_of(origin={"model": "vit", "model_args": {"heads": 4}})
    assert differences(two_heads, four_heads) == ["model_args {'heads': 2}, now {'heads': 4}"]


@pytest.mark.parametrize("key", HASHES)
def test_hashes_are_not_shown(key):
    (text,) = differences({key: "0123456789abcdef"}, {key: "fedcba9876543210"})
    assert text.startswith(("other ", "another "))
    assert "0123" not in text


def test_names_that_only_one_fingerprint_has():
    assert differences({}, {"bn": "fixed"}) == ["bn not given, now fixed"]
    assert differences({"bn": "fixed"}, {}) == ["bn fixed, now not given"]
    for empty in (None, "", [], {}):
        assert differences({"toward_x": empty}, {"toward_x": "a"}) == ["toward_x not given, now a"]
    assert differences({"toward_x": "a"}, {"toward_x": ""}) == ["toward_x a, now not given"]
    # One that is empty or False is what an earlier version did without it.
    for empty in (None, "", [], {}, False):
        assert differences({}, {"toward_y": empty}) == differences({"toward_y": empty}, {}) == []
    # False and 0 are values.
    assert differences({"refine": False}, {"refine": True}) == ["refine False, now True"]
    assert differences({"seed": 1}, {"seed": 0}) == ["seed 1, now 0"]


def test_long_values_are_cut():
    (text,) = differences({"model_args": "a" * 500}, {"model_args": "b" * 500})
    assert len(text) < 140
    assert text.count("...") == 2


def seven_times(loss):
    def cross_entropy(outputs, targets):
        return 7 * loss(outputs, targets)

    return cross_entropy


def test_another_function_of_the_same_name():
    changed = differences(fingerprint_of(), fingerprint_of(loss=seven_times(F.cross_entropy)))
    assert len(changed) == 1
    assert changed[0].startswith("other code of the loss: ")
    margin, entropy = (
        fingerprint_of(metrics={"error": loss}) for loss in (F.multi_margin_loss, F.cross_entropy)
    )
    (text,) = differences(margin, entropy)
    assert text.startswith("other code of the metric error: ")


def test_a_changed_file_is_named():
    codes = ({"loss": {"mine.py:f": "a", "helper.py": h}} for h in ("b", "c"))
    before, now = (fingerprint_of(origin={"code": code}) for code in codes)
    assert differences(before, now) == ["other code of the loss: helper.py"]
    assert differences(json.loads(json.dumps(before)), before) == []


def test_code_that_an_earlier_version_did_not_note_is_no_difference():
    now = fingerprint_of(loss=seven_times(F.cross_entropy))
    before = {key: value for key, value in now.items() if key != "code"}
    assert differences(before, now) == []
    assert differences({**before, "code": None}, now) == []
    for damaged in ("text", 3, {"loss": "text"}, {"loss": None}):
        differences({**before, "code": damaged}, now)  # raises nothing

"""Accuracies on further sets."""

import json
import math
from dataclasses import replace

import pytest
import torch

from analyses import robustness
from landscape.data.sources.imagefolder import FolderSamples
from landscape.errors import InputError
from tests.analyses.robustness.problems import (
    CLASSES,
    COLOURS,
    NOTHING,
    objective,
    source,
    write_picture,
)


def folder_of(path, samples, classes=CLASSES):
    for number, (picture, target) in enumerate(zip(samples.inputs, samples.targets, strict=True)):
        write_picture(path / classes[target] / f"{number:03}.png", picture)
    return path


def test_some_of_the_classes(tmp_path):
    samples = source(60)
    some = samples.take((samples.targets > 0).nonzero().flatten())
    folder_of(tmp_path / "r", some)
    problem = objective()
    result = robustness.compute(problem, replace(NOTHING, sets=(f"r={tmp_path / 'r'}",))).sets["r"]
    with torch.no_grad():
        outputs = problem.module(some.fetch(torch.arange(len(some)))).double()
    p = (outputs.argmax(1) == some.targets).double().mean().item()
    assert result.accuracy == pytest.approx(100 * p)
    assert result.standard_error == pytest.approx(100 * math.sqrt(p * (1 - p) / len(some)))
    q = (outputs[:, 1:].argmax(1) + 1 == some.targets).double().mean().item()
    assert result.among_present == pytest.approx(100 * q)
    assert result.among_present_error == pytest.approx(100 * math.sqrt(q * (1 - q) / len(some)))


def test_reassessed_labels(tmp_path):
    folder = folder_of(tmp_path / "val", source())
    paths = sorted(folder.rglob("*.png"))
    targets = torch.tensor([CLASSES.index(path.parent.name) for path in paths])
    samples = FolderSamples(paths, targets, CLASSES, 8, COLOURS)
    (tmp_path / "real.json").write_text(json.dumps([[0, 1, 2]] * 20 + [[]] * 10))
    settings = replace(NOTHING, sets=(f"real={tmp_path / 'real.json'}",))
    result = robustness.compute(objective(samples), settings).sets["real"]
    assert (result.accuracy, result.samples) == (100.0, 20)


def test_a_folder_that_is_not_there():
    with pytest.raises(InputError, match="v2: no such folder: /nowhere"):
        robustness.compute(objective(), replace(NOTHING, sets=("v2=/nowhere",)))

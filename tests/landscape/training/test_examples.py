"""The examples in docstrings run, and print what they say."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest
import torch

from landscape.data.sources.digits import digits
from tests.landscape.training.runs import make

MODULES = [
    "landscape.checkpoints.load",
    "landscape.models.catalog",
    "landscape.training.loop",
    "landscape.training.sam.ascent",
    "landscape.training.sam.optimizer",
    "landscape.tracking.tracker",
    "landscape.training.settings",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = import_module(name)
    names = {"torch": torch, "Path": Path, "digits": digits}
    names["model"] = make("mixer-tiny", depth=1)
    result = doctest.testmod(module, extraglobs=names)
    assert result.attempted
    assert not result.failed

"""The examples of docstrings run, and print what they say."""

import doctest
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from landscape.curvature.operators import CurvatureOperator
from landscape.directions.direction import random_direction
from landscape.eigen.lanczos import lanczos
from landscape.eigen.operator import rademacher_vectors
from landscape.objective.objective import Objective
from tests.oracles.cases import BY_NAME

MODULES = [
    "landscape.curvature.operators",
    "landscape.directions.direction",
    "landscape.eigen.lanczos",
    "landscape.eigen.quadrature",
    "landscape.eigen.trace",
    "landscape.estimates",
    "landscape.results.journal",
    "landscape.runtime.random_state",
    "landscape.slices.evaluator",
    "landscape.slices.point_queue",
    "landscape.slices.refinement",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    case = BY_NAME["mlp with tied weights"]
    names = {
        "np": np,
        "torch": torch,
        "Path": Path,
        "objective": Objective(case.model(), case.data, dtype=torch.float64, device="cpu"),
        "CurvatureOperator": CurvatureOperator,
        "lanczos": lanczos,
        "rademacher_vectors": rademacher_vectors,
        "random_direction": random_direction,
    }
    results = doctest.testmod(
        import_module(name), extraglobs=names, optionflags=doctest.ELLIPSIS, report=True
    )
    assert results.attempted > 0
    assert results.failed == 0

"""The examples in docstrings of surfaces, lines and curvature analyses run."""

import doctest
from importlib import import_module

import pytest

from landscape.checkpoints.weights import weights_of
from landscape.directions.derived import toward
from tests.analyses.problems import network, objective

MODULES = [
    "analyses.slices.grid",
    "analyses.surface.settings",
    "analyses.surface.measure",
    "analyses.line.settings",
    "analyses.line.measure",
    "analyses.interpolate.measure",
    "analyses.trajectory.settings",
    "analyses.hessian.settings",
    "analyses.hessian.measure",
    "analyses.components.measure",
    "analyses.similarity.measure",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    problem = objective()
    direction = toward(problem, weights_of(network(1), problem))
    names = {"objective": problem, "direction": direction}
    results = doctest.testmod(import_module(name), extraglobs=names)
    assert results.attempted > 0
    assert results.failed == 0

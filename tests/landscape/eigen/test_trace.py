"""The trace and the Frobenius norm, from products and from what a spectrum knows."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from landscape.eigen.lanczos import lanczos
from landscape.eigen.operator import rademacher_vectors
from landscape.eigen.quadrature import stochastic_lanczos
from landscape.eigen.trace import deflated_trace, frobenius_norm, hutch_plus_plus, hutchinson
from landscape.errors import InputError
from tests.landscape.eigen.checks import refined
from tests.landscape.eigen.planted import diagonal, generator, planted

SPECTRUM = np.concatenate([[60.0, 30.0, -20.0, 10.0], np.linspace(-1, 2, 116)])


@pytest.mark.parametrize("seed", range(4))
def test_the_trace_is_within_four_standard_errors(seed):
    operator = planted(SPECTRUM, seed)
    truth = SPECTRUM.sum()
    for estimate in (
        hutchinson(operator, 60, generator(seed)),
        hutch_plus_plus(operator, 60, generator(seed)),
    ):
        assert abs(estimate.value - truth) < 4 * estimate.stderr


def test_what_the_eigenvectors_know_makes_the_trace_better():
    operator = planted(SPECTRUM)
    pairs, quadrature, probes = refined(operator, 4, probes=20)
    assert pairs.converged.all()
    better = deflated_trace(quadrature, probes, pairs)
    assert abs(better.value - SPECTRUM.sum()) < 4 * better.stderr
    assert better.stderr < 0.4 * quadrature.trace_stderr
    norm = frobenius_norm(quadrature, probes, pairs)
    truth = np.linalg.norm(SPECTRUM)
    assert abs(norm.value - truth) < 4 * norm.stderr < 0.1 * truth
    assert operator.products == 20 * 20 + pairs.steps + 1  # that certifies all of them


def test_pairs_that_did_not_converge_take_no_part_in_the_trace():
    operator = planted(SPECTRUM)
    pairs, quadrature, probes = refined(operator, 4, probes=20)
    unconverged = replace(
        pairs,
        vectors=torch.roll(pairs.vectors, 1, 0),
        converged=torch.zeros_like(pairs.converged),
    )
    trace = deflated_trace(quadrature, probes, unconverged)
    assert trace.value == pytest.approx(quadrature.trace)
    assert trace.stderr == pytest.approx(quadrature.trace_stderr)


def test_hutch_plus_plus_is_exact_for_a_low_rank():
    operator = planted([5.0, 3.0, -1.0] + [0.0] * 60)
    estimate = hutch_plus_plus(operator, 15, generator())
    assert estimate.value == pytest.approx(7, rel=1e-9)
    assert estimate.stderr < 1e-9
    assert operator.products == 15


def test_a_trace_of_zero():
    operator = diagonal([0.0] * 9)
    pairs, quadrature, probes = refined(operator, 2, probes=3, steps=4)
    assert deflated_trace(quadrature, probes, pairs).value == 0
    assert frobenius_norm(quadrature, probes, pairs).value == 0


def test_too_few_products_for_hutch_plus_plus():
    with pytest.raises(InputError, match="at least 6 products, got 5"):
        hutch_plus_plus(diagonal([1.0]), 5, generator())


@pytest.mark.parametrize(("size", "steps"), [(30, 1), (30, 2), (1, 1)])
def test_the_norm_is_known_from_two_steps_on_or_in_one_dimension(size, steps):
    values = np.linspace(-1, 3, size) if size > 1 else [2.5]
    operator = planted(values)
    probes = rademacher_vectors(operator, 400, generator())
    quadrature, _ = stochastic_lanczos(operator, probes, steps, generator())
    pairs = lanczos(operator, 1, generator())
    norm = frobenius_norm(quadrature, probes, pairs)
    if (size, steps) == (30, 1):
        assert math.isnan(norm.value)
        assert math.isnan(norm.stderr)
    else:
        assert abs(norm.value - np.linalg.norm(values)) <= 4 * norm.stderr + 1e-9


def test_pairs_of_a_loose_tolerance_do_not_bias_the_trace():
    operator = planted(np.linspace(-1, 3, 60))
    values = []
    for seed in range(60):
        pairs, quadrature, probes = refined(
            operator, 2, probes=6, steps=3, seed=seed, tolerance=0.5
        )
        values.append(deflated_trace(quadrature, probes, pairs).value)
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    assert abs(np.mean(values) - 60) < 4 * error

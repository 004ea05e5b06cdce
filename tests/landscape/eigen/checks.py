"""Eigenpairs by Lanczos, and what has to be true of them."""

import numpy as np
import torch

from landscape.eigen.lanczos import lanczos
from landscape.eigen.operator import rademacher_vectors
from landscape.eigen.quadrature import stochastic_lanczos
from landscape.eigen.rayleigh_ritz import refine
from tests.landscape.eigen.planted import generator, reported_errors, rounding, true_errors


def top(operator, count, seed=0, pairs=None, **options):
    """``count`` eigenpairs by Lanczos; ``pairs`` is how many come back, if not as many."""
    expected = pairs or count
    pairs = lanczos(operator, count, generator(seed), **options)
    assert pairs.eigenvalues.shape == pairs.residuals.shape == pairs.converged.shape == (expected,)
    assert pairs.vectors.shape == (operator.size, expected)
    assert pairs.method == "lanczos"
    return pairs


def check_honest(operator, pairs, tolerance):
    """What is said of each pair is true of it."""
    reported, floor = reported_errors(pairs), rounding(operator)
    assert (reported >= 0.99 * true_errors(operator, pairs) - floor).all()
    assert torch.equal(pairs.converged, pairs.residuals <= tolerance)
    values = pairs.eigenvalues.numpy()
    assert (np.diff(np.abs(values)) <= 0).all()
    truth = np.linalg.eigvalsh(operator.matrix.double().numpy())
    assert (np.abs(values[:, None] - truth).min(1) <= reported + floor).all()


def refined(operator, count, probes=4, steps=20, seed=0, **options):
    """Eigenpairs from the processes of a density; also its quadrature and probes."""
    which = options.get("which", "magnitude")
    vectors = rademacher_vectors(operator, probes, generator(seed))
    quadrature, subspace = stochastic_lanczos(
        operator, vectors, steps, generator(seed), leading=count, which=which
    )
    pairs = refine(operator, subspace, count, generator(seed), processes=probes, **options)
    return pairs, quadrature, vectors

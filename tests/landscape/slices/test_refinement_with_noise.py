"""Refinement of surfaces whose values were measured less precisely."""

from functools import cache

import numpy as np
import pytest

from landscape.slices.refinement import Refinement
from tests.landscape.slices.known_surfaces import (
    SHAPE,
    SURFACES,
    TOLERANCE,
    Run,
    anisotropic,
    axes,
    bowl,
    creased,
    kinked,
    negative,
    shallow,
    steep,
)
from tests.profile import repeats

NOISE = TOLERANCE / 3
SMOOTH = [bowl, anisotropic, kinked, creased, shallow, steep]


@cache
def noisy_run(surface, noise=NOISE, seed=0, shape=SHAPE):
    """Refine with measured values that differ from the truth at random."""
    truth = surface(*axes(shape))
    draw = np.random.default_rng(seed).normal(size=truth.shape)
    values = truth * np.exp(noise * draw)
    refinement = Refinement(*truth.shape, TOLERANCE, noise)
    rounds = [refinement.first()]
    while rounds[-1]:
        refinement.add({point: float(values[point]) for point in rounds[-1]})
        rounds.append(refinement.next())
    known = np.where(refinement.measured, values, np.nan)
    filled = refinement.fill(known, logarithmic=True, noise=noise)
    return Run(truth, refinement, rounds, filled)


every_smooth_surface = pytest.mark.parametrize("surface", SMOOTH, ids=lambda it: it.__name__)


@every_smooth_surface
def test_the_tolerance_is_met_with_noise(surface):
    run = noisy_run(surface)
    errors = run.filled.values / run.truth - 1  # of measured points too
    assert np.sqrt((errors**2).mean()) <= TOLERANCE
    assert run.refinement.measured.mean() <= SURFACES[surface] + 0.05


@every_smooth_surface
def test_claims_are_honest_with_noise(surface):
    runs = [noisy_run(surface, NOISE, seed) for seed in range(repeats(3, 10))]
    ratios = np.concatenate([run.errors() / run.claims() for run in runs])
    shares = float((ratios <= 1).mean()), float((ratios <= 2).mean())
    assert shares[0] >= 0.60, shares
    assert shares[1] >= 0.88, shares
    for run in runs:
        np.testing.assert_allclose(run.filled.error[run.refinement.measured], NOISE)


def test_noise_above_the_tolerance_ends():
    """No point is asked for twice although none meets the tolerance."""
    run = noisy_run(bowl, 2 * TOLERANCE, shape=(21, 21))
    points = [point for todo in run.rounds for point in todo]
    assert len(points) == len(set(points))
    assert (run.filled.error[run.refinement.measured] == 2 * TOLERANCE).all()


def test_noise_of_losses_that_are_not_positive_is_that_of_the_largest():
    run = noisy_run(negative, 0.001)
    assert not run.filled.relative
    measured = run.refinement.measured
    largest = np.abs(run.filled.values[measured]).max()
    np.testing.assert_allclose(run.filled.error[measured], 0.001 * largest)
    assert (np.abs(run.errors()) <= 5 * run.claims()).mean() > 0.9

"""Errors of a sample as errors of the training set that it was drawn from."""

import math
from dataclasses import replace

import numpy as np
import pytest

from analyses.report.paper.quantities import quantity
from analyses.report.paper.subjects import Run
from analyses.report.paper.training_set import (
    estimate_of_training_set,
    of_training_set,
    unseen_share,
)
from landscape.estimates import Estimate
from tests.analyses.report.paper.planted import as_components, spectrum


def sampled(count, available, split="train"):
    """A result of ``count`` of ``available`` samples of a split."""
    result = spectrum("vit", "vit", 0.0, 10.0, 0.5, split=split, samples_available=available)
    return replace(result, provenance=replace(result.provenance, num_samples=count))


@pytest.mark.parametrize(("count", "available"), [(30, 40), (39, 40), (8, 2000)])
def test_the_error_is_the_spread_of_samples_drawn_without_replacement(count, available):
    """What samples of a finite set miss its mean by, over many of them."""
    source = np.random.default_rng(0)
    losses = source.exponential(size=available)
    samples = [source.choice(losses, count, replace=False) for _ in range(4000)]
    missed = math.sqrt(np.mean([(sample.mean() - losses.mean()) ** 2 for sample in samples]))
    claimed = [
        of_training_set(sampled(count, available), sample.std(ddof=1) / math.sqrt(count))
        for sample in samples
    ]
    assert math.sqrt(np.mean(np.square(claimed))) == pytest.approx(missed, rel=0.05)


def test_the_whole_training_set_has_no_sampling_error():
    assert of_training_set(sampled(40, 40), 0.5) == 0.0


def test_held_out_data_stand_for_all_that_there_could_be():
    assert unseen_share(sampled(40, 40, split="test")) == 1.0
    assert unseen_share(spectrum("vit", "vit", 0.0, 10.0, 0.5)) == 1.0  # nobody knows how many


def test_only_the_part_of_sampling_is_smaller():
    estimate = Estimate(2.0, math.hypot(0.3, 0.4), 7.0)
    whole = estimate_of_training_set(sampled(40, 40), estimate, 0.4)
    assert (whole.value, whole.dof) == (2.0, 7.0)
    assert whole.stderr == pytest.approx(0.3)
    half = estimate_of_training_set(sampled(20, 40), estimate, 0.4)
    assert half.stderr == pytest.approx(math.sqrt(0.3**2 + 0.4**2 / 2))


@pytest.mark.parametrize("name", ["sharpness", "embedding"])
def test_an_eigenvalue_keeps_the_error_of_its_residual(name):
    result = sampled(40, 40)
    result = replace(
        result,
        ends=replace(result.ends, residuals=np.array([0.01, 0.0])),
        provenance=result.provenance,
    )
    run = Run("vit", {"hessian": result, "components": as_components(result)})
    value, residual = (10.0, 0.01) if name == "sharpness" else (3.0, 1e-3)
    measured = quantity(run, name)
    assert (measured.value, measured.error) == (value, pytest.approx(value * residual))

"""The sample's error of a difference between numbers of the same samples."""

import math

import numpy as np
import pytest

from analyses.report.paper.comparisons import Comparison, Side
from analyses.report.paper.inference import MeanEstimate
from analyses.report.paper.quantities import quantity
from analyses.report.paper.shared_samples import PerSample, mean_over_runs
from analyses.report.paper.subjects import Run
from tests.analyses.robustness.problems import example


def answers(values, sample="pictures", resolution=0.0):
    return PerSample(sample, np.asarray(values, float), resolution)


def test_the_error_is_the_spread_over_samples_of_the_difference():
    """Two networks that find the same pictures hard, on many samples of pictures."""
    source = np.random.default_rng(0)
    missed, claimed, independent = [], [], []
    for _ in range(2000):
        difficulty = source.random(200)
        first, second = (source.random(200) < difficulty + gain for gain in (0.0, 0.05))
        truth = np.mean(np.minimum(np.linspace(0, 1, 10001) + 0.05, 1)) - 0.5
        missed.append(second.mean() - first.mean() - truth)
        difference = answers(second).minus(answers(first))
        claimed.append(math.sqrt(difference.variance))
        independent.append(math.sqrt(answers(first).variance + answers(second).variance))
    spread = math.sqrt(np.mean(np.square(missed)))
    assert math.sqrt(np.mean(np.square(claimed))) == pytest.approx(spread, rel=0.05)
    assert np.mean(independent) > 1.15 * spread


def test_runs_are_averaged_sample_by_sample():
    mean = mean_over_runs([answers([1, 0, 0]), answers([1, 1, 0])])
    assert mean.values.tolist() == [1.0, 0.5, 0.0]


def test_numbers_of_other_samples_have_no_difference():
    assert answers([1, 0]).minus(answers([1, 1], "others")) is None
    assert answers([1, 0]).minus(None) is None
    assert mean_over_runs([answers([1, 0]), answers([1, 0], "others")]) is None
    assert mean_over_runs([answers([1, 0]), None]) is None


def test_answers_that_do_not_differ_are_known_to_one_other_answer():
    same = answers([1, 1, 0, 0], resolution=0.25)
    assert same.minus(same).variance == 0.25**2


def side(values, per_sample):
    return Side("a", "", {}, MeanEstimate.of(values), 4.0, per_sample=per_sample)


def test_a_comparison_takes_it_where_both_sides_have_it():
    first, second = answers([0, 0, 0, 10]), answers([10, 0, 10, 10])
    shared = Comparison(side([2.0, 3.0], first), side([7.0, 8.0], second), more=True)
    assert shared.measurement_variance == np.var([10, 0, 10, 0], ddof=1) / 4
    others = Comparison(side([2.0, 3.0], first), side([7.0, 8.0], None), more=True)
    assert others.measurement_variance == 8.0
    expected = 0.5 + shared.measurement_variance  # of two means of two runs, 0.25 each
    assert shared.difference.stderr == pytest.approx(math.sqrt(expected))


@pytest.mark.parametrize("name", ["accuracy", "corruption_accuracy"])
def test_accuracies_are_known_picture_by_picture(name):
    first, second = (
        quantity(Run(f"net {seed}", {"robustness": example(seed)}), name) for seed in (0, 1)
    )
    for measured in (first, second):
        assert measured.per_sample.values.mean() == pytest.approx(measured.value)
    difference = second.per_sample.minus(first.per_sample)
    assert difference.values.mean() == pytest.approx(second.value - first.value)

"""Mini-batch spectra: each is that of the dense Hessian of its own mini-batch."""

from itertools import product

import numpy as np
import pytest
import torch

from analyses import minibatch
from analyses.minibatch.measure import minibatches
from analyses.minibatch.result import TOLERANCE, MinibatchSpectra
from analyses.minibatch.settings import Settings
from landscape.errors import InputError, NotMeasurableError
from tests.analyses.case_objectives import case_objective
from tests.landscape.eigen.planted import by_magnitude
from tests.oracles.cases import BY_NAME
from tests.oracles.dense import dense_hessian
from tests.profile import some

SMALL = Settings(minibatches=5, minibatch_size=3, minibatch_top=4)


@pytest.mark.parametrize(
    ("name", "l2"), some(product(["mixer", "mlp with tied weights"], [0.0, 0.3]), 2)
)
def test_each_is_that_of_the_dense_hessian_of_its_batch(name, l2):
    case = BY_NAME[name]
    settings = Settings(minibatches=4, minibatch_size=3, minibatch_top=4, l2=l2)
    spectra = minibatch.compute(case_objective(name), settings)
    assert spectra.eigenvalues.shape == spectra.residuals.shape == (4, 4)
    assert (spectra.residuals <= TOLERANCE).all()
    for values, batch in zip(
        spectra.eigenvalues, minibatches(case_objective(name), settings), strict=True
    ):
        dense = dense_hessian(case.model(), batch.inputs, batch.targets, case.loss)
        expected = by_magnitude(np.linalg.eigvalsh(dense) + l2)[:4]
        np.testing.assert_allclose(values, expected, rtol=2e-3, atol=1e-6)


def test_every_sample_is_drawn_once_before_any_is_drawn_again():
    objective = case_objective("mixer")
    count = objective.num_samples
    settings = Settings(minibatches=2 * (count // 2), minibatch_size=2)
    drawn = [batch.inputs for batch in minibatches(objective, settings)]
    first = torch.cat(drawn[: count // 2])
    assert len(first.unique(dim=0)) == len(first)
    again = [batch.inputs for batch in minibatches(objective, settings)]
    assert all(torch.equal(batch, same) for batch, same in zip(drawn, again, strict=True))


def test_augmented_pictures_are_others_and_the_same_every_time():
    objective = case_objective("mixer")
    settings = Settings(minibatches=1, minibatch_size=3, augmentation="crop-flip")
    plain = next(minibatches(objective, Settings(minibatches=1, minibatch_size=3)))
    first, again = (next(minibatches(objective, settings)) for _ in range(2))
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.targets, plain.targets)
    assert not torch.equal(first.inputs, plain.inputs)
    with pytest.raises(NotMeasurableError, match="takes pictures of shape"):
        minibatch.compute(case_objective("mlp with tied weights"), settings)


def test_means_and_shares_with_their_errors():
    values = np.array([[4.0, -1.0], [2.0, 1.0], [6.0, -3.0]])
    spectra = MinibatchSpectra(values, np.full((3, 2), 1e-3), label="a", settings=SMALL)
    largest, negative = spectra.largest, spectra.negative
    assert (largest.value, largest.stderr) == pytest.approx((4.0, 2 / np.sqrt(3)))
    expected = 1 / 3, np.std([0.5, 0, 0.5], ddof=1) / np.sqrt(3)
    assert (negative.value, negative.stderr) == pytest.approx(expected)
    assert spectra.converged == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"minibatches": 0}, "--minibatches has to be at least 1, got 0"),
        ({"minibatch_size": -1}, "--minibatch-size has to be at least 1"),
        ({"minibatch_top": 0}, "--minibatch-top has to be at least 1"),
        ({"l2": -0.1}, "--l2 can't be negative"),
    ],
)
def test_settings_that_ask_for_nothing_are_refused(changed, message):
    with pytest.raises(InputError, match=message):
        Settings(**changed)


def test_a_minibatch_larger_than_the_sample_is_refused():
    with pytest.raises(NotMeasurableError, match="--minibatch-size 100 is more than the"):
        minibatch.compute(case_objective("mixer"), Settings(minibatch_size=100))

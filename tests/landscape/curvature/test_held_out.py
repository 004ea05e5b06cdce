"""The bias of a sample's largest eigenvalue, against dense matrices in float64."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from landscape.curvature.held_out import halves, held_out
from landscape.errors import NotMeasurableError
from landscape.objective.objective import Objective
from tests.landscape.eigen.planted import generator
from tests.oracles.slices import slice_error

SIZE = 12


def regression(inputs):
    """Of a linear function: the Hessian is 2 X'X / n, whatever the targets are."""
    model = nn.Linear(SIZE, 1, bias=False)
    targets = torch.zeros(len(inputs), 1, dtype=torch.float64)
    return Objective(
        model,
        (inputs, targets),
        nn.functional.mse_loss,
        device="cpu",
        dtype=torch.float64,
        batch_size=7,
        verify=False,
    )


def drawn(count, seed):
    """Inputs of the covariance diag(2, 1, 1, ...): the largest eigenvalue of all is 4."""
    inputs = torch.randn(count, SIZE, generator=generator(seed), dtype=torch.float64)
    inputs[:, 0] *= 2**0.5
    return inputs


def dense(batches):
    inputs = torch.cat([batch.inputs for batch in batches]).numpy()
    return 2 * inputs.T @ inputs / len(inputs)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_halves_are_those_of_dense_matrices(shift):
    objective = regression(drawn(41, 0))
    found = held_out(objective, generator(3), shift=shift)
    first, second = halves(objective.batches, generator(3))
    assert sorted(sum(batch.size for batch in half) for half in (first, second)) == [20, 21]
    whole = torch.cat([batch.inputs for batch in [*first, *second]])
    assert len(whole.unique(dim=0)) == 41
    matrices = [dense(half) + shift * np.eye(SIZE) for half in (first, second)]
    for k in range(2):
        values, vectors = np.linalg.eigh(matrices[k])
        assert found.eigenvalues[k] == pytest.approx(values[-1], rel=1e-9)
        quotient = vectors[:, -1] @ matrices[1 - k] @ vectors[:, -1]
        assert found.quotients[k] == pytest.approx(quotient, rel=1e-4)
        other = (first, second)[1 - k]
        terms = 2 * (torch.cat([batch.inputs for batch in other]).numpy() @ vectors[:, -1]) ** 2
        # Of twenty samples each is a slice.
        error, dof = slice_error(terms, [batch.size for batch in other])
        assert found.errors[k] == pytest.approx(error, rel=1e-3)
        assert found.dof[k] == dof
    assert found.converged.all()
    assert found.lower.value == pytest.approx(found.quotients.mean())
    assert found.extrapolated(5.0) == pytest.approx(10.0 - found.eigenvalues.mean())


def test_in_the_mean_they_enclose_the_eigenvalue_of_all():
    samples = 60
    plain, lower, extrapolated, errors = [], [], [], []
    for seed in range(20):
        objective = regression(drawn(samples, seed))
        found = held_out(objective, generator(seed), tolerance=1e-3)
        plain.append(np.linalg.eigvalsh(dense(objective.batches))[-1])
        lower.append(found.lower.value)
        errors.append(found.lower.stderr)
        extrapolated.append(found.extrapolated(plain[-1]))
    standard_error = np.std(plain) / len(plain) ** 0.5
    assert np.mean(lower) + 2 * standard_error < 4 < np.mean(plain) - 2 * standard_error
    assert abs(np.mean(extrapolated) - 4) < 0.5 * (np.mean(plain) - 4)
    # What is said of the quotients' error is their spread, as well as twenty repeats can tell.
    ratio = (len(lower) - 1) * np.var(lower, ddof=1) / np.mean(np.square(errors))
    low, high = stats.chi2.ppf([1e-3, 1 - 1e-3], len(lower) - 1)
    assert low < ratio < high


def test_batches_that_cannot_be_cut_are_shared_out():
    inputs = drawn(30, 0)
    data = [(inputs[k : k + 6], torch.zeros(6, 1, dtype=torch.float64)) for k in range(0, 30, 6)]
    model = nn.Linear(SIZE, 1, bias=False)

    def objective(batches):
        return Objective(
            model,
            batches,
            nn.functional.mse_loss,
            device="cpu",
            dtype=torch.float64,
            batching="whole",
            verify=False,
        )

    first, second = halves(objective(data).batches, generator())
    assert sorted([len(first), len(second)]) == [2, 3]
    assert held_out(objective(data), generator()).converged.all()
    with pytest.raises(NotMeasurableError, match="1 batch of 6 samples can't be halved"):
        held_out(objective(data[:1]), generator())


def test_a_single_sample_has_no_halves():
    with pytest.raises(NotMeasurableError, match="take more samples"):
        held_out(regression(drawn(1, 0)), generator())

# ruff: noqa: NPY002 - the legacy generator is what is held here
"""The global random state is the same after a context as before it, whatever happens within."""

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch

from landscape.runtime.random_state import preserved_random_state


def drawn() -> tuple[float, float, float, float]:
    """The next number of each generator; two of numpy's, whose normal numbers come in pairs."""
    return (
        torch.rand(()).item(),
        float(np.random.rand()),
        float(np.random.randn()),
        random.random(),
    )


def seed(number: int) -> None:
    torch.manual_seed(number)
    np.random.seed(number)
    random.seed(number)


@pytest.mark.parametrize("disturb", [drawn, lambda: seed(1), lambda: torch.randperm(9)])
def test_draws_and_seeds_within_leave_no_trace(disturb: Callable[[], object]):
    seed(0)
    np.random.randn()  # the second of a pair is kept for the next call
    with preserved_random_state():
        expected = drawn()
    with preserved_random_state():
        disturb()
    assert drawn() == expected


def test_an_exception_restores_it_too():
    with preserved_random_state():
        expected = drawn()
    with pytest.raises(ZeroDivisionError), preserved_random_state():
        1 / (drawn()[0] * 0)
    assert drawn() == expected


def test_cuda_is_not_initialised():
    before = torch.cuda.is_initialized()
    with preserved_random_state():
        pass
    assert torch.cuda.is_initialized() == before


@pytest.mark.cuda
def test_every_cuda_device():
    device = torch.cuda.device_count() - 1
    torch.cuda.init()
    with preserved_random_state():
        expected = torch.rand(3, device=f"cuda:{device}")
    assert torch.equal(torch.rand(3, device=f"cuda:{device}"), expected)

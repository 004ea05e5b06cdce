"""The global random state of the process: torch's, numpy's and Python's."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def preserved_random_state() -> Iterator[None]:
    """Give every global random generator its state back at the end of this context.

    These are torch's generators of the CPU and of every CUDA device, numpy's ``np.random`` and
    Python's ``random``. CUDA is not initialised by it. Where CUDA is initialised within the
    context, its generators start from their seeds again.

    Example:
        >>> state = torch.get_rng_state()
        >>> with preserved_random_state():
        ...     _ = torch.rand(3), np.random.rand(), random.random()
        >>> torch.equal(torch.get_rng_state(), state)
        True
    """
    python, cpu = random.getstate(), torch.get_rng_state()
    numpy = np.random.get_state()  # noqa: NPY002 - the state that users' code draws from
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
        elif torch.cuda.is_initialized():
            for generator in torch.cuda.default_generators:
                generator.manual_seed(generator.initial_seed())

"""Measuring under torch's own defaults, whatever the caller has switched on around it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from landscape.runtime.devices import full_precision
from landscape.runtime.random_state import preserved_random_state

_DEVICE_TYPES = ("cpu", "cuda")


@contextmanager
def isolated() -> Iterator[None]:
    """A context in which nothing of the caller's changes a number, and nothing of theirs changes.

    Autocast and inference mode are off, the fused inference paths of ``torch.nn`` too (they give
    other values where a mask hides tokens), products are in the precision of their operands, and
    the global random state is afterwards what it was before.
    """
    fused = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(mode=False))
        for device_type in _DEVICE_TYPES:
            if torch.is_autocast_enabled(device_type):
                stack.enter_context(torch.autocast(device_type, enabled=False))
        stack.enter_context(full_precision())
        stack.enter_context(preserved_random_state())
        torch.backends.mha.set_fastpath_enabled(False)
        stack.callback(torch.backends.mha.set_fastpath_enabled, fused)
        yield


def neutralised() -> list[str]:
    """What the caller has switched on that :func:`isolated` switches off, in words."""
    words = [
        f"autocast ({device_type})"
        for device_type in _DEVICE_TYPES
        if torch.is_autocast_enabled(device_type)
    ]
    return [*words, "inference_mode"] if torch.is_inference_mode_enabled() else words

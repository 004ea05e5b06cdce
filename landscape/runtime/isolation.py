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
    other values where a mask hides tokens), products are in the precision of their operands, cuDNN
    does not choose its algorithms by timing them (the next run may choose others), and the global
    random state is afterwards what it was before.
    """
    fused = torch.backends.mha.get_fastpath_enabled()
    by_timing = torch.backends.cudnn.benchmark
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(mode=False))
        for device_type in _DEVICE_TYPES:
            if torch.is_autocast_enabled(device_type):
                stack.enter_context(torch.autocast(device_type, enabled=False))
        stack.enter_context(full_precision())
        stack.enter_context(preserved_random_state())
        torch.backends.mha.set_fastpath_enabled(False)
        stack.callback(torch.backends.mha.set_fastpath_enabled, fused)
        torch.backends.cudnn.benchmark = False
        stack.callback(setattr, torch.backends.cudnn, "benchmark", by_timing)
        yield


def neutralised() -> dict[str, list[str]]:
    """What the caller has switched on that :func:`isolated` switches off, for the provenance.

    Returns:
        Empty, or the names under the key ``switched_off``.
    """
    names = [
        f"autocast ({device_type})"
        for device_type in _DEVICE_TYPES
        if torch.is_autocast_enabled(device_type)
    ]
    if torch.is_inference_mode_enabled():
        names.append("inference_mode")
    return {"switched_off": names} if names else {}

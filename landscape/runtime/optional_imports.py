"""Import what needs torchvision even if its compiled operators don't fit the installed torch.

A torchvision built for CUDA can't be imported beside a torch for CPUs only: it describes operators
that were never loaded. Networks such as timm's need none of these operators.
"""

import contextlib
import logging
import sys
import warnings
from collections.abc import Callable
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import TypeVar

import torch

from landscape.errors import InputError

LOGGER = logging.getLogger(__name__)

Loaded = TypeVar("Loaded")

# The declarations live as long as this object does.
_OPERATORS = torch.library.Library("torchvision", "FRAGMENT")


def with_torchvision(load: Callable[[], Loaded]) -> Loaded:
    """Call ``load``, which imports modules, and return its result.

    If it fails because torchvision misses an operator, declare the operators without an
    implementation and call ``load`` once more.
    """
    before = set(sys.modules)
    try:
        return load()
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("torchvision", "timm"):  # half imported
            del sys.modules[name]
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            _OPERATORS.define(f"{operator}(Tensor dets, Tensor scores, float iou) -> Tensor")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_module("torchvision")
    LOGGER.info("torchvision's compiled operators don't fit this torch: it is used without them")
    return load()


def import_optional(name: str, *, needed_by: str, install: str) -> ModuleType:
    """Import a library that is no requirement, whether or not torchvision fits this torch.

    Args:
        name: The module.
        needed_by: What needs it, for the message.
        install: The command that installs it.

    Raises:
        InputError: It is missing, or can't be imported.
    """
    library = name.partition(".")[0]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # First, since others take torchvision's failure for their own, and it may be missing.
            with contextlib.suppress(ImportError):
                with_torchvision(partial(import_module, "torchvision"))
            import_module(library)
            return import_module(name)
    except (ImportError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{needed_by} needs {library}, which can't be imported ({reason}); "
            f"install it with: {install}"
        ) from error

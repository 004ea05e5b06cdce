"""Import what needs torchvision where its compiled operators don't fit the installed torch.

A torchvision built for CUDA beside a torch for CPU alone can't be imported: it describes operators
that were never loaded. Networks such as timm's need none of them.
"""

import logging
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import TypeVar

import torch

LOGGER = logging.getLogger(__name__)


Found = TypeVar("Found")

# The declarations live as long as this object does.
_OPERATORS = torch.library.Library("torchvision", "FRAGMENT")


def with_torchvision(load: Callable[[], Found]) -> Found:
    """What ``load``, which imports modules, returns.

    Where that fails for an operator that torchvision's import misses, the operators are declared,
    without an implementation, and ``load`` is called once more.
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

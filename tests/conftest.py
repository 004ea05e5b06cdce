"""What every test shares: a seed, the shared data folder, and timm where it can be imported."""

import sys
import warnings
from pathlib import Path
from types import ModuleType

import pytest
import torch

from landscape.progress import be_quiet

SHARED_DATA = Path(__file__).parents[1].parent / "shared" / "data"


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
    be_quiet(False)  # what a --quiet command in this process has left


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of reference data; its README.md says what is in it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the reference data of ../shared/data are not here")
    return SHARED_DATA


@pytest.fixture(scope="session")
def timm() -> ModuleType:
    """timm, or a skip: it is an optional dependency, and needs a torchvision that imports."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _import_torchvision()
            import timm
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"timm can't be imported: {error}")
    return timm


def _import_torchvision() -> None:
    """Import torchvision; on a CPU-only torch the CUDA wheel's compiled operators are missing.

    Two of them are needed at import and by no test: declare them, without an implementation.
    """
    try:
        import torchvision
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for operator in ("nms", "qnms"):
            _OPERATORS.define(f"{operator}(Tensor dets, Tensor scores, float iou) -> Tensor")
        import torchvision  # noqa: F401


# The declarations live as long as this object does.
_OPERATORS = torch.library.Library("torchvision", "FRAGMENT")

"""What every test shares: a seed, the shared data folder, and timm where it can be imported."""

import gc
import warnings
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest
import torch

from landscape.errors import InputError
from landscape.models.huggingface import import_optional
from landscape.models.torchvision_models import import_torchvision
from landscape.runtime.optional_imports import with_torchvision
from landscape.runtime.progress import hide_messages
from tests.profile import SLOW, repeats

# Time limits of single examples say how busy the machine is.
hypothesis.settings.register_profile(
    "landscape", max_examples=repeats(quick=20, full=100), deadline=None
)
hypothesis.settings.load_profile("landscape")

SHARED_DATA = Path(__file__).parents[1].parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that ``make check`` leaves out."""
    for item in items:
        if item.nodeid.startswith(SLOW):
            item.add_marker("slow")


def pytest_collection_finish() -> None:
    """The garbage collector need not look at the tests and modules again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _seed() -> None:
    # torch.manual_seed formats the stack for every kind of device, which is most of a short test.
    torch.default_generator.manual_seed(0)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(0)
    hide_messages()  # a command in this process has shown or silenced them


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of reference data; its README.md says what is in it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the reference data of ../shared/data are not here")
    return SHARED_DATA


@pytest.fixture(scope="session")
def timm() -> ModuleType:
    """timm, or a skip: it is an optional dependency."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return with_torchvision(partial(import_module, "timm"))
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"timm can't be imported: {error}")


@pytest.fixture(scope="session")
def transformers() -> ModuleType:
    """transformers, or a skip: it is an optional dependency."""
    return _optional("transformers")


@pytest.fixture(scope="session")
def peft(transformers: ModuleType) -> ModuleType:
    """peft, or a skip: it is an optional dependency."""
    return _optional("peft")


@pytest.fixture(scope="session")
def torchvision() -> ModuleType:
    """torchvision with its models and transforms, or a skip."""
    try:
        return import_torchvision()
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"torchvision can't be imported: {error}")


def _optional(name: str) -> ModuleType:
    try:
        module = import_optional(name)
    except InputError as error:
        pytest.skip(str(error))
    logs = import_optional("transformers").utils.logging
    logs.set_verbosity(logs.CRITICAL)
    logs.disable_progress_bar()
    return module

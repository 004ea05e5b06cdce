"""What every test shares: a seed, the shared data folder, and the libraries of the dev extra."""

import gc
import logging
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest
import torch

from landscape.runtime.optional_imports import import_optional
from landscape.runtime.progress import hide_messages
from tests.profile import SLOW, repeats
from tests.warm import Server

# Time limits of single examples say how busy the machine is.
hypothesis.settings.register_profile(
    "landscape", max_examples=repeats(quick=12, full=100), deadline=None
)
hypothesis.settings.load_profile("landscape")

SHARED_DATA = Path(__file__).parents[1].parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that ``make check`` leaves out; skip those that need a device of CUDA."""
    no_device = pytest.mark.skip(reason="no CUDA device")
    for item in items:
        if item.get_closest_marker("cuda") and not torch.cuda.is_available():
            item.add_marker(no_device)
        if item.nodeid.startswith(SLOW):
            item.add_marker("slow")


def pytest_collection_finish() -> None:
    """The garbage collector need not look at the tests and modules again and again."""
    _leave_out_of_garbage_collection()


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Nor at what the tests of a module have imported and cached for others."""
    if nextitem is not None and nextitem.path != item.path:
        _leave_out_of_garbage_collection()


def _leave_out_of_garbage_collection() -> None:
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
def server() -> Iterator[Server]:
    """The process that forks into commands."""
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="session")
def timm() -> ModuleType:
    """The library timm."""
    imported("timm.data")
    return import_module("timm")


@pytest.fixture(scope="session")
def transformers() -> ModuleType:
    """The library transformers, silent."""
    imported("transformers.trainer_callback")
    module = imported("transformers")
    logs = module.utils.logging
    logs.set_verbosity(logs.CRITICAL)
    logs.disable_progress_bar()
    return module


@pytest.fixture(scope="session")
def peft(transformers: ModuleType) -> ModuleType:  # noqa: ARG001 - which it imports
    """The library peft."""
    return imported("peft")


@pytest.fixture(scope="session")
def lightning() -> ModuleType:
    """The library lightning, silent."""
    module = imported("lightning")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    return module


@pytest.fixture(scope="session")
def torchvision() -> ModuleType:
    """The models of torchvision, with their transforms."""
    return imported("torchvision.models")


def imported(name: str) -> ModuleType:
    """A library that the product can do without, but the tests can't."""
    return import_optional(name, needed_by="a test", install="make .venv/installed-dev")

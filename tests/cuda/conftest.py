"""The device of a test: the processor, to test its body, and a CUDA device where there is one."""

import pytest
import torch

from landscape import cli as train_cli
from landscape.runtime.devices import resolve_device
from tests.commands import status_of

SIZES = {
    "vit": ("depth=1", "dim=8", "heads=2", "mlp_dim=12"),
    "resnet": ("width=4", "layers=1,1"),
}


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request) -> torch.device:
    """Where a test computes."""
    return resolve_device(request.param)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """By family a run of two epochs on the processor, with the weights of every epoch."""
    folder = tmp_path_factory.mktemp("trained")
    for family, sizes in SIZES.items():
        words = ("--model", f"{family}-tiny", "--model-args", *sizes, "--data", "digits")
        words = (*words, "--epochs", "2", "--save-every", "1", "-b", "512", "--lr", "0.01")
        words = (*words, "--device", "cpu", "--quiet", "--output-dir", folder / family)
        assert status_of(train_cli.main, *words) == 0
    return {family: folder / family for family in SIZES}

"""A checkpoint of a user's network."""

import pytest
import torch

from landscape.models.catalog import ModelSpec
from tests.analyses.command.slices.networks import QUIET, USER_FILE


@pytest.fixture
def mine(tmp_path):
    """A user's file, and the words for a checkpoint of its network; all of its 40 samples."""
    source = tmp_path / "mine.py"
    source.write_text(USER_FILE)
    torch.save(ModelSpec(f"{source}:net", {}).build().state_dict(), tmp_path / "net.pth")
    model = ("--model", f"{source}:net", "--data", f"{source}:data")
    return source, (tmp_path / "net.pth", *model, "--output-dir", tmp_path / "out", *QUIET)

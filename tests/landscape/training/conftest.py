import pytest

from landscape.checkpoints.run import RunDirectory
from tests.landscape.training.runs import some


@pytest.fixture(scope="module")
def data():
    """52 samples, so that a batch size of 16 leaves some over, and 20 to validate with."""
    return some("train", 52), some("test", 20)


@pytest.fixture
def run(tmp_path):
    return RunDirectory(tmp_path)

"""Commands forked from one that has imported everything, and a surface that was never killed."""

import shutil
import subprocess
import time

import pytest

from tests.analyses.command.resume.surfaces import GRID, USER_FILE, write_weights
from tests.commands import free_port, installed


@pytest.fixture(scope="session")
def subject(tmp_path_factory):
    """The words that say what is measured."""
    folder = tmp_path_factory.mktemp("subject")
    (folder / "mine.py").write_text(USER_FILE)
    weights = write_weights(folder / "net.pth", 0)
    source = f"{folder}/mine.py"
    words = ("--model", f"{source}:net", "--data", f"{source}:data", "--format", "none")
    return (weights, *words, "--device", "cpu")


@pytest.fixture(scope="session")
def drawn_meanwhile(warm, subject, tmp_path_factory):
    """A surface with --preview that never ends."""
    folder = tmp_path_factory.mktemp("preview")
    words = ("surface", *subject, *GRID, "--model-args", "pause=0.12", "last=75", "--preview")
    return folder, warm.start(*words, "--output-dir", folder)


@pytest.fixture(scope="session")
def shared_by_torchrun(subject, tmp_path_factory):
    """A surface that torchrun shares over two ranks."""
    folder = tmp_path_factory.mktemp("torchrun")
    words = ("--nproc-per-node", "2", f"--master-port={free_port()}", "--no-python")
    command = (installed("landscape-plot"), "surface", *subject, *GRID, "--output-dir", folder)
    with subprocess.Popen(
        [installed("torchrun"), *words, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield folder, process
        process.kill()


@pytest.fixture(scope="session")
def unkilled(warm, subject, tmp_path_factory):
    """The folder of a finished surface, and the seconds that measuring took."""
    folder = tmp_path_factory.mktemp("unkilled")
    running = warm.start("surface", *subject, *GRID, "--output-dir", folder)
    assert running.wait_for(lambda: "measuring" in running.err)
    started = time.monotonic()
    assert running.end() == 0, running.err
    return folder, time.monotonic() - started


@pytest.fixture
def measured(unkilled, tmp_path):
    """A copy of it."""
    return shutil.copytree(unkilled[0], tmp_path / "measured")

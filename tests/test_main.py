"""``python -m`` runs the commands where their scripts are not on the path."""

import subprocess
import sys

import pytest

from tests.commands import assert_one_line

COMMANDS = {"landscape": "landscape-train", "analyses": "landscape-plot"}


def run(*words):
    return subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("package", COMMANDS)
def test_a_package_is_its_command(package):
    done = run(package, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: {COMMANDS[package]} ")


@pytest.mark.parametrize("package", COMMANDS)
def test_its_exit_status_is_that_of_the_command(package):
    done = run(package, "--no-such-flag")
    assert (done.returncode, done.stdout) == (2, "")
    assert_one_line(done.stderr, COMMANDS[package])

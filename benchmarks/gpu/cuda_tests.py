"""Stage (a): the tests that need a CUDA device, each recorded as it ends."""

import os
from importlib.util import find_spec
from typing import Any

from benchmarks.gpu.records import Recorder
from benchmarks.gpu.stages import Work

# Where tests are marked "cuda".
TESTS = (
    "tests/cuda",
    "tests/landscape/runtime/test_devices.py",
    "tests/landscape/runtime/test_random_state.py",
)
# Several processes share the card, where pytest-xdist is installed.
PROCESSES = 6
# Tests of the dry run: their bodies are those of CUDA tests, on the processor.
DRY = ("tests/cuda/test_arithmetic.py", "-k", "tf32_is_off")


class _Outcomes:
    """A plugin of pytest that records the outcome of every test."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Called by pytest after set-up, call and tear-down of a test."""
        if report.when == "call" or report.outcome != "passed":
            self.recorder.write(
                "test",
                name=report.nodeid,
                outcome=report.outcome,
                seconds=round(report.duration, 2),
                error="" if report.outcome == "passed" else str(report.longrepr)[-4000:],
            )


def measure(work: Work) -> None:
    """Run the tests, with warnings shown and not errors: other versions may warn of other things.

    Raises:
        RuntimeError: pytest is missing, or a test failed.
    """
    try:
        import pytest
    except ImportError as error:
        raise RuntimeError("pytest is not installed, so the CUDA tests can't run") from error
    words = ["-m", "cuda", "-W", "default", *TESTS]
    if work.is_dry:
        words = ["-m", "not cuda", "-p", "no:xdist", *DRY]
    elif find_spec("xdist"):
        os.environ["OMP_NUM_THREADS"] = "2"  # of each process
        words += ["--numprocesses", str(PROCESSES)]
    status = pytest.main(words, plugins=[_Outcomes(work.recorder)])
    if status != pytest.ExitCode.OK:
        raise RuntimeError(f"pytest ended with {pytest.ExitCode(status).name}")

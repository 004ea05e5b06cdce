"""Work that the processes of one test session share: one does it, the others wait for it."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

PATIENCE = 600.0  # seconds


def make_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder ``name`` that all processes of the session share, filled by ``make`` in one."""
    base = factory.getbasetemp()
    root = base.parent if base.name.startswith("popen-") else base
    folder, done = root / name, root / f"{name}.done"
    try:
        folder.mkdir()
    except FileExistsError:
        deadline = time.monotonic() + PATIENCE
        while not done.exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"no process has made {folder}") from None
            time.sleep(0.05)
        if done.read_text() != "done":
            pytest.fail(f"another process could not make {folder}")
        return folder
    try:
        make(folder)
    except BaseException:
        done.write_text("failed")
        raise
    done.write_text("done")
    return folder

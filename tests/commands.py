"""Running the two commands: in this process, or as a person at a terminal would."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

TIMEOUT = 300  # seconds, on a machine that has much else to do


def status_of(main: Callable[[Sequence[str]], int], *words: Any) -> int:
    """The exit status of a command that is run in this process."""
    try:
        return main([str(word) for word in words])
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else -1


def installed(name: str) -> str:
    """The path of an installed command."""
    path = Path(sys.executable).with_name(name)
    assert path.is_file(), f"{path} is missing: pip install -e ."
    return str(path)


def start(name: str, *words: Any, unbuffered: bool = False) -> "subprocess.Popen[str]":
    """A command in a process of its own, with pipes for its output; a warning is an error."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    if unbuffered:
        environment["PYTHONUNBUFFERED"] = "1"
    return subprocess.Popen(
        [installed(name), *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, "PYTHONWARNINGS": "error"},
    )


def run(name: str, *words: Any) -> "subprocess.CompletedProcess[str]":
    """A command in a process of its own, to its end."""
    with start(name, *words) as process:
        out, err = process.communicate(timeout=TIMEOUT)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def assert_one_line(text: str, program: str) -> None:
    """An error is one line that starts with the program's name, and is no traceback."""
    assert text.endswith("\n")
    assert len(text.splitlines()) == 1, text
    assert text.startswith((f"{program}: error: ", f"{program} ")), text
    assert ": error: " in text


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, byte for byte."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def write_pictures(root: Path, size: int = 8, classes: Sequence[str] = ("a", "b")) -> Path:
    """An image folder: six pictures a class to train with, three to test with."""
    source = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 3)):
        for k, name in enumerate(classes):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = source.integers(0, 128, (size, size, 3), dtype=np.uint8) + 100 * k
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    return root

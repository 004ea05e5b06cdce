"""Another process that has locked a file, by flock alone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOLD = """\
import fcntl, json, os, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
json.dump({"host": sys.argv[2], "pid": os.getpid(), "since": "2026-01-02T03:04:05+00:00"}, file)
file.flush()
print("held", flush=True)
sys.stdin.read()
"""
TRY = """\
import fcntl, sys
try:
    fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("locked")
"""


@contextmanager
def holder(path: Path, host: str = "") -> Iterator["subprocess.Popen[str]"]:
    """A process that holds a lock file until its standard input is closed."""
    words = [sys.executable, "-c", HOLD, str(path), host or os.uname().nodename]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, text=True, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def is_locked(path: Path) -> bool:
    """Whether another process finds a file locked."""
    done = subprocess.run(
        [sys.executable, "-c", TRY, str(path)], capture_output=True, text=True, check=True
    )
    return done.stdout == "locked\n"

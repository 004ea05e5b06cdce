"""Atomic replacement of files, folders, names for files that are set aside, content hashes."""

import hashlib
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from landscape.errors import InputError, SaveError
from landscape.runtime.interrupts import interrupts_held
from landscape.runtime.processes import is_running

# What :func:`replacing` calls a file that is being written.
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<pid>[1-9][0-9]*)-[0-9a-f]{8}\.part", re.DOTALL)
# This process has written nothing before.
_STARTED = time.time()


def make_directory(path: Path) -> Path:
    """Create a folder and its parents, and return it.

    Raises:
        InputError: the folder can't be written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise InputError(
            f"cannot write to {path}: {error.strerror or error}; "
            "choose another --output-dir or change its permissions"
        ) from error
    return path


@contextmanager
def unused_directories_removed(path: Path) -> Iterator[None]:
    """If the block raises, remove empty folders at, above and below ``path`` that it created."""
    before = {path, *path.parents} | set(path.rglob("*") if path.is_dir() else ())
    before = {directory for directory in before if directory.is_dir()}
    try:
        yield
    except BaseException:
        below = sorted(path.rglob("*"), reverse=True) if path.is_dir() else []
        for directory in (*below, path, *path.parents):
            if directory not in before:
                with suppress(OSError):  # it is not empty, or another process has removed it
                    directory.rmdir()
        raise


@contextmanager
def replacing(path: Path, advice: str = "run the same command again") -> Iterator[Path]:
    """Yield a temporary path that replaces ``path`` when the block succeeds.

    A reader sees the old file or the new one, never a part: the temporary file is flushed to disk
    and then renamed. If the block raises, it is removed and ``path`` is not changed. Ctrl-C waits
    until the block ends, so that it finds no open file.

    Args:
        path: of the file.
        advice: what to do after there is room again, for the message.

    Raises:
        SaveError: The block or the renaming raised OSError, as on a full disk.
    """
    # A hidden name that no other process uses, and that does not look like a finished file.
    temporary = path.parent / f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part"
    with interrupts_held():
        try:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
        except OSError as error:
            kept = "the one that was there is intact; " if path.exists() else ""
            reason = error.strerror or error
            raise SaveError(
                f"{path} can't be written: {reason}; {kept}make room, then {advice}"
            ) from error
        finally:
            temporary.unlink(missing_ok=True)


def sweep(path: Path) -> None:
    """Remove the temporary files that killed writes of ``path`` left, as :func:`sweep_folder`."""
    sweep_folder(path.parent, lambda name: name == path.name)


def sweep_folder(folder: Path, belongs: Callable[[str], object]) -> None:
    """Remove the temporary files that killed processes left behind in a folder.

    Only files that :func:`replacing` has named are removed, and only if no process of that number
    runs on this machine. A process on another machine, whose numbers mean nothing here, has to be
    kept out: call this under the lock (:mod:`landscape.results.lock`) that all writers take.

    Args:
        folder: Where to look; it need not be there.
        belongs: Whether the leftovers of a file with this name are to be removed.
    """
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _TEMPORARY.fullmatch(path.name)
        if match and belongs(match["name"]) and _is_left_behind(path, int(match["pid"])):
            path.unlink(missing_ok=True)


def _is_left_behind(temporary: Path, pid: int) -> bool:
    """Whether the process that has written a temporary file is not alive any more."""
    if pid != os.getpid():
        return not is_running(pid)
    # In containers, the first process of one has the number of the first of another.
    try:
        return temporary.stat().st_mtime < _STARTED
    except FileNotFoundError:
        return False


def put_aside(path: Path) -> Path:
    """Rename ``name.suffix`` to ``name.1.suffix``, or the next free number; return the new path."""
    name, dot, suffixes = path.name.partition(".")
    number = 1
    while (aside := path.with_name(f"{name}.{number}{dot}{suffixes}")).exists():
        number += 1
    return path.rename(aside)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

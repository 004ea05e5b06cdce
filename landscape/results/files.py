"""Atomic replacement of files, folders, names for files that are set aside, content hashes."""

import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from landscape.errors import InputError, SaveError
from landscape.runtime.interrupts import interrupts_held


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
            if directory.is_dir() and directory not in before and not any(directory.iterdir()):
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
    """Remove the temporary files of killed writes of ``path``. Call only from the sole writer."""
    for leftover in path.parent.glob(f".{path.name}.*"):
        leftover.unlink(missing_ok=True)


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

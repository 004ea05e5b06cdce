"""Files that are either whole or not there: atomic replacement and content hashes."""

import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from landscape.errors import InputError


def make_directory(path: Path) -> Path:
    """Create ``path`` and its parents; InputError if it can't be written to."""
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
    """If the block raises, remove directories at, above and below ``path`` that it left empty.

    Only those that were not there before are removed.
    """
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
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block succeeds.

    A reader sees the old file or the new one, never a part: the temporary file is flushed to disk
    and then renamed. If the block raises, the temporary file goes and ``path`` is untouched.
    """
    # A hidden name that no other process uses, and that is nobody's idea of a finished file.
    temporary = path.parent / f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part"
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sweep(path: Path) -> None:
    """Remove what killed writes of ``path`` left. Only for who alone writes it."""
    for leftover in path.parent.glob(f".{path.name}.*"):
        leftover.unlink(missing_ok=True)


def put_aside(path: Path) -> Path:
    """Rename ``name.suffix`` to ``name.1.suffix``, or the next number that is free."""
    name, dot, suffixes = path.name.partition(".")
    number = 1
    while (aside := path.with_name(f"{name}.{number}{dot}{suffixes}")).exists():
        number += 1
    return path.rename(aside)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

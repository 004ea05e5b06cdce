"""Reading small files of text that a person, a crash or a bad disk may have changed."""

import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from landscape.errors import InputError

COPY_AGAIN = "restore it from a copy"


def read_text(file: Path, most_bytes: int) -> str:
    """The text of a regular file of limited size.

    Nothing else is waited for or read: a named pipe has no end, and a device no size.

    Args:
        file: The file.
        most_bytes: The size up to which a file of its kind is sensible.

    Raises:
        FileNotFoundError: It is not there.
        InputError: It is no regular file, too large, or no text in UTF-8.
    """
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(f"{file} can't be read: {error.strerror or error}") from error
    try:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            kind = "a folder" if stat.S_ISDIR(state.st_mode) else "no regular file"
            raise InputError(f"{file} is {kind}, expected a file of text; {COPY_AGAIN}")
        if state.st_size > most_bytes:
            raise InputError(
                f"{file} has {state.st_size:,} bytes, expected at most {most_bytes:,}; {COPY_AGAIN}"
            )
        with os.fdopen(os.dup(handle), "rb") as stream:
            content = stream.read(most_bytes)
    finally:
        os.close(handle)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{file} is damaged: its byte {error.start:,} is no text in UTF-8; {COPY_AGAIN}"
        ) from error


def read_json_object(file: Path, most_bytes: int, *, unique_keys: bool = True) -> dict[str, Any]:
    """The object that a JSON file holds.

    Args:
        file: The file.
        most_bytes: As for :func:`read_text`.
        unique_keys: Refuse a key that is there twice, of which only one can be meant.

    Raises:
        FileNotFoundError: It is not there.
        InputError: It can't be read, or holds something else.
    """
    return json_object(read_text(file, most_bytes), str(file), unique_keys=unique_keys)


def json_object(text: str, place: str, *, unique_keys: bool = True) -> dict[str, Any]:
    """The object that a text in JSON stands for.

    Args:
        text: JSON.
        place: Where it is from, for messages.
        unique_keys: As for :func:`read_json_object`.

    Raises:
        InputError: It is something else.
    """
    pairs = _unique if unique_keys else None
    try:
        content = json.loads(text, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:  # ValueError also for a number of 5,000 digits
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError(f"{place} is damaged: {reason}; {COPY_AGAIN}") from error
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise InputError(f"{place} is damaged: expected an object, got {kind}; {COPY_AGAIN}")
    return content


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"the key {ascii(key[:40])} is there twice")
        content[key] = value
    return content

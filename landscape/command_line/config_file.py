"""``--config FILE``: settings out of a file, as if they stood on the command line.

Keys are the names of flags, values go through the parsers of the flags, and flags of the command
line win. A file may come from anybody, so that it names no code and no path (see ``allowed``).
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from landscape.command_line.allowed import refuse_unnamed
from landscape.command_line.content import KINDS, read_settings_file
from landscape.command_line.flags import given_on, long_flag, settings_of, subparsers_of
from landscape.command_line.saved import refuse_numbers_of_several, saved_settings
from landscape.errors import InputError
from landscape.runtime.plain.values import describe

# What is said of values that a type makes no number of, by its name.
_NUMBERS = {"int": "a whole number", "whole_number": "a whole number", "float": "a number"}


def with_config_file(
    parser: argparse.ArgumentParser,
    words: Sequence[str],
    filled: Mapping[str, Collection[str]] | None = None,
) -> list[str]:
    """The words of a command line, with those that the file of ``--config`` stands for.

    Args:
        parser: of the command.
        words: of the command line.
        filled: by subcommand, the settings that the command fills in itself, which a saved result
            has and no file repeats.

    Returns:
        The words without ``--config``, and the file's settings as flags before the user's own.

    Raises:
        InputError: the file can't be read, has an unknown key or a wrong value, or names what the
            command line has to name.
    """
    name, rest = _without_config(words)
    commands = subparsers_of(parser)
    command = next((word for word in rest if word in commands), "")
    if name is None or (commands and not command):
        return rest  # of which the parser says what is missing
    chosen = commands.get(command, parser)
    known, given = settings_of(chosen), given_on(rest, chosen)
    file = Path(name)
    content = read_settings_file(file)
    settings = saved_settings(content, file, command)
    if settings is None:
        refuse_numbers_of_several(content, file, commands)
        settings = _by_flag(content, known, file)
    else:  # what another version or another analysis has besides
        left_out = (filled or {}).get(command, ())
        settings = {
            key: value for key, value in settings.items() if key in known and key not in left_out
        }
    settings = {key: value for key, value in settings.items() if key not in given}
    # Checked before anything is made of them: a parser may open what it is given.
    if not _is_trusted(rest):
        refuse_unnamed(settings, known, given, file)
    added = [
        word
        for key, value in settings.items()
        for word in _words(known[key], value, f"{file}: {key}")
    ]
    place = rest.index(command) + 1 if command else 0
    return [*rest[:place], *added, *rest[place:]]


def _without_config(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """The value of --config, if it is given, and the other words."""
    names: list[str] = []
    rest: list[str] = []
    left = iter(words)
    for word in left:
        if word == "--":
            rest += [word, *left]
        elif word == "--config":
            names.append(next(left, ""))
        elif word.startswith("--config="):
            names.append(word.partition("=")[2])
        else:
            rest.append(word)
    if len(names) > 1:
        raise InputError(f"--config is given {len(names)} times; put the settings into one file")
    if names == [""]:
        raise InputError(f"--config expects a {KINDS}")
    return (names[0] if names else None), rest


def _is_trusted(words: Sequence[str]) -> bool:
    before = words[: words.index("--")] if "--" in words else words
    return "--trust" in before


def _by_flag(
    content: Mapping[str, Any], known: Mapping[str, argparse.Action], file: Path
) -> dict[str, Any]:
    """The settings of a file by the names of their values; refuses keys that are no flag."""
    settings: dict[str, Any] = {}
    for written, value in content.items():
        key = written.replace("-", "_")
        if key == "trust":
            raise InputError(
                f"{file} has the key trust, which a file can't say of itself: pass --trust"
            )
        if key not in known:
            near = get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else "keys are flags without their dashes"
            raise InputError(f"{file} has the unknown key {ascii(written[:60])}; {hint}")
        if key in settings:
            raise InputError(f"{file} has the key {key} twice, with - and with _")
        settings[key] = value
    return settings


def _words(action: argparse.Action, value: Any, place: str) -> list[str]:
    """A setting as words of a command line.

    Raises:
        InputError: the flag does not take such a value.
    """
    flag = long_flag(action.dest)
    if value in (None, [], {}):
        return []  # the default
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise InputError(f"{place} has to be true or false, got {describe(value)}")
        opposite = flag.replace("--", "--no-", 1)
        if not value:
            return [opposite] if opposite in action.option_strings else []
        return [flag]
    texts = _texts(value, place)
    if action.nargs is None:
        texts = [",".join(texts)]
    for text in texts:
        _check(action, text, place, value if action.nargs is None else text)
    return [f"{flag}={texts[0]}"] if action.nargs is None else [flag, *texts]


def _texts(value: Any, place: str) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{key}={','.join(_texts(item, place))}" for key, item in value.items()]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item, place)]
    if value is None:
        raise InputError(f"{place} has null in a list, expected values")
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def _check(action: argparse.Action, text: str, place: str, value: Any) -> None:
    """Raise InputError for a text that is no value of a flag, or would be another word.

    Args:
        action: the flag.
        text: of the value or of a part of it, as on a command line.
        place: the file and the key.
        value: what the file has.
    """
    if action.nargs is not None and text.startswith("-") and not _is_number(text):
        raise InputError(f"{place} can't be {describe(text)}, which starts with a dash")
    read: Any = text
    if callable(action.type):
        try:
            read = action.type(text)
        except (ValueError, TypeError, argparse.ArgumentTypeError, InputError) as error:
            expected = _NUMBERS.get(getattr(action.type, "__name__", ""))
            if expected and not isinstance(error, InputError | argparse.ArgumentTypeError):
                raise InputError(f"{place} has to be {expected}, got {describe(value)}") from error
            reason = str(error) or "no such value"
            raise InputError(f"{place} can't be {describe(text)}: {reason}") from error
    if action.choices is not None and read not in action.choices:
        words = ", ".join(map(str, action.choices))
        raise InputError(f"{place} has to be one of {words}, got {describe(text)}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

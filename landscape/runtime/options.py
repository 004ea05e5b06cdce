"""Settings as frozen dataclasses whose fields are also command-line flags.

A field made by :func:`option` carries its help text and parser. :func:`add_options` turns the
fields of a dataclass into flags, :func:`read_options` turns parsed flags back into the dataclass,
and :func:`to_plain` and :func:`from_plain` convert it to JSON types and back.
"""

import argparse
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from landscape.errors import InputError
from landscape.runtime.plain.fields import field_types
from landscape.runtime.plain.values import describe, is_plain_type, of_type

Settings = TypeVar("Settings")

# Whole numbers have 64 bits, as torch's and numpy's have; the square of a real one has to fit into
# single precision.
LARGEST_WHOLE = 2**63 - 1
LARGEST_REAL = 1e19


def option(
    default: Any,
    help: str,
    *,
    parse: Callable[[str], Any] | None = None,
    choices: Sequence[str] | None = None,
    metavar: str | tuple[str, ...] | None = None,
    short: str | None = None,
    nargs: str | int | None = None,
    stored: bool = True,
) -> Any:
    """A dataclass field that is also the flag ``--field-name``.

    A bool becomes ``--flag`` and ``--no-flag``.

    Args:
        default: The value of the field if the flag is not given.
        help: The flag's line in ``--help``.
        parse: Turns the flag's text into a value; may raise ValueError or InputError. By default
            the type of ``default``.
        choices: The words that the flag accepts.
        metavar: What ``--help`` calls the value.
        short: A short form such as ``-b``.
        nargs: How many values the flag takes, as argparse has it.
        stored: Whether :func:`to_plain` has the field; False for a short form of other fields.
    """
    metadata = {
        "help": help,
        "parse": parse or (str if default is None else type(default)),
        "choices": choices,
        "metavar": metavar,
        "short": short,
        "nargs": nargs,
        "stored": stored,
    }
    return dataclasses.field(default=default, metadata=metadata)


def add_options(
    parser: argparse._ActionsContainer, settings: type[Any], skip: set[str] | None = None
) -> None:
    """Add a flag to ``parser`` for every field of ``settings`` made by :func:`option`.

    A flag that is not given leaves no attribute in the namespace, so that callers can tell a
    choice from a default.

    Args:
        parser: The parser, or a group of one.
        settings: A dataclass.
        skip: Names of fields that have a flag already, because several settings share them; the
            new ones are added to it.
    """
    for field in dataclasses.fields(settings):
        if "help" not in field.metadata or (skip is not None and field.name in skip):
            continue
        if skip is not None:
            skip.add(field.name)
        flags = ["--" + field.name.replace("_", "-")]
        if field.metadata["short"]:
            flags.insert(0, field.metadata["short"])
        shown = "" if field.default in (None, "", ()) else f" (default: {_text(field.default)})"
        keywords: dict[str, Any] = {
            "dest": field.name,
            "default": argparse.SUPPRESS,
            "help": (field.metadata["help"] + shown).replace("%", "%%"),
        }
        if isinstance(field.default, bool):
            parser.add_argument(*flags, action=argparse.BooleanOptionalAction, **keywords)
            continue
        for name in ("choices", "metavar", "nargs"):
            if field.metadata[name] is not None:
                keywords[name] = field.metadata[name]
        parser.add_argument(*flags, type=argument_type(field.metadata["parse"]), **keywords)


def read_options(namespace: argparse.Namespace, settings: type[Settings]) -> Settings:
    """Build ``settings`` from the flags that were given; the rest keep their defaults.

    Raises:
        InputError: A number is too large, or what the settings themselves refuse.
    """
    read = settings(**given_options(namespace, settings))
    check_numbers(read)  # of settings that don't do so themselves
    return read


def given_options(namespace: argparse.Namespace, settings: type[Any]) -> dict[str, Any]:
    """The values of the fields of ``settings`` whose flags were given, by name."""
    given = vars(namespace)
    names = [field.name for field in dataclasses.fields(settings)]
    return {
        name: tuple(given[name]) if isinstance(given[name], list) else given[name]
        for name in names
        if name in given
    }


def refuse_negative(settings: Any, *names: str) -> None:
    """Raise InputError if one of these fields is negative, infinite or nan; None passes."""
    for name in names:
        value = getattr(settings, name)
        if value is not None and not 0 <= value < math.inf:
            raise InputError(f"--{name.replace('_', '-')} can't be negative, got {value}")


def check_numbers(settings: Any) -> None:
    """Check that every number in a dataclass of settings is finite and can be computed with.

    Raises:
        InputError: A whole number has more than 64 bits, or a real one is infinite, nan or too
            large for its square to fit into single precision.
    """
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        for number in value if isinstance(value, tuple | list) else (value,):
            flag = f"--{field.name.replace('_', '-')}"
            if isinstance(number, int) and abs(number) > LARGEST_WHOLE:
                raise InputError(f"{flag} has to be at most {LARGEST_WHOLE} in size, got {number}")
            if isinstance(number, float) and not abs(number) <= LARGEST_REAL:
                raise InputError(
                    f"{flag} has to be a finite number of at most {LARGEST_REAL:g} in size, "
                    f"got {number}"
                )


def whole_number(text: str) -> int:
    """Read an integer of at most 64 bits, for flags that are no field of settings."""
    number = int(text)
    if abs(number) > LARGEST_WHOLE:
        raise InputError(f"expected a number of at most {LARGEST_WHOLE} in size, got {text}")
    return number


def folder_path(text: str) -> Path:
    """Read the path of a folder, which may not be empty: that would be the current folder."""
    if not text:
        raise InputError("expected a folder, got an empty name; pass . for the current folder")
    return Path(text)


def to_plain(settings: Any) -> dict[str, Any]:
    """Convert settings to JSON types; values of other types are converted by ``str``."""
    plain: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        if not field.metadata.get("stored", True):
            continue
        value = getattr(settings, field.name)
        if isinstance(value, tuple | list):
            plain[field.name] = list(value)
        elif isinstance(value, Mapping):
            plain[field.name] = dict(value)
        elif value is None or isinstance(value, bool | int | float | str):
            plain[field.name] = value
        else:
            plain[field.name] = str(value)
    return plain


def from_plain(settings: type[Settings], plain: Mapping[str, Any], name: str = "") -> Settings:
    """Make ``settings`` from JSON types: the inverse of :func:`to_plain`.

    Args:
        settings: A dataclass.
        plain: Its fields by name; others are ignored, and those that it lacks have their defaults.
        name: What ``plain`` is called in messages.

    Raises:
        InputError: A value is of another type than its field, or none of its choices.
    """
    values = types_checked(settings, plain, name)
    _check_choices(settings, values, f"{name}." if name else "")
    return settings(**values)


def check_choices(settings: Any) -> None:
    """Raise InputError if a field of a dataclass of settings is none of its choices."""
    _check_choices(type(settings), vars(settings), "")


def _check_choices(settings: type[Any], values: Mapping[str, Any], prefix: str) -> None:
    for field in dataclasses.fields(settings):
        choices = field.metadata.get("choices") or ()
        for word in _words(values.get(field.name)) if choices else ():
            if word not in choices:
                expected = ", ".join(choices)
                raise InputError(
                    f"{prefix}{field.name} has to be one of {expected}, got {describe(word)}"
                )


def types_checked(settings: type[Any], plain: Mapping[str, Any], name: str = "") -> dict[str, Any]:
    """The fields of ``settings`` that are in ``plain``, each of the type that it is declared as.

    Args:
        settings: A dataclass.
        plain: As for :func:`from_plain`.
        name: Likewise.

    Raises:
        InputError: A value is of another type.
    """
    declared = field_types(settings)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        if field.name not in plain:
            continue
        value, wanted = plain[field.name], declared[field.name]
        place = f"{name}.{field.name}" if name else field.name
        if isinstance(value, str) and "parse" in field.metadata and not is_plain_type(wanted):
            try:
                values[field.name] = field.metadata["parse"](value)
            except (ValueError, InputError) as error:
                raise InputError(f"{place} is wrong: {error}") from error
        else:
            values[field.name] = of_type(value, wanted, place)
    return values


def _words(value: Any) -> tuple[Any, ...]:
    """The words of a choice: one, several, or none where it is left open."""
    if isinstance(value, tuple | list):
        return tuple(value)
    return () if value is None else (value,)


def key_value(text: str) -> tuple[str, Any]:
    """Read ``KEY=VALUE``, in which VALUE is an int, a float, true, false, text, or a comma list."""
    key, separator, value = text.partition("=")
    if not separator or not key.isidentifier():
        raise InputError(f"expected KEY=VALUE, got {text!r}")
    items = [_value(item) for item in value.split(",")]
    return key, items[0] if len(items) == 1 else items


def _value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if isinstance(number, int) and abs(number) > LARGEST_WHOLE:
            raise InputError(f"expected a number of at most {LARGEST_WHOLE} in size, got {text}")
        return number
    return text


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def argument_type(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Make an argparse type of ``parse``, so that argparse shows the text of its InputErrors."""

    def convert(text: str) -> Any:
        try:
            return parse(text)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    convert.__name__ = getattr(parse, "__name__", "value")
    return convert

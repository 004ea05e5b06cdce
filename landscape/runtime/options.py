"""Settings as frozen dataclasses that also know how to be command-line flags.

A field made by :func:`option` carries its help text and parser. :func:`add_options` turns the
fields of a dataclass into flags, :func:`read_options` turns parsed flags back into the dataclass,
and :func:`to_plain` and :func:`from_plain` carry it to JSON and back.
"""

import argparse
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from landscape.errors import InputError

Settings = TypeVar("Settings")


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

    ``parse`` reads the flag's text and may raise ValueError; without it the type of ``default``
    does. A bool becomes ``--flag`` and ``--no-flag``.
    """
    metadata = {
        "help": help,
        "parse": parse or (str if default is None else type(default)),
        "choices": choices,
        "metavar": metavar,
        "short": short,
        "nargs": nargs,
        "stored": stored,  # whether to_plain has it; False for a short form of other fields
    }
    return dataclasses.field(default=default, metadata=metadata)


def add_options(
    parser: argparse._ActionsContainer, settings: type[Any], skip: set[str] | None = None
) -> None:
    """Add a flag to ``parser`` for every field of ``settings`` made by :func:`option`.

    A flag that is not given leaves no trace in the namespace, so that callers can tell a choice
    from a default. ``skip`` names the fields that several settings share and that have a flag
    already; the new ones are added to it.
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
    """Build ``settings`` from the flags that were given; the rest keep their defaults."""
    return settings(**given_options(namespace, settings))


def given_options(namespace: argparse.Namespace, settings: type[Any]) -> dict[str, Any]:
    """The fields of ``settings`` whose flags were given, by name."""
    given = vars(namespace)
    names = [field.name for field in dataclasses.fields(settings)]
    return {
        name: tuple(given[name]) if isinstance(given[name], list) else given[name]
        for name in names
        if name in given
    }


def refuse_negative(settings: Any, *names: str) -> None:
    """InputError if one of these fields is below 0 or infinite; None is none."""
    for name in names:
        value = getattr(settings, name)
        if value is not None and not 0 <= value < math.inf:
            raise InputError(f"--{name.replace('_', '-')} can't be negative, got {value}")


def to_plain(settings: Any) -> dict[str, Any]:
    """The settings as JSON types; a value with a textual form of its own is written as text."""
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


def from_plain(settings: type[Settings], plain: Mapping[str, Any]) -> Settings:
    """The inverse of :func:`to_plain`."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(settings):  # type: ignore[arg-type]
        if field.name not in plain:
            continue
        value = plain[field.name]
        if isinstance(value, list):
            value = tuple(value)
        elif isinstance(value, str) and "parse" in field.metadata:
            value = field.metadata["parse"](value)
        values[field.name] = value
    return settings(**values)


def key_value(text: str) -> tuple[str, Any]:
    """Read ``KEY=VALUE``; a value is an int, float, true/false, comma list or text."""
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
            return kind(text)
        except ValueError:
            continue
    return text


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def argument_type(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """``parse`` as an argparse type, whose InputErrors argparse then shows as they are."""

    def convert(text: str) -> Any:
        try:
            return parse(text)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    convert.__name__ = getattr(parse, "__name__", "value")
    return convert

"""What a file of settings may not decide, because it may come from anybody.

As with a run's config.json (``landscape.checkpoints.remembered``), a file imports no code, reaches
no network and opens or writes no file that the command line does not name.
"""

import argparse
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from landscape.command_line.flags import long_flag, takes_path
from landscape.errors import InputError
from landscape.models.stored_names import effect_of_name, printable, refuse_arguments
from landscape.runtime.options import key_value
from landscape.runtime.user_files import is_user_function

# What a flag takes in place of a path, such as random,gradient.
_WORDS = re.compile(r"[A-Za-z0-9_,-]*")


def refuse_unnamed(
    settings: Mapping[str, Any],
    flags: Mapping[str, argparse.Action],
    given: Mapping[str, str],
    file: Path,
) -> None:
    """Check that settings of a file do nothing that the command line does not name.

    Args:
        settings: of the file, without those that the command line gives, too.
        flags: of the command, by the names of their values.
        given: what the command line gives, by the names of flags.
        file: for messages.

    Raises:
        InputError: they would run code, reach a network, or open or overwrite a file.
    """
    for key, value in settings.items():
        for text in _texts(value):
            effect = _effect(key, text, flags[key], str(given.get("data", settings.get("data"))))
            if effect:
                raise InputError(
                    f"{file} has {key}: {printable(text)}, which would {effect}; if you know it, "
                    f"pass {long_flag(key)} {printable(text)}, or --trust to allow all that the "
                    "file names"
                )
    if settings.get("force"):
        raise InputError(
            f"{file} has force, which would overwrite files; pass --force, or --trust to allow all "
            "that the file names"
        )
    _check_arguments(settings, given, file)


def _effect(key: str, text: str, flag: argparse.Action, data: str) -> str:
    """What a text out of a file would do as the value of a flag; "" for nothing."""
    for word in (*text.split(","), text):
        if is_user_function(word):
            return f"run the code in {printable(word.rpartition(':')[0])}"
    if key == "model":
        return effect_of_name(text)
    if key == "data_dir":  # pictures are decoded and nothing else
        return "be given to the code of --data" if text and is_user_function(data) else ""
    if key == "output_dir":
        path = PurePath(text)
        is_below = not path.is_absolute() and ".." not in path.parts
        return "" if is_below else "write outside of the current folder"
    metavar = str(flag.metavar)
    if "REGEX" in metavar:
        return "be matched for as long as its author likes"
    if not takes_path(flag) or not text:
        return ""
    # Some flags take words, too; all others take paths alone.
    takes_words = metavar.startswith(("KIND|", "NAME|", "NAME="))
    return "" if takes_words and _WORDS.fullmatch(text) else f"open the file {printable(text)}"


def _check_arguments(settings: Mapping[str, Any], given: Mapping[str, str], file: Path) -> None:
    """Check arguments of the model, of which some open a file or reach a network."""
    value = settings.get("model_args")
    if not value:
        return
    if isinstance(value, Mapping):
        arguments = dict(value)
    else:
        words = value if isinstance(value, list) else [value]
        try:
            arguments = dict(key_value(str(word)) for word in words)
        except InputError as error:
            raise InputError(f"{file}: model_args: {error}") from error
    model = given.get("model") or settings.get("model")
    if not isinstance(model, str):
        raise InputError(f"{file} has model_args without a model; name it, or pass --model")
    refuse_arguments(model, arguments, file)


def _texts(value: Any) -> Iterator[str]:
    """Every text within a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)

"""The model and the data that a run's config.json names, as far as a file may decide them.

A run directory may come from anybody. What is in its config.json never makes the program import
code, reach a network or open a file, unless the user says so: by ``--trust``, or by the same name
on the command line. The exception is ``data_dir`` of data that are plain pictures.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from landscape.data.settings import DataSettings
from landscape.errors import InputError
from landscape.models.catalog import ModelSpec
from landscape.models.stored_names import effect_of_name, printable, refuse_arguments
from landscape.runtime.options import from_plain
from landscape.runtime.user_files import absolute_name, is_user_function


def remembered_model(
    config: Mapping[str, Any],
    file: Path,
    model: str | None = None,
    model_args: Mapping[str, Any] | None = None,
    *,
    trust: bool = False,
) -> ModelSpec:
    """The model that a run was trained with.

    Args:
        config: The content of config.json.
        file: Its path, for messages.
        model: What the user named with ``--model``, if anything: the same name allows what making
            that model does.
        model_args: What the user gave with ``--model-args``, which wins and is not checked.
        trust: Allow whatever the file says.

    Returns:
        The name as the file has it, with all arguments.

    Raises:
        InputError: Making the model would run code, open a file or reach a network, or an argument
            is not known to be harmless.
    """
    name, given = config["model"]["name"], dict(model_args or {})
    saved: Mapping[str, Any] = config["model"]["arguments"]
    if not isinstance(name, str):
        raise InputError(f"{file} does not name its model: expected a text, got {name!r:.60}")
    if not trust:
        effect = effect_of_name(name)
        if effect and not names_the_same(model, name):
            raise InputError(
                f"{file} names the model {printable(name)}, which would {effect}; if you know it, "
                f"pass --model {printable(name)}, or --trust to allow all that the file names"
            )
        unnamed = {key: value for key, value in saved.items() if key not in given}
        refuse_arguments(name, unnamed, file)
    return ModelSpec(name, {**saved, **given})


def remembered_data(
    config: Mapping[str, Any], file: Path, flags: Mapping[str, Any], *, trust: bool = False
) -> DataSettings:
    """The data that a run was trained with.

    A folder of pictures that the file names is read without asking: every use of a run on the
    machine where it was trained does so, pictures are decoded and never executed, CIFAR's pickles
    are read by a reader that knows bytes and lists alone, and what is no regular file, such as a
    pipe, is not opened. A function of the user's own may do anything with a folder, so that for it
    the folder has to be named on the command line, too.

    Args:
        config: The content of config.json.
        file: Its path, for messages.
        flags: The data settings that were given as flags, by name, which win.
        trust: Allow whatever the file says.

    Raises:
        InputError: Reading the data would run code that the user did not name, or give it a folder
            that the user did not name.
    """
    data = from_plain(DataSettings, config["data"])
    if is_user_function(data.data) and not trust:
        code = f"the data {printable(data.data)}"
        if not names_the_same(flags.get("data"), data.data):
            raise InputError(
                f"{file} names {code}, which would {effect_of_name(data.data)}; if you know it, "
                f"pass --data {printable(data.data)}, or --trust to allow all that the file names"
            )
        if data.data_dir and "data_dir" not in flags:
            folder = printable(data.data_dir)
            raise InputError(
                f"{file} gives {code} the folder {folder} to open; if you know it, pass --data-dir "
                f"{folder}, or --trust to allow all that the file names"
            )
    return replace(data, **{**flags, "data": data.data})


def is_of_run(flags: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether the data that flags ask for are the run's: none are named, or the same function.

    Data of another name have settings of their own, which the flags say in full.
    """
    if "data" not in flags:
        return True
    given = flags["data"]
    return is_user_function(given) and names_the_same(given, config["data"].get("data"))


def names_the_same(given: str | None, stored: object) -> bool:
    """Whether the user gave the name that a file has; FILE.py:FUNCTION by its absolute path."""
    if given is None or not isinstance(stored, str):
        return False
    return absolute_name(given) == absolute_name(stored)

"""Files of settings: TOML, YAML, JSON or a result, read as data and nothing else."""

import tomllib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from landscape.errors import InputError
from landscape.results.hdf5.read import read_outline
from landscape.runtime.plain.files import json_object, read_json_object, read_text
from landscape.runtime.plain.values import check_bounds, describe

MOST_BYTES = 4 * 1024**2
INSTALL = "pip install 'loss-landscape-toolkit[yaml]'"
KINDS = ".toml, .yaml or .json file, or a result (.h5)"
_YAML = (".yaml", ".yml")
# What a result says of itself that settings are made of, as JSON.
_OF_RESULT = ("settings", "provenance")


def read_settings_file(file: Path) -> dict[str, Any]:
    """The content of a file of settings, of JSON types.

    Args:
        file: its ending says what it is: .toml, .yaml, .yml, .json or .h5.

    Raises:
        InputError: it is not there, can't be read, or holds something that no setting is.
    """
    kind = file.suffix.lower()
    if kind not in (".toml", ".json", ".h5", *_YAML):
        raise InputError(f"--config expects a {KINDS}, got {file}")
    try:
        if kind == ".json":
            content: Any = read_json_object(file, MOST_BYTES)
        elif kind == ".h5":
            content = _result(file)
        else:
            text = read_text(file, MOST_BYTES)
            content = _toml(text, file) if kind == ".toml" else _yaml(text, file)
    except FileNotFoundError as error:
        raise InputError(f"no such file: {file}") from error
    if not isinstance(content, dict):
        raise InputError(f"{file} has to hold keys with values, got {type(content).__name__}")
    try:
        _check_types(content, "")
        check_bounds(content, "")
    except (InputError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError(f"{file} can't be used: {reason}") from error
    return content


def _result(file: Path) -> dict[str, Any]:
    """What the JSON of a result says of its settings and provenance, out of its arrays' file."""
    attributes = read_outline(file).attributes
    if not {"analysis", *_OF_RESULT} <= attributes.keys():
        raise InputError(f"{file} is no result of landscape-plot, and holds no settings")
    content: dict[str, Any] = {"analysis": str(attributes["analysis"])}
    for key in _OF_RESULT:
        text = str(attributes[key])
        if len(text) > MOST_BYTES:
            raise InputError(f"{file} has {len(text):,} signs of {key}, at most {MOST_BYTES:,}")
        content[key] = json_object(text, f"{file}: {key}")
    return content


def _toml(text: str, file: Path) -> Any:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is no TOML: {_one_line(error)}") from error


def _yaml(text: str, file: Path) -> Any:
    try:
        yaml: Any = import_module("yaml")
    except ImportError as error:
        raise InputError(
            f"{file} needs PyYAML ({INSTALL}); or write it as .toml or .json"
        ) from error

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """Plain values alone, each key once, and no aliases: a few of them make millions."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise ValueError("it has an alias (*NAME); write the value out")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            mapping = super().construct_mapping(node, deep)
            if len(mapping) < len(node.value):
                raise ValueError("a key is there twice")
            return mapping

    try:
        return yaml.load(text, Loader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{file} is no YAML of settings: {_one_line(error)}") from error


def _one_line(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return " ".join(str(error).split())


def _check_types(value: Any, name: str) -> None:
    """Raise InputError for a value that JSON does not have, such as a date."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InputError(f"the key {ascii(key)[:60]} has to be a text: put it in quotes")
            _check_types(item, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            _check_types(item, f"{name}.{place}")
    elif value is not None and not isinstance(value, bool | int | float | str):
        raise InputError(
            f"{name} is a {type(value).__name__}, {describe(str(value))}; put it in quotes"
        )

"""What this program has saved, as settings: a run's config.json and a result's JSON."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from landscape.checkpoints.run_files.config import read_config
from landscape.errors import InputError

# Under which a result's origin has the settings of the command that measured it.
COMMAND = "command"
# Of results without these, what the origin says by another name or the same.
_OF_ORIGIN = {
    "model": "model",
    "model_args": "model_args",
    "weights_key": "weights_key_given",
    "data": "data",
    "data_dir": "data_dir",
    "split": "split",
    "seed": "seed",
}


def saved_settings(content: Mapping[str, Any], file: Path, command: str) -> dict[str, Any] | None:
    """The settings that a saved file stands for, by the names of flags.

    Args:
        content: of the file.
        file: its path.
        command: the subcommand of landscape-plot; "" for landscape-train.

    Returns:
        The settings; None if the file was not saved by this program.

    Raises:
        InputError: the file is damaged, or of what the command does not do.
    """
    if isinstance(content.get("model"), Mapping) and "data" in content:
        return _of_run(read_config(file), is_training=not command)
    if {"analysis", "settings", "provenance"} <= content.keys():
        if not command:
            raise InputError(f"{file} is a result; landscape-train takes a run's config.json")
        return _of_result(content, file, command)
    return None


def refuse_numbers_of_several(
    content: Mapping[str, Any], file: Path, commands: Collection[str]
) -> None:
    """Check that a file is not the JSON of numbers side by side, which holds no settings.

    Args:
        content: of the file.
        file: its path.
        commands: the subcommands: such a file has the numbers of each label under the analysis.

    Raises:
        InputError: it is.
    """
    for key, numbers in content.items():
        labels = numbers.values() if isinstance(numbers, Mapping) else ()
        if key in commands and any(isinstance(of_label, Mapping) for of_label in labels):
            raise InputError(
                f"{file} holds the numbers of several results and no settings; pass the file of "
                f"one result, LABEL/{key}.json beside it"
            )


def _of_run(config: Mapping[str, Any], *, is_training: bool) -> dict[str, Any]:
    """Model and data of a run; to train once more, also how, without sizes that data have."""
    arguments = config["model"]["arguments"]
    if not is_training:
        return {"model": config["model"]["name"], "model_args": arguments, **config["data"]}
    facts = config.get("data_facts", {})
    kept = {key: value for key, value in arguments.items() if key not in facts}
    training = dict(config.get("training", {}))
    # What follows from other settings where it is left out.
    if not training.get("rho"):
        training.pop("sam_alpha", None)
    name = config.get("model_name", config["model"]["name"])
    return {"model": name, "model_args": kept, **config["data"], **training}


def _of_result(content: Mapping[str, Any], file: Path, command: str) -> dict[str, Any]:
    """Model, data and sample of a result, and what was asked of them if it is asked again."""
    settings, provenance = content["settings"], content["provenance"]
    origin = provenance.get("origin") if isinstance(provenance, Mapping) else None
    if not isinstance(settings, Mapping) or not isinstance(origin, Mapping):
        raise InputError(f"{file} is damaged: settings and provenance.origin have to be objects")
    asked = origin.get(COMMAND)
    if not isinstance(asked, Mapping):
        asked = {key: origin[name] for key, name in _OF_ORIGIN.items() if origin.get(name)}
        asked["samples"] = provenance.get("num_samples")
    is_same = command in (content["analysis"], "report")
    return {**(settings if is_same else {}), **asked}

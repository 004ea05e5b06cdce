"""config.json: the settings of a run, checked entry by entry when they are read."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from landscape.data.settings import DataSettings
from landscape.errors import InputError
from landscape.runtime.options import from_plain
from landscape.runtime.plain.files import read_json_object
from landscape.runtime.plain.values import check_bounds, describe, of_type

MOST_BYTES = 4 * 1024**2
ADVICE = "restore it from a copy, or train again"

# The entries that both landscape-train and a Tracker may write, with their types and the least and
# largest value of numbers. Sections of settings have their own types.
_ENTRIES: Mapping[str, Any] = {
    "model": dict,
    "model.name": str,
    "model.arguments": dict,
    "data": dict,
    "training": dict,
    "tracker": dict,
    "tracker.every": int,
    "tracker.unit": str,
    "tracker.rho": float,
    "tracker.probes": int,
    "tracker.seed": int,
    "tracker.sample_sha256": str,
    "model_name": str,
    "recipe": str,
    "recipe_source": str,
    "num_parameters": int,
    "data_facts": dict[str, Any],
    "data_facts.image_size": int,
    "data_facts.channels": int,
    "data_facts.num_classes": int,
    "processes": int,
    "samples_per_perturbation": int | None,
    "versions": dict,
    "git_commit": str | None,
    "created": str,
}
_RANGES: Mapping[str, tuple[float, float]] = {
    "tracker.every": (1, math.inf),
    "tracker.rho": (0, math.inf),
    "tracker.probes": (0, math.inf),
    "num_parameters": (0, math.inf),
    "data_facts.image_size": (1, 2**16),
    "data_facts.channels": (1, 2**16),
    "data_facts.num_classes": (1, 2**31),
    "processes": (1, 2**20),
    "samples_per_perturbation": (1, math.inf),
    "data.image_size": (0, 2**16),
    "data.crop": (0.001, 1),
}


def read_config(file: Path) -> dict[str, Any]:
    """The content of a run's config.json.

    Args:
        file: config.json.

    Returns:
        Its entries, of which ``model``, with name and arguments, and ``data`` are always there.
        Those that are not known are left as they are.

    Raises:
        FileNotFoundError: It is not there.
        InputError: It is damaged, or an entry is not of the type or size that it has to be.
    """
    config = read_json_object(file, MOST_BYTES)
    if not {"model", "data"} <= config.keys():
        raise InputError(f"{file} has no model and data entries; was it written by this tool?")
    with damage_told(file):
        _check(config)
    return config


@contextmanager
def damage_told(file: Path) -> Iterator[None]:
    """Tell of an InputError about an entry in which file it is, and what to do."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{file} is damaged: {error}; {ADVICE}") from error


def _check(config: Mapping[str, Any]) -> None:
    check_bounds(config, "")
    for name, wanted in _ENTRIES.items():
        section, _, key = name.rpartition(".")
        place = config.get(section, {}) if section else config
        if key in place:
            of_type(place[key], wanted, name)
    missing = [key for key in ("name", "arguments") if key not in config["model"]]
    if missing:
        raise InputError(f"model has no {' and no '.join(missing)}, so no network can be made")
    from_plain(DataSettings, config["data"], "data")
    for name, (least, largest) in _RANGES.items():
        section, _, key = name.rpartition(".")
        value = (config.get(section, {}) if section else config).get(key)
        if value is not None and not least <= value <= largest:
            bounds = f"at least {least:g}" + (
                f", at most {largest:g}" if largest < math.inf else ""
            )
            raise InputError(f"{name} has to be {bounds}, got {describe(value)}")

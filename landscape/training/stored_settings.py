"""The settings of a training as its config.json has them, for what is measured on its weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from landscape.checkpoints.run import CONFIG
from landscape.checkpoints.run_files.config import damage_told
from landscape.runtime.options import types_checked
from landscape.training.settings import TrainSettings


def stored_training(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The ``training`` entry of a config.json, each setting of the type that it is declared as.

    It may be of an earlier version, which had fewer settings, or of a Tracker, which knows some; so
    nothing is filled in, and what settings say together is not checked.

    Args:
        config: The content of config.json; another tool's log has none.
        folder: The run directory, for messages.

    Raises:
        InputError: A setting is of another type.
    """
    training: dict[str, Any] = dict(config.get("training", {}))
    with damage_told(folder / CONFIG):
        types_checked(TrainSettings, training, "training")
    return training

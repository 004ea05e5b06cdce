"""What a result says of where it is from: its checkpoint, its training, and the command."""

import argparse
import logging
import math
from typing import Any

from analyses.command.settings import MeasurementSettings
from landscape.checkpoints.load import Checkpoint
from landscape.checkpoints.run import LAST, RELEASED_WEIGHTS, RunDirectory, epochs_unit, run_of
from landscape.data.settings import DataSettings
from landscape.errors import InputError
from landscape.runtime.options import to_plain
from landscape.training.stored_settings import stored_training

LOGGER = logging.getLogger(__name__)


def command_settings(
    arguments: argparse.Namespace,
    data: DataSettings,
    measurement: MeasurementSettings,
    checkpoint: Checkpoint,
) -> dict[str, Any]:
    """What a command line has to say to measure the same again, by the names of flags.

    A model that is named nowhere came with its checkpoint. The device is that of the machine.
    """
    model: dict[str, Any] = {}
    if arguments.model:
        model = {"model": arguments.model, "model_args": dict(arguments.model_args)}
    elif checkpoint.config is not None:
        model = {"model": checkpoint.spec.name, "model_args": dict(checkpoint.spec.arguments)}
    measured = {key: value for key, value in to_plain(measurement).items() if key != "device"}
    return {**to_plain(data), **measured, **model, "weights_key": arguments.weights_key}


def model_facts(checkpoint: Checkpoint) -> dict[str, Any]:
    """Which weights of which network were measured."""
    return {
        "checkpoint": str(checkpoint.path),
        "checkpoint_sha256": checkpoint.sha256,
        "weights_key": checkpoint.weights_key,
        "weights_are_average": checkpoint.is_average,
        "model": checkpoint.spec.name,
        "model_args": {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in checkpoint.spec.arguments.items()
        },
    }


def _readable_metrics(run: RunDirectory) -> list[dict[str, float]]:
    """The rows of metrics.csv; none, with a message, if it is damaged.

    What is measured on the weights does not need them.
    """
    try:
        return run.read_metrics()
    except InputError as error:
        LOGGER.info(f"what the training reached is left out: {error}")
        return []


def training_facts(checkpoint: Checkpoint) -> dict[str, Any]:
    """How a run was trained and what it reached, if the checkpoint is the end of one."""
    if checkpoint.config is None:
        return {}
    facts: dict[str, Any] = {}
    run, file = run_of(checkpoint.path), checkpoint.path
    training = stored_training(checkpoint.config, run.path if run is not None else file.parent)
    rows = _readable_metrics(run) if run is not None else []
    if rows and file.name in (LAST, RELEASED_WEIGHTS):
        accuracy = rows[-1].get("val_accuracy", math.nan)
        if math.isfinite(accuracy):  # a Tracker may not know it
            facts["validation_accuracy"] = accuracy
        training["lr"] = rows[-1].get("lr", training.get("lr"))
    if file.stem.isdecimal():
        training["lr"] = {int(row["epoch"]): row.get("lr") for row in rows}.get(int(file.stem))
    facts["training"] = training
    facts["training_data"] = checkpoint.config.get("data", {})
    facts["samples_per_perturbation"] = checkpoint.config.get("samples_per_perturbation")
    facts["unit"] = epochs_unit(checkpoint.config)
    return facts

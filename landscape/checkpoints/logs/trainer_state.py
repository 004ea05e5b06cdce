"""The log of Hugging Face's Trainer: ``log_history`` in trainer_state.json."""

import math
from pathlib import Path
from typing import Any

from landscape.checkpoints.logs.columns import Columns, merge_rows
from landscape.errors import InputError
from landscape.models.pretrained_folder import read_json

TRAINER_STATE = "trainer_state.json"
_MOST_BYTES = 256 * 1024**2  # a long training logs many steps


def read_trainer_state(file: Path) -> Columns:
    """The columns of a log by step, with the fraction of epochs; nan where nothing was logged.

    Raises:
        InputError: It is damaged, or has no log.
    """
    history = read_json(file, _MOST_BYTES).get("log_history")
    if not isinstance(history, list):
        raise InputError(f"{file} is no state of a Trainer: it has no log_history")
    # The last entry of a finished training is a summary: its train_loss is that of all steps.
    entries = [
        entry for entry in history if isinstance(entry, dict) and "train_runtime" not in entry
    ]
    rows = [{name: _number(value) for name, value in entry.items()} for entry in entries]
    columns = merge_rows(rows, "step", means=False)
    if not columns:
        raise InputError(f"{file} has an empty log_history: nothing was logged")
    return columns if "epoch" in columns else {"epoch": columns["step"], **columns}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan

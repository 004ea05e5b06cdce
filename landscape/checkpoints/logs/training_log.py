"""Finding and reading the log of a training, whoever trained."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from landscape.checkpoints.epochs import order_epochs
from landscape.checkpoints.logs.columns import Columns, by_our_names
from landscape.checkpoints.logs.table import is_log, read_table
from landscape.checkpoints.logs.trainer_state import TRAINER_STATE, read_trainer_state
from landscape.checkpoints.run import METRICS, run_of
from landscape.errors import InputError

# The logs of timm, Lightning and Hugging Face, in the order in which they are looked for.
FOREIGN_LOGS = ("summary.csv", METRICS, TRAINER_STATE)


@dataclass(frozen=True)
class TrainingLog:
    """What was logged as a network was trained.

    Attributes:
        path: The run directory, or the file of another tool.
        columns: By name, of equal length, in the order of training. ``epoch`` is always there;
            nan is what was not logged.
        config: The content of config.json, of a run directory.
    """

    path: Path
    columns: Columns
    config: Mapping[str, Any] = field(default_factory=dict)

    def learning_rates(self, unit: str) -> dict[int, float]:
        """The learning rate by epoch, or by step for saved networks that are numbered so."""
        key = "step" if unit == "step" and "step" in self.columns else "epoch"
        if "lr" not in self.columns:
            return {}
        pairs = zip(self.columns[key], self.columns["lr"], strict=True)
        return {int(place): float(rate) for place, rate in pairs if not np.isnan(rate)}


def find_log(path: Path) -> TrainingLog | None:
    """Read the log of the training that a checkpoint is of.

    Args:
        path: A run directory, a checkpoint, the folder of one, or a log itself.

    Returns:
        The log; None where there is none, or where it is empty.

    Raises:
        InputError: The log is damaged.
    """
    run = run_of(path)
    if run is not None and run.exists():
        rows = run.read_metrics()
        columns = {name: np.array([row[name] for row in rows]) for name in rows[0]} if rows else {}
        return TrainingLog(run.path, columns, run.read_config()) if rows else None
    if path.is_file() and path.suffix in (".csv", ".json"):
        return _read(path)
    for folder in _places(path):
        for name in FOREIGN_LOGS:
            if (folder / name).is_file() and is_log(folder / name):
                return _read(folder / name)
    return None


def _read(file: Path) -> TrainingLog:
    read = read_trainer_state if file.suffix == ".json" else read_table
    return TrainingLog(file, by_our_names(read(file)))


def _places(path: Path) -> list[Path]:
    """The folders that the log of a checkpoint may be in."""
    if not path.exists():
        return []
    folder = path.absolute() if path.is_dir() else path.absolute().parent
    places = [folder]
    if path.is_dir():
        try:
            saved = order_epochs(list(path.glob("checkpoint-*")))
            places += [saved.members[-1].path] if saved.members else []
        except InputError:  # folders of other names beside them
            pass
    if folder.name == "checkpoints" or folder.name.startswith("checkpoint-"):
        places.append(folder.parent)
    return places

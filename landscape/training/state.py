"""The state of a training: what last.pt holds, and how a training resumes from it."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from landscape.checkpoints.run import LAST, RunDirectory
from landscape.training.ema import MovingAverage
from landscape.training.optimizer import match_layouts
from landscape.training.saved_state import check_optimizer, check_saved_state, fitting
from landscape.training.step import Stepper
from landscape.training.tasks.contrastive import Projected

Row = dict[str, float]


@dataclass
class Position:
    """How far a training is.

    Attributes:
        rows: The rows of metrics.csv of the finished epochs.
        records: The records of the steps of the current epoch, each of shape (4,).
        seconds: The time spent on these steps, also by processes that were stopped.
    """

    rows: list[Row] = field(default_factory=list)
    records: list[Tensor] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def epoch(self) -> int:
        """The number of finished epochs, and so the number, from 0, of the current one."""
        return len(self.rows)

    def finish_epoch(self, row: Row) -> None:
        """Go on to the next epoch."""
        self.rows.append(row)
        self.records.clear()
        self.seconds = 0.0


@dataclass
class TrainingState:
    """Everything that changes during a training.

    There is no random state: every random draw is a function of seed, epoch and step.
    """

    model: nn.Module
    stepper: Stepper
    average: MovingAverage | None
    position: Position = field(default_factory=Position)

    def content(self) -> dict[str, Any]:
        """The content of last.pt."""
        content: dict[str, Any] = {
            "model": self.model.state_dict(),
            "optimizer": self.stepper.optimizer.state_dict(),
            "epoch": self.position.epoch,
            "metrics": self.position.rows,
        }
        if self.position.records:
            content["records"] = torch.stack(self.position.records)
            content["seconds"] = self.position.seconds
        if self.average is not None:
            content["ema"] = self.average.state()
        if self.stepper.looksam is not None:
            content["looksam"] = self.stepper.looksam.direction
        if isinstance(self.stepper.model, Projected):
            content["projection"] = self.stepper.model.projection.state_dict()
        return content

    def load(self, run: RunDirectory) -> None:
        """Resume from last.pt, or from the start if the run has none yet.

        Raises:
            InputError: It is damaged, or not of this training.
        """
        file = run.path / LAST
        if not file.is_file():
            return
        content = run.load(LAST)
        check_saved_state(content, file)
        optimizer = self.stepper.optimizer
        fresh = optimizer.state_dict()
        with fitting(file):
            self.model.load_state_dict(content["model"])
            optimizer.load_state_dict(content["optimizer"])
            check_optimizer(optimizer, fresh)
            match_layouts(optimizer)
            if self.average is not None:
                self.average.load(content["ema"])
            self.stepper.load_direction(content.get("looksam"))
            if isinstance(self.stepper.model, Projected):
                self.stepper.model.projection.load_state_dict(content["projection"])
        rows = [dict(row) for row in content["metrics"]]
        device = self.stepper.device
        records = list(content["records"].to(device)) if "records" in content else []
        self.position = Position(rows, records, content.get("seconds", 0.0))

"""What last.pt holds, and how a training continues from it."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from landscape.checkpoints.run import LAST, RunDirectory
from landscape.training.ema import MovingAverage
from landscape.training.step import Stepper
from landscape.training.tasks.contrastive import Projected

Row = dict[str, float]


@dataclass
class Position:
    """How far a training is: rows of finished epochs, records of the steps of the one under way."""

    rows: list[Row] = field(default_factory=list)
    records: list[Tensor] = field(default_factory=list)
    seconds: float = 0.0  # spent on these records before this process began


def state_of(
    model: nn.Module, stepper: Stepper, average: MovingAverage | None, position: Position
) -> dict[str, Any]:
    """What last.pt holds. No random state: it is a function of seed, epoch and step."""
    state: dict[str, Any] = {
        "model": model.state_dict(),
        "optimizer": stepper.optimizer.state_dict(),
        "epoch": len(position.rows),
        "metrics": position.rows,
    }
    if position.records:
        state["records"] = torch.stack(position.records)
        state["seconds"] = position.seconds
    if average is not None:
        state["ema"] = average.state()
    if stepper.look is not None:
        state["looksam"] = stepper.look.direction
    if isinstance(stepper.model, Projected):
        state["projection"] = stepper.model.projection.state_dict()
    return state


def load_state(
    run: RunDirectory, model: nn.Module, stepper: Stepper, average: MovingAverage | None
) -> Position:
    """Continue where last.pt stopped; from the start if the run was killed before its first."""
    if not (run.path / LAST).is_file():
        return Position()
    state = run.load(LAST)
    model.load_state_dict(state["model"])
    stepper.optimizer.load_state_dict(state["optimizer"])
    device = stepper.parameters[0].device
    if average is not None:
        average.load(state["ema"])
    if stepper.look is not None:
        held = state["looksam"]
        stepper.look.direction = None if held is None else [t.to(device) for t in held]
    if isinstance(stepper.model, Projected):
        stepper.model.projection.load_state_dict(state["projection"])
    records = list(state["records"].to(device)) if "records" in state else []
    return Position([dict(row) for row in state["metrics"]], records, state.get("seconds", 0.0))

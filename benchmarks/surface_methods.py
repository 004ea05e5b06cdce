"""Ways to evaluate points of a surface: those of other tools, and the exact one."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.cases import normalised
from landscape.directions.direction import Direction
from landscape.objective.objective import Objective

Point = tuple[float, float]


class Pictures(Dataset[tuple[Tensor, int]]):
    """Bytes that are decoded and normalised one by one, as a torchvision data set does."""

    def __init__(self, pixels: NDArray[np.uint8], targets: Tensor) -> None:
        self.pixels = pixels
        self.targets = targets.tolist()

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.pixels[index])
        values = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous().float().div(255)
        return normalised(values), self.targets[index]


class OriginalLoop:
    """The loop of the original tool, written anew from what it does.

    A DataLoader with two workers decodes and normalises every picture for every point; directions
    are read from the HDF5 file and every tensor is rebuilt at every point; batches are moved to the
    device of the model, and loss and hits are fetched from it after every batch.
    """

    def __init__(self, model: nn.Module, data: Pictures, file: Path) -> None:
        self.model = model
        self.device = next(model.parameters()).device
        self.file = h5py.File(file, "r")
        self.loader = DataLoader(data, batch_size=128, shuffle=False, num_workers=2)
        self.weights = [p.detach().clone() for p in model.parameters()]

    def __call__(self, points: Sequence[Point]) -> list[float]:
        """The losses at points."""
        return [self._evaluate(point) for point in points]

    def _evaluate(self, point: Point) -> float:
        groups = (self.file["xdirection"], self.file["ydirection"])
        dx, dy = ([group[str(k)] for k in range(len(group))] for group in groups)
        changes = [a[()] * point[0] + b[()] * point[1] for a, b in zip(dx, dy, strict=True)]
        for p, w, change in zip(self.model.parameters(), self.weights, changes, strict=True):
            p.data = w + torch.Tensor(change).to(w)
        total, correct, seen = 0.0, 0, 0
        with torch.no_grad():
            for batch in self.loader:
                inputs, targets = (part.to(self.device) for part in batch)
                outputs = self.model(inputs)
                total += F.cross_entropy(outputs, targets).item() * len(targets)
                correct += int(outputs.max(1).indices.eq(targets).sum().item())
                seen += len(targets)
        return total / seen


class Package:
    """``planar_interpolation`` of the package loss-landscapes, which chooses the points itself."""

    def __init__(self, model: nn.Module, data: tuple[Tensor, Tensor], directions: Any) -> None:
        from loss_landscapes import planar_interpolation
        from loss_landscapes.metrics import Loss

        self.interpolate = planar_interpolation
        self.metric = Loss(F.cross_entropy, *data)
        self.start = model
        self.ends = []
        for direction in directions:
            end = copy.deepcopy(model)
            views = direction.layout.views(direction.vector)
            with torch.no_grad():
                for parameter, view in zip(end.parameters(), views, strict=True):
                    parameter.add_(view)
            self.ends.append(end)

    def points(self, steps: int) -> list[Point]:
        """The points that it evaluates: every second column is a step ahead."""
        return [
            (i / steps, (j + (1 if i % 2 == 0 else 0)) / steps)
            for i in range(steps)
            for j in range(steps)
        ]

    def __call__(self, steps: int) -> list[float]:
        """The losses at :meth:`points`."""
        with torch.no_grad():
            losses = self.interpolate(
                self.start, *self.ends, self.metric, steps, deepcopy_model=True
            )
        return [float(loss) for loss in np.asarray(losses).ravel()]


class ExactLosses:
    """The losses by the plain module in float64."""

    def __init__(
        self, model: nn.Module, values: Tensor, targets: Tensor, directions: list[Direction]
    ) -> None:
        self.objective = Objective(
            model, (values, targets), device="cpu", dtype=torch.float64, verify=False
        )
        self.x, self.y = (direction.vector.double() for direction in directions)
        self.known: dict[Point, float] = {}

    def __call__(self, point: Point) -> float:
        """The loss at a point, computed once."""
        if point not in self.known:
            theta = self.objective.theta + point[0] * self.x + point[1] * self.y
            self.known[point] = self.objective.loss(theta)
        return self.known[point]

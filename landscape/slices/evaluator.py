"""Evaluation of points of a line or plane: the loss and everything else that is measured there."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.directions.direction import Direction
from landscape.errors import InputError
from landscape.objective.evaluation import Evaluation, evaluate_batches, sample_loss_vector
from landscape.objective.objective import Objective
from landscape.results.journal import Values
from landscape.results.value_names import EIGENVALUES, value_names
from landscape.slices.batched import evaluate_together
from landscape.slices.evaluation_mode import EvaluationMode, Forward
from landscape.slices.extremes import extreme_eigenvalues
from landscape.slices.statistics import reestimate_statistics


class PointEvaluator:
    """Evaluates an objective at theta + sum_k c_k d_k, writing the weights in place.

    At the origin the loss is that of the plain module, exactly ``objective.evaluate()``.

    Args:
        objective: the mean loss; its weights are restored by :meth:`close`.
        directions: one (a line) or two (a plane).
        split: the name of the objective's own samples, before those of its ``extra_splits``.
        mode: how the loss is evaluated; see :mod:`landscape.slices.choose_mode`.
        bn: ``fixed`` keeps BatchNorm's running statistics, or moves them where a direction has
            any; ``reestimate`` estimates them at every point from the training samples.
        eigenvalues: also the smallest and largest eigenvalue of the Hessian at every point.

    Raises:
        InputError: there are no directions, or more than two, or ``split`` is the name of one of
            the ``extra_splits``.

    Example:
        >>> direction = random_direction(
        ...     objective.layout, objective.theta, torch.Generator().manual_seed(0)
        ... )
        >>> evaluator = PointEvaluator(objective, [direction], "train")
        >>> evaluator.names
        ['train_loss', 'train_acc', 'train_loss_stderr']
        >>> loss, accuracy, stderr = evaluator([0.5])
        >>> evaluator.close()
    """

    def __init__(
        self,
        objective: Objective,
        directions: Sequence[Direction],
        split: str,
        *,
        mode: EvaluationMode | None = None,
        bn: str = "fixed",
        eigenvalues: bool = False,
    ) -> None:
        if not 1 <= len(directions) <= 2:
            raise InputError(f"expected one or two directions, got {len(directions)}")
        if split in objective.extra_splits:
            raise InputError(f"the objective has further samples that are called {split!r}, too")
        self.objective = objective
        self.directions = list(directions)
        self.samples = {split: objective.batches, **objective.extra_splits}
        self.mode = mode or EvaluationMode(objective.precision)
        self._bn = bn
        self._eigenvalues = eigenvalues
        self._forward = Forward(objective, self.mode)
        self._row = torch.empty_like(objective.theta)
        self._row_at: float | None = None

    @property
    def names(self) -> list[str]:
        """The names of a point's values, in order."""
        names = value_names(self.samples, self.objective.metrics)
        return names + list(EIGENVALUES) if self._eigenvalues else names

    def __call__(self, coordinates: Sequence[float]) -> Values:
        """The values at a point, of shape (n,); non-finite losses are returned unchanged."""
        self.place(coordinates)
        plain = self._bn == "fixed" and not any(coordinates)
        values = _numbers(self.evaluate_here(plain=plain))
        if self._eigenvalues:
            values += extreme_eigenvalues(self.objective)
        return np.array(values)

    def together(self, points: Sequence[Sequence[float]]) -> list[Values]:
        """The values at some points, each of shape (n,), from one forward pass for all of them.

        Raises:
            RuntimeError: the model can't be evaluated so; see :func:`evaluate_together`.
        """
        evaluations = self.evaluate_together(points)
        return [
            np.array(_numbers(evaluation)) if any(point) else self(point)
            for point, evaluation in zip(points, evaluations, strict=True)
        ]

    def evaluate_together(self, points: Sequence[Sequence[float]]) -> list[dict[str, Evaluation]]:
        """Every split's evaluation at some points, from one forward pass for all of them."""
        thetas = self.objective.theta.new_empty(len(points), self.objective.num_parameters)
        for point, theta in zip(points, thetas, strict=True):
            self._move(point, theta)
        return evaluate_together(self.objective, self.samples, thetas)

    def place(self, coordinates: Sequence[float]) -> None:
        """Move the model's weights, and its statistics where directions have any, to a point."""
        self._move(coordinates, self.objective.live_weights)
        self._place_statistics(coordinates)
        if self._bn == "reestimate":
            batches = self.samples.get("train", self.objective.batches)
            reestimate_statistics(self.objective, batches)

    def evaluate_here(self, *, plain: bool = False) -> dict[str, Evaluation]:
        """Every split's evaluation at the current weights; ``plain`` is by the plain module."""
        forward = (
            Forward(self.objective, EvaluationMode(self._plain_precision))
            if plain
            else self._forward
        )
        forward.refresh()
        criterion, metrics = self.objective.criterion, self.objective.metrics
        with forward.arithmetic():
            return {
                split: evaluate_batches(forward, batches, criterion, metrics)
                for split, batches in self.samples.items()
            }

    def values_here(self, *, plain: bool = False) -> dict[str, float]:
        """Every split's values by name at the current weights, without eigenvalues."""
        return self.named(self.evaluate_here(plain=plain))

    def named(self, evaluations: Mapping[str, Evaluation]) -> dict[str, float]:
        """The values of every split's evaluation by name, without eigenvalues."""
        return dict(zip(self.names, _numbers(evaluations), strict=False))

    def losses_here(self, split: str) -> NDArray[np.float64] | None:
        """Every sample's loss at the current weights by the plain module, of shape (n,).

        None if the loss can't be computed sample by sample.
        """
        forward = Forward(self.objective, EvaluationMode(self._plain_precision))
        with forward.arithmetic():
            return sample_loss_vector(forward, self.samples[split], self.objective.criterion)

    def close(self) -> None:
        """Restore the model's own weights."""
        self.objective.restore()

    def _move(self, coordinates: Sequence[float], out: Tensor) -> None:
        """Write the weights at a point, of shape (P,)."""
        # The vector of a row of the grid is kept, since the next point is mostly of the same row.
        base = self.objective.theta
        if len(self.directions) == 2:
            if coordinates[1] != self._row_at:
                y = self.directions[1].vector
                torch.add(base, y, alpha=coordinates[1], out=self._row)
                self._row_at = coordinates[1]
            base = self._row
        torch.add(base, self.directions[0].vector, alpha=coordinates[0], out=out)

    @property
    def _plain_precision(self) -> str:
        return "fp64" if self.objective.dtype == torch.float64 else "fp32"

    def _place_statistics(self, coordinates: Sequence[float]) -> None:
        moving = [d.statistics for d in self.directions]
        if all(statistics is None for statistics in moving):
            return
        live = self.objective.live_statistics
        live.copy_(self.objective.statistics)
        for coordinate, statistics in zip(coordinates, moving, strict=True):
            if statistics is not None:
                live.add_(statistics, alpha=coordinate)


def _numbers(evaluations: Mapping[str, Evaluation]) -> list[float]:
    """The numbers of every split, in the order of :attr:`PointEvaluator.names`."""
    numbers: list[float] = []
    for each in evaluations.values():
        numbers += [each.loss, each.accuracy, each.loss_stderr, *each.metrics.values()]
    return numbers

"""Trials of evaluation modes: the losses and the seconds of some points in each of them."""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from math import isfinite
from typing import Any, TypeVar

from landscape.directions.direction import Direction
from landscape.objective.evaluation import Evaluation
from landscape.objective.objective import Objective
from landscape.slices.evaluation_mode import EvaluationMode
from landscape.slices.evaluator import PointEvaluator

Point = Sequence[float]
Measured = TypeVar("Measured")

# The times of passes of a few milliseconds are the shortest of so many.
SHORT_TRIALS = 3


@dataclass(frozen=True)
class Trial:
    """A mode, with its error, and the seconds of its fastest point."""

    mode: EvaluationMode
    seconds: float


class ModeTrials:
    """Evaluates points of a line or plane in different modes.

    Args:
        objective: the loss.
        directions: one or two.
        split: the name of the objective's own samples.
        probes: points as coordinates along the directions.

    Attributes:
        reason: why the last attempt failed.
    """

    def __init__(
        self,
        objective: Objective,
        directions: Sequence[Direction],
        split: str,
        probes: Sequence[Point],
    ) -> None:
        self._objective = objective
        self._directions = directions
        self._split = split
        self._probes = probes
        self.reason = ""

    def attempt(
        self, mode: EvaluationMode, reference: list[Evaluation], limit: float
    ) -> Trial | None:
        """The mode with its error and time; None if it fails or its error is over ``limit``."""
        try:
            evaluations, seconds = self.evaluate(mode)
        except Exception as error:
            # Models may refuse a memory layout, lack a bfloat16 kernel, or not compile.
            self.reason = (str(error).splitlines() or [type(error).__name__])[0]
            return None
        largest = max(map(_difference, evaluations, cycle(reference)))
        self.reason = f"its losses differ by {largest:.1e}"
        return Trial(replace(mode, error=largest), seconds) if largest <= limit else None

    def evaluate(self, mode: EvaluationMode) -> tuple[list[Evaluation], float]:
        """The evaluations of the probes, and the seconds that the fastest took."""
        if mode.points > 1:
            return self._evaluate_together(mode.points)
        evaluations, seconds = self._visit(
            mode, self._probes, lambda evaluator: evaluator.evaluate_here()[self._split]
        )
        return evaluations, min(seconds)

    def values(
        self, mode: EvaluationMode, points: Sequence[Point]
    ) -> tuple[list[dict[str, float]], float]:
        """The values of every split by name at other points, and the seconds of the fastest."""
        values, seconds = self._visit(mode, points, PointEvaluator.values_here)
        return values, min(seconds)

    def seconds_of_a_point(self) -> float:
        """The seconds of one point by itself in the plain mode."""
        evaluator = PointEvaluator(self._objective, self._directions, self._split)
        try:
            return min(
                self._seconds(lambda: evaluator(self._probes[-1])) for _ in range(SHORT_TRIALS)
            )
        finally:
            evaluator.close()

    def _visit(
        self,
        mode: EvaluationMode,
        points: Sequence[Point],
        measure: Callable[[PointEvaluator], Measured],
    ) -> tuple[list[Measured], list[float]]:
        """What is measured at every point, and the seconds that it took."""
        evaluator = PointEvaluator(self._objective, self._directions, self._split, mode=mode)
        results, seconds = [], []
        try:
            for point in points:
                evaluator.place(point)
                started = time.perf_counter()
                results.append(measure(evaluator))
                seconds.append(time.perf_counter() - started)
        finally:
            evaluator.close()
        return results, seconds

    def _evaluate_together(self, points: int) -> tuple[list[Evaluation], float]:
        """The same for passes of many points, in which the probes are repeated.

        Where torch has to loop over the points it warns, which counts as a failure.
        """
        evaluator = PointEvaluator(self._objective, self._directions, self._split)
        group = [self._probes[k % len(self._probes)] for k in range(points)]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            evaluations = evaluator.evaluate_together(group)
            seconds = min(
                self._seconds(lambda: evaluator.evaluate_together(group))
                for _ in range(SHORT_TRIALS)
            )
        return [each[self._split] for each in evaluations], seconds / points

    def _seconds(self, call: Callable[[], Any]) -> float:
        """The seconds of a short call: of the processor, where other programs don't count."""
        on_processor = self._objective.device.type == "cpu"
        clock = time.process_time if on_processor else time.perf_counter
        started = clock()
        call()
        return clock() - started


def _difference(evaluation: Evaluation, reference: Evaluation) -> float:
    """The relative difference of the losses: 0 if both are not finite, infinite if one is not."""
    loss, expected = evaluation.loss, reference.loss
    if not isfinite(loss) or not isfinite(expected):
        return 0.0 if isfinite(loss) == isfinite(expected) else float("inf")
    return abs(loss - expected) / max(abs(expected), 1e-12)

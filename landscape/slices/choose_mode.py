"""Choice of the evaluation mode: the fastest that gives the same losses, by measurement.

Modes differ in rounding only, or, for TF32 and bfloat16, in a precision that was asked for. The
mode that is chosen has been compared with the plain float32 module at points of the grid itself,
and records the largest difference.
"""

import logging
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from math import isfinite
from typing import Any

from landscape.directions.direction import Direction
from landscape.errors import InputError
from landscape.objective.evaluation import Evaluation
from landscape.objective.objective import Objective
from landscape.slices.batched import points_of_a_pass
from landscape.slices.evaluation_mode import EvaluationMode, can_be_rewritten
from landscape.slices.evaluator import PointEvaluator

LOGGER = logging.getLogger(__name__)

Point = Sequence[float]

# Rewriting a model changes roundings only. If the losses differ by more it is not used.
ROUNDING = 1e-4
# The largest difference from float32 that --precision auto accepts, relative to the loss.
LOW_PRECISION_ERROR = 1e-3
# Compiling takes tens of seconds, so it is tried only where all points take at least so long.
COMPILE_WORTHWHILE_SECONDS = 120.0
# A compiled model is used if it is faster by this factor.
WORTHWHILE_GAIN = 1.1
# Passes for many points are tried where there are at least so many.
TOGETHER_WORTHWHILE_POINTS = 4096
# The times of passes of a few milliseconds are the shortest of so many.
SHORT_TRIALS = 3


@dataclass(frozen=True)
class _Trial:
    mode: EvaluationMode
    seconds: float


def choose_mode(
    objective: Objective,
    directions: Sequence[Direction],
    split: str,
    probes: Sequence[Point],
    num_points: int,
    *,
    together: bool = False,
) -> EvaluationMode:
    """The evaluation mode for ``num_points`` points, by trials at ``probes``.

    Args:
        objective: the loss, whose precision and compile options say what may be tried.
        directions: one or two.
        split: the name of the objective's own samples.
        probes: points as coordinates along the directions.
        num_points: how many points will be evaluated.
        together: whether points may go through the network together.

    Raises:
        InputError: the device does not have the precision, or the model can't be compiled although
            ``--compile on`` asks for it.
    """
    plain = EvaluationMode(objective.precision if objective.precision == "fp64" else "fp32")
    if objective.precision == "fp64":  # the reference is the plain module
        return plain
    cuda = objective.device.type == "cuda"
    if objective.precision == "tf32" and not cuda:
        raise InputError("--precision tf32 is arithmetic of CUDA devices; use fp32, bf16 or auto")
    run = _Runner(objective, directions, split, probes)
    reference, seconds = run.evaluate(plain)
    best = _Trial(plain, seconds)
    if can_be_rewritten(objective.module):
        trial = run.attempt(EvaluationMode("fp32", rewritten=True), reference, ROUNDING)
        if trial is not None:  # whichever is faster: two runs must have the same roundings
            best = trial
    best = _with_precision(run, objective.precision, best, reference, cuda=cuda)
    mode = _with_compilation(run, objective.compile, best, reference, num_points)
    if mode.is_plain and together and num_points >= TOGETHER_WORTHWHILE_POINTS:
        return _together(run, mode, reference, points_of_a_pass(objective))
    return mode


def _with_precision(
    run: "_Runner", precision: str, best: _Trial, reference: list[Evaluation], *, cuda: bool
) -> _Trial:
    if precision in ("tf32", "bf16"):
        trial = run.attempt(replace(best.mode, precision=precision), reference, float("inf"))
        if trial is None:
            raise InputError(
                f"--precision {precision}: the model can't be evaluated in it; use fp32"
            )
        return trial
    if precision == "auto":
        for candidate in ("tf32", "bf16") if cuda else ("bf16",):
            mode = replace(best.mode, precision=candidate)
            trial = run.attempt(mode, reference, LOW_PRECISION_ERROR)
            if trial is not None and trial.seconds < best.seconds:
                best = trial
    return best


def _with_compilation(
    run: "_Runner", compilation: str, best: _Trial, reference: list[Evaluation], num_points: int
) -> EvaluationMode:
    is_short = num_points * best.seconds < COMPILE_WORTHWHILE_SECONDS
    if compilation == "off" or (compilation == "auto" and is_short):
        return best.mode
    limit = ROUNDING if best.mode.precision == "fp32" else float("inf")
    trial = run.attempt(replace(best.mode, compiled=True), reference, limit)
    if trial is None:
        if compilation == "on":
            raise InputError(f"--compile on: the model can't be compiled here: {run.reason}")
        return best.mode
    gain = best.seconds / trial.seconds
    return trial.mode if compilation == "on" or gain > WORTHWHILE_GAIN else best.mode


def _together(
    run: "_Runner", mode: EvaluationMode, reference: list[Evaluation], points: int
) -> EvaluationMode:
    """The mode with passes for many points, unless these fail or are not faster."""
    if points == 1:
        return mode
    trial = run.attempt(replace(mode, points=points), reference, ROUNDING)
    if trial is None:
        LOGGER.debug(f"points are evaluated one by one: {run.reason}")
        return mode
    return trial.mode if run.seconds_of_a_point() / trial.seconds > WORTHWHILE_GAIN else mode


class _Runner:
    """Evaluates the probes in different modes."""

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
        self.reason = ""  # why the last attempt failed

    def attempt(
        self, mode: EvaluationMode, reference: list[Evaluation], limit: float
    ) -> _Trial | None:
        """The mode with its error and time; None if it fails or its error is over ``limit``."""
        try:
            evaluations, seconds = self.evaluate(mode)
        except Exception as error:
            # Models may refuse a memory layout, lack a bfloat16 kernel, or not compile.
            self.reason = (str(error).splitlines() or [type(error).__name__])[0]
            return None
        largest = max(map(_difference, evaluations, cycle(reference)))
        self.reason = f"its losses differ by {largest:.1e}"
        return _Trial(replace(mode, error=largest), seconds) if largest <= limit else None

    def evaluate(self, mode: EvaluationMode) -> tuple[list[Evaluation], float]:
        """The evaluations of the probes, and the seconds that the fastest took."""
        if mode.points > 1:
            return self._evaluate_together(mode.points)
        evaluator = PointEvaluator(self._objective, self._directions, self._split, mode=mode)
        evaluations, seconds = [], []
        try:
            for probe in self._probes:
                evaluator.place(probe)
                started = time.perf_counter()
                evaluations.append(evaluator.evaluate_here()[self._split])
                seconds.append(time.perf_counter() - started)
        finally:
            evaluator.close()
        return evaluations, min(seconds)

    def seconds_of_a_point(self) -> float:
        """The seconds of one point by itself in the plain mode."""
        evaluator = PointEvaluator(self._objective, self._directions, self._split)
        try:
            return min(
                self._seconds(lambda: evaluator(self._probes[-1])) for _ in range(SHORT_TRIALS)
            )
        finally:
            evaluator.close()

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

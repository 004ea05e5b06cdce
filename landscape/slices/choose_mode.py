"""Which form to evaluate the loss in: the fastest that gives the same numbers, by measurement.

Forms differ in rounding only, or, for TF32 and bfloat16, in a precision that was asked for.
Whatever is chosen has been compared with the plain float32 module at points of the very grid, and
carries the largest difference found.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite

from landscape.directions.direction import Direction
from landscape.errors import InputError
from landscape.objective.evaluation import Evaluation
from landscape.objective.objective import Objective
from landscape.slices.evaluation_mode import EvaluationMode, can_be_rewritten
from landscape.slices.evaluator import PointEvaluator

Point = Sequence[float]

# A rewriting changes roundings only. One that changes more is not used.
ROUNDING = 1e-4
# What --precision auto accepts, relative to float32.
LOW_PRECISION_ERROR = 1e-3
# Compiling takes tens of seconds, so it is tried only where there is this much to gain from.
COMPILE_WORTHWHILE_SECONDS = 120.0
WORTHWHILE_GAIN = 1.1


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
) -> EvaluationMode:
    """The form for evaluating ``num_points`` points, tried out at ``probes``.

    Raises InputError for a precision that the device has not, and for ``--compile on`` where the
    model can't be compiled.
    """
    plain = EvaluationMode(objective.precision if objective.precision == "fp64" else "fp32")
    if objective.precision == "fp64":  # the reference: nothing is done to it
        return plain
    cuda = objective.device.type == "cuda"
    if objective.precision == "tf32" and not cuda:
        raise InputError("--precision tf32 is arithmetic of CUDA devices; use fp32, bf16 or auto")
    run = _Runner(objective, directions, split, probes)
    reference, seconds = run.evaluate(plain)
    best = _Trial(plain, seconds)
    if can_be_rewritten(objective.module):
        trial = run.attempt(EvaluationMode("fp32", rewritten=True), reference, ROUNDING)
        if trial is not None:  # no race: two runs have to come to the same roundings
            best = trial
    best = _with_precision(run, objective.precision, best, reference, cuda=cuda)
    return _with_compilation(run, objective.compile, best, reference, num_points)


def _with_precision(
    run: "_Runner", asked: str, best: _Trial, reference: list[Evaluation], *, cuda: bool
) -> _Trial:
    if asked in ("tf32", "bf16"):
        trial = run.attempt(replace(best.mode, precision=asked), reference, float("inf"))
        if trial is None:
            raise InputError(f"--precision {asked}: the model can't be evaluated in it; use fp32")
        return trial
    if asked == "auto":
        for precision in ("tf32", "bf16") if cuda else ("bf16",):
            mode = replace(best.mode, precision=precision)
            trial = run.attempt(mode, reference, LOW_PRECISION_ERROR)
            if trial is not None and trial.seconds < best.seconds:
                best = trial
    return best


def _with_compilation(
    run: "_Runner", asked: str, best: _Trial, reference: list[Evaluation], num_points: int
) -> EvaluationMode:
    if asked == "off" or (
        asked == "auto" and num_points * best.seconds < COMPILE_WORTHWHILE_SECONDS
    ):
        return best.mode
    limit = ROUNDING if best.mode.precision == "fp32" else float("inf")
    trial = run.attempt(replace(best.mode, compiled=True), reference, limit)
    if trial is None:
        if asked == "on":
            raise InputError(f"--compile on: the model can't be compiled here: {run.reason}")
        return best.mode
    gain = best.seconds / trial.seconds
    return trial.mode if asked == "on" or gain > WORTHWHILE_GAIN else best.mode


class _Runner:
    """Evaluates the probes in one form or another."""

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
        self.reason = ""  # why the last attempt came to nothing

    def attempt(
        self, mode: EvaluationMode, reference: list[Evaluation], limit: float
    ) -> _Trial | None:
        """The form with its error and time; None if it can't be had or errs by over ``limit``."""
        try:
            found, seconds = self.evaluate(mode)
        except Exception as error:
            # A model may allow no other memory layout, lack a bfloat16 kernel, or not compile.
            self.reason = (str(error).splitlines() or [type(error).__name__])[0]
            return None
        largest = max(map(_difference, found, reference))
        self.reason = f"its losses differ by {largest:.1e}"
        return _Trial(replace(mode, error=largest), seconds) if largest <= limit else None

    def evaluate(self, mode: EvaluationMode) -> tuple[list[Evaluation], float]:
        """What the probes give, and the seconds that the fastest took."""
        evaluator = PointEvaluator(self._objective, self._directions, self._split, mode=mode)
        found, seconds = [], []
        try:
            for probe in self._probes:
                evaluator.place(probe)
                started = time.perf_counter()
                found.append(evaluator.evaluate_here()[self._split])
                seconds.append(time.perf_counter() - started)
        finally:
            evaluator.close()
        return found, min(seconds)


def _difference(one: Evaluation, other: Evaluation) -> float:
    """Relative; 0 where both losses are not finite, infinite where one is."""
    a, b = one.loss, other.loss
    if not isfinite(a) or not isfinite(b):
        return 0.0 if isfinite(a) == isfinite(b) else float("inf")
    return abs(a - b) / max(abs(b), 1e-12)

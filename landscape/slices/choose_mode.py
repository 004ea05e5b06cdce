"""Choice of the evaluation mode: the fastest that gives the same losses, by measurement.

Modes differ in rounding only, or, for TF32 and bfloat16, in a precision that was asked for or that
a tolerance allows. The mode that is chosen has been compared with float32 at points of the grid
itself, and records the largest difference.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from landscape.directions.direction import Direction
from landscape.errors import InputError
from landscape.objective.evaluation import Evaluation
from landscape.objective.objective import Objective
from landscape.slices.batched import points_of_a_pass
from landscape.slices.evaluation_mode import EvaluationMode, can_be_rewritten
from landscape.slices.low_precision import PrecisionNeed, with_needed_precision, with_noise
from landscape.slices.mode_trials import ModeTrials, Point, Trial

LOGGER = logging.getLogger(__name__)

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


def choose_mode(
    objective: Objective,
    directions: Sequence[Direction],
    split: str,
    probes: Sequence[Point],
    num_points: int,
    *,
    together: bool = False,
    need: PrecisionNeed | None = None,
) -> EvaluationMode:
    """The evaluation mode for ``num_points`` points, by trials at ``probes``.

    Args:
        objective: the loss, whose precision and compile options say what may be tried.
        directions: one or two.
        split: the name of the objective's own samples.
        probes: points as coordinates along the directions.
        num_points: how many points will be evaluated.
        together: whether points may go through the network together.
        need: how precise values have to be that are interpolated afterwards.

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
    trials = ModeTrials(objective, directions, split, probes)
    reference, seconds = trials.evaluate(plain)
    best = Trial(plain, seconds)
    if can_be_rewritten(objective.module):
        trial = trials.attempt(EvaluationMode("fp32", rewritten=True), reference, ROUNDING)
        if trial is not None:  # whichever is faster: two runs must have the same roundings
            best = trial
    best = _with_precision(trials, objective.precision, best, reference, cuda=cuda)
    if need is not None:
        best = with_needed_precision(trials, best, need, num_points, cuda=cuda)
    mode = _with_compilation(trials, objective.compile, best, reference, num_points)
    if need is not None and mode.compiled and mode.noise:
        mode = with_noise(trials, mode, need)
    if mode.is_plain and together and num_points >= TOGETHER_WORTHWHILE_POINTS:
        return _together(trials, mode, reference, points_of_a_pass(objective))
    return mode


def _with_precision(
    trials: ModeTrials, precision: str, best: Trial, reference: list[Evaluation], *, cuda: bool
) -> Trial:
    if precision in ("tf32", "bf16"):
        trial = trials.attempt(replace(best.mode, precision=precision), reference, float("inf"))
        if trial is None:
            raise InputError(
                f"--precision {precision}: the model can't be evaluated in it; use fp32"
            )
        return trial
    if precision == "auto":
        for candidate in ("tf32", "bf16") if cuda else ("bf16",):
            mode = replace(best.mode, precision=candidate)
            trial = trials.attempt(mode, reference, LOW_PRECISION_ERROR)
            if trial is not None and trial.seconds < best.seconds:
                best = trial
    return best


def _with_compilation(
    trials: ModeTrials, compilation: str, best: Trial, reference: list[Evaluation], num_points: int
) -> EvaluationMode:
    is_short = num_points * best.seconds < COMPILE_WORTHWHILE_SECONDS
    if compilation == "off" or (compilation == "auto" and is_short):
        return best.mode
    limit = ROUNDING if best.mode.precision == "fp32" else float("inf")
    trial = trials.attempt(replace(best.mode, compiled=True), reference, limit)
    if trial is None:
        if compilation == "on":
            raise InputError(f"--compile on: the model can't be compiled here: {trials.reason}")
        return best.mode
    gain = best.seconds / trial.seconds
    return trial.mode if compilation == "on" or gain > WORTHWHILE_GAIN else best.mode


def _together(
    trials: ModeTrials, mode: EvaluationMode, reference: list[Evaluation], points: int
) -> EvaluationMode:
    """The mode with passes for many points, unless these fail or are not faster."""
    if points == 1:
        return mode
    trial = trials.attempt(replace(mode, points=points), reference, ROUNDING)
    if trial is None:
        LOGGER.debug(f"points are evaluated one by one: {trials.reason}")
        return mode
    return trial.mode if trials.seconds_of_a_point() / trial.seconds > WORTHWHILE_GAIN else mode

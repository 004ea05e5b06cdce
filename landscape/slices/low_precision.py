"""Precision by need: faster arithmetic for points whose values need not be exact.

A tolerance for interpolated losses leaves room for the rounding of TF32 or bfloat16, which differs
from point to point like noise. Its size is measured at some points of the grid against float32.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from landscape.results.value_names import is_of_a_loss
from landscape.slices.evaluation_mode import EvaluationMode
from landscape.slices.mode_trials import ModeTrials, Point, Trial

LOGGER = logging.getLogger(__name__)

LOW_PRECISIONS = ("tf32", "bf16")
# Faster arithmetic is tried where all points of the grid would take so long in that asked for.
WORTHWHILE_SECONDS = 60.0
# It is used if it is faster by this factor.
WORTHWHILE_GAIN = 1.1
# Arithmetic that the processor lacks is slow, as so many points show.
FIRST_POINTS = 2

Values = dict[str, float]


@dataclass(frozen=True)
class PrecisionNeed:
    """How precise the values of points have to be.

    Attributes:
        error: the root mean square of the relative errors of losses that arithmetic may have.
        points: where these errors are measured.
        is_fixed: whether the precision that is asked for is used in any case.
    """

    error: float
    points: Sequence[Point]
    is_fixed: bool = False


def with_needed_precision(
    trials: ModeTrials, best: Trial, need: PrecisionNeed, num_points: int, *, cuda: bool
) -> Trial:
    """The mode with the fastest arithmetic that is precise enough, and with its noise."""
    if best.mode.precision in LOW_PRECISIONS:
        return replace(best, mode=with_noise(trials, best.mode, need))
    if need.is_fixed or num_points * best.seconds < WORTHWHILE_SECONDS:
        return best
    expected, seconds = trials.values(best.mode, need.points)
    best = replace(best, seconds=seconds)
    for precision in LOW_PRECISIONS if cuda else ("bf16",):
        mode = replace(best.mode, precision=precision)
        try:
            _, seconds = trials.values(mode, need.points[:FIRST_POINTS])
            if best.seconds / seconds < WORTHWHILE_GAIN:
                continue
            values, seconds = trials.values(mode, need.points)
        except Exception as error:  # a model may lack a bfloat16 kernel
            LOGGER.debug(f"{precision} can't be used: {error}")
            continue
        noise = noise_of(values, expected)
        errors = [size for name, size in noise.items() if name.endswith("_loss")]
        if max(errors) <= need.error and best.seconds / seconds >= WORTHWHILE_GAIN:
            largest = largest_difference(values, expected)
            best = Trial(replace(mode, error=largest, noise=_known(noise)), seconds)
    return best


def with_noise(trials: ModeTrials, mode: EvaluationMode, need: PrecisionNeed) -> EvaluationMode:
    """The same mode with the errors of its arithmetic, as far as they can be measured."""
    expected, _ = trials.values(replace(mode, precision="fp32", compiled=False), need.points)
    values, _ = trials.values(mode, need.points)
    return replace(mode, noise=_known(noise_of(values, expected)))


def noise_of(values: Sequence[Values], expected: Sequence[Values]) -> Values:
    """The root mean square differences by name, relative for losses and their standard errors.

    Points where both are not finite don't count; the noise is infinite if only one of them is, or
    if no point counts.
    """
    noise = {}
    for name in expected[0]:
        squares = [
            _difference(name, value[name], true[name]) ** 2
            for value, true in zip(values, expected, strict=True)
            if math.isfinite(value[name]) or math.isfinite(true[name])
        ]
        noise[name] = math.sqrt(sum(squares) / len(squares)) if squares else math.inf
    return noise


def _known(noise: Values) -> Values:
    """The finite ones: what a task does not have, such as an accuracy, is never compared."""
    return {name: size for name, size in noise.items() if math.isfinite(size)}


def largest_difference(values: Sequence[Values], expected: Sequence[Values]) -> float:
    """The largest relative difference of a loss."""
    return max(
        _difference(name, value[name], true[name])
        for value, true in zip(values, expected, strict=True)
        for name in true
        if name.endswith("_loss") and (math.isfinite(value[name]) or math.isfinite(true[name]))
    )


def _difference(name: str, value: float, expected: float) -> float:
    if not (math.isfinite(value) and math.isfinite(expected)):
        return math.inf
    scale = max(abs(expected), 1e-12) if is_of_a_loss(name) else 1.0
    return abs(value - expected) / scale

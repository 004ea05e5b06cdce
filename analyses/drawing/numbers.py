"""Numbers with their errors and units, as figures and tables show them."""

import math
from collections.abc import Sequence
from decimal import ROUND_CEILING, Context
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from landscape.estimates import Estimate, Proportion, intervals
from landscape.results.provenance import Provenance

# Up to so many degrees of freedom, Student's t is told from the normal distribution.
FEW = 30
# With four answers of one kind or fewer the normal distribution is no guide to their share's error.
FEWEST_ANSWERS = 4.5


class NumberText(str):
    """A number as it is printed, which keeps its value: rows of replicates are averaged by it.

    Attributes:
        value: the number.
        form: the words around it, with ``{}`` in its place.
    """

    value: float
    form: str

    def __new__(cls, text: str, value: float, form: str = "{}") -> "NumberText":
        """The text of a value."""
        made = super().__new__(cls, text)
        made.value = value
        made.form = form
        return made

    def __reduce__(self) -> tuple[Any, ...]:  # to be copied
        return NumberText, (str(self), self.value, self.form)

    def within(self, form: str) -> "NumberText":
        """The same with more words around it: ``form`` has ``{}`` in its place."""
        return NumberText(form.replace("{}", self), self.value, form.replace("{}", self.form))


class HasProvenance(Protocol):
    """Anything with a provenance, such as a result."""

    @property
    def provenance(self) -> Provenance:
        """The origin of the numbers."""


def with_unit(name: str, results: Sequence[HasProvenance], unit: str = "{}") -> str:
    """The name of a quantity with its unit, if all results have the same unit of loss.

    Args:
        name: the name of the quantity.
        results: the results that are shown together.
        unit: the quantity's unit, with ``{}`` in place of the unit of the loss.
    """
    units = {result.provenance.loss_unit for result in results}
    loss_unit = units.pop() if len(units) == 1 else ""
    return f"{name} ({unit.format(loss_unit)})" if loss_unit else name


def epochs_unit(results: Sequence[HasProvenance]) -> str:
    """What the saved epochs of runs are counted in: ``epoch``, or ``step`` where a Tracker did."""
    units = {str(result.provenance.origin.get("unit", "epoch")) for result in results}
    return " or ".join(sorted(units))


def number(value: float, digits: int = 3) -> NumberText:
    """A value to ``digits`` significant digits; only very small or large ones have an exponent."""
    if not math.isfinite(value):
        return NumberText(str(value), value)
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return NumberText(f"{value:.{digits - 1}e}", value)
    decimals = digits - 1 - (math.floor(math.log10(abs(value))) if value else 0)
    return fixed(value, max(decimals, 0))


def fixed(value: float, decimals: int) -> NumberText:
    """A value with so many decimals."""
    return NumberText(f"{value:.{decimals}f}", value)


def contour_texts(levels: Sequence[float]) -> dict[float, str]:
    """The labels of contours by their level: two significant digits, more where lines are close.

    What rounding changes is at most a quarter of the distance to the next level.

    Args:
        levels: at least one, in increasing order.

    Example:
        >>> contour_texts([1.052, 1.061, 1.07])
        {1.052: '1.052', 1.061: '1.061', 1.07: '1.07'}
    """
    gaps = [math.inf, *np.diff(levels), math.inf]
    texts = {}
    for level, below, above in zip(levels, gaps[:-1], gaps[1:], strict=True):
        gap, digits = min(below, above), 2
        if level and 0 < gap < math.inf:
            digits = max(
                2, math.floor(math.log10(abs(level))) + 1 - math.floor(math.log10(gap / 2))
            )
        texts[level] = f"{float(f'{level:.{digits}g}'):.{max(digits, 6)}g}"
    return texts


def with_error(value: float, error: float, dof: float = math.inf) -> NumberText:
    """Value ± standard error, both to the error's second digit; "(no error)" if it is not finite.

    An error of few degrees of freedom is followed by the 95 % interval of Student's t, which is
    wider than two such errors to each side.
    """
    return estimate_text(Estimate(value, error, dof))


def estimate_text(estimate: Estimate) -> NumberText:
    """The same of an estimate, whose own interval it shows."""
    value, error = estimate.value, estimate.stderr
    text = _with_error(value, error)
    if estimate.dof > FEW or not error > 0 or not math.isfinite(value + error):
        return NumberText(text, value)
    return NumberText(f"{text} {interval_text(estimate.interval())}", value)


def share_text(share: Proportion) -> NumberText:
    """A share in per cent, ± standard error; near 0 and 100 its 95 % interval.

    Near is where fewer than five answers are of the one kind, as many as the error holds.
    """
    fewest = min(share.value, 1 - share.value) * share.effective_count
    if share.stderr == 0 or not fewest < FEWEST_ANSWERS:
        return with_error(100 * share.value, 100 * share.stderr, share.dof)
    low, high = share.interval()
    text = f"{number(100 * share.value)} {interval_text((100 * low, 100 * high))}"
    return NumberText(text, 100 * share.value)


def interval_text(ends: tuple[float, float]) -> str:
    """A 95 % interval, to the second digit of its width."""
    low, high = ends
    if not math.isfinite(high - low):
        return "(no interval)"
    width = high - low
    if max(abs(low), abs(high)) >= 1e5:
        return f"(95 %: {low:.2e} to {high:.2e})"
    if width < 1e-5:
        return f"(95 %: {number(low)} to {number(high)})"
    decimals = max(0, 1 - math.floor(math.log10(width)))
    return f"(95 %: {low:.{decimals}f} to {high:.{decimals}f})"


def error_bars(estimates: Sequence[Estimate], scale: float = 1.0) -> NDArray[np.float64]:
    """How far the 68 % intervals of several estimates reach down and up from them.

    Args:
        estimates: n of them.
        scale: what they are multiplied by in the picture, such as 100 for per cent.

    Returns:
        The distances, of shape (2, n), as matplotlib takes them; 0 without an error.
    """
    low, high = intervals(estimates)
    values = np.array([estimate.value for estimate in estimates])
    distances = np.nan_to_num(np.stack([values - low, high - values]))
    return np.asarray(scale * np.maximum(distances, 0.0))


def bound_text(bound: float) -> str:
    """An upper bound to one significant digit, rounded up, so that what is printed is one, too."""
    if not 0 < bound < math.inf:
        return f"{bound:.0e}"
    upwards = Context(prec=1, rounding=ROUND_CEILING)
    return f"{float(upwards.create_decimal(repr(float(bound)))):.0e}"


def with_residual(
    value: float, residual: float, converged: bool, error: float = math.nan
) -> NumberText:
    """A value of an iteration with its relative residual, and a remark if it has not converged.

    With ``error`` it is value ± error; otherwise it has two to five digits, as many as the residual
    makes certain.
    """
    certain = 1 - math.floor(math.log10(residual)) if 0 < residual < 1 else 2
    digits = max(2, min(5, certain)) if residual else 5
    shown = number(value, digits) if math.isnan(error) else with_error(value, error)
    text = NumberText(f"{shown} ({bound_text(residual)})", value)
    return text if converged else text.within("{}, not converged")


def _with_error(value: float, error: float) -> str:
    if not 0 <= error < math.inf:
        return f"{number(value)} (no error)"
    if error == 0 or not math.isfinite(value):
        return f"{number(value)} ± {number(error)}"
    if abs(value) >= 1e5 and error >= 1:
        power = math.floor(math.log10(abs(value)))
        return f"({_with_error(value / 10**power, error / 10**power)})e{power}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    if decimals > 6 and abs(value) < 1e-3:
        return f"{value:.3e} ± {error:.1e}"
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"

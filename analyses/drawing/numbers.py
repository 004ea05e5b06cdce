"""Numbers with their errors and units, as figures and tables show them."""

import math
from collections.abc import Sequence
from typing import Protocol

from landscape.results.provenance import Provenance


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

    def within(self, form: str) -> "NumberText":
        """The same with words around it: ``form`` has ``{}`` in its place."""
        return NumberText(form.replace("{}", self), self.value, form)


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


def count(value: int, total: int | None = None) -> NumberText:
    """A whole number with commas, and "of" how many where there is a ``total``."""
    return NumberText(f"{value:,}" + ("" if total is None else f" of {total:,}"), value)


def short_number(value: float) -> str:
    """A value to two significant digits, for the labels of contours."""
    return f"{float(f'{value:.2g}'):g}"


def with_error(value: float, error: float) -> NumberText:
    """Value ± error, both to the error's second digit; "(no error)" if the error is not finite."""
    return NumberText(_with_error(value, error), value)


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
    text = f"{shown} ({residual:.0e})"
    return NumberText(text if converged else f"{text}, not converged", value)


def _with_error(value: float, error: float) -> str:
    if not math.isfinite(error):
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

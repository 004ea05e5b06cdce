"""Numbers, their errors and their units as figures and tables show them."""

import math
from collections.abc import Sequence
from typing import Protocol

from landscape.results.provenance import Provenance


class HasProvenance(Protocol):
    """A result, as far as it says what was measured."""

    @property
    def provenance(self) -> Provenance:
        """What was measured, on what, with what."""


def with_unit(name: str, results: Sequence[HasProvenance], unit: str = "{}") -> str:
    """``name (unit)`` where all results' losses have one unit; ``unit`` says how it enters."""
    units = {result.provenance.loss_unit for result in results}
    shared = units.pop() if len(units) == 1 else ""
    return f"{name} ({unit.format(shared)})" if shared else name


def number(value: float, digits: int = 3) -> str:
    """A value to ``digits`` significant digits, without an exponent where that stays short."""
    if not math.isfinite(value):
        return str(value)
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.{digits - 1}e}"
    decimals = digits - 1 - (math.floor(math.log10(abs(value))) if value else 0)
    return f"{value:.{max(decimals, 0)}f}"


def short_number(value: float) -> str:
    """Two significant digits, without an exponent where that stays short: a contour's label."""
    return f"{float(f'{value:.2g}'):g}"


def with_error(value: float, error: float) -> str:
    """Value ± error, both to the error's second digit; without an error it says so."""
    if not math.isfinite(error):
        return f"{number(value)} (no error)"
    if error == 0 or not math.isfinite(value):
        return f"{number(value)} ± {number(error)}"
    if abs(value) >= 1e5 and error >= 1:
        power = math.floor(math.log10(abs(value)))
        return f"({with_error(value / 10**power, error / 10**power)})e{power}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    if decimals > 6 and abs(value) < 1e-3:
        return f"{value:.3e} ± {error:.1e}"
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def with_residual(value: float, residual: float, converged: bool, error: float = math.nan) -> str:
    """The value with its relative residual: ± ``error``, or where that is not known with as many
    digits as are certain, five at most."""
    certain = 1 - math.floor(math.log10(residual)) if 0 < residual < 1 else 2
    digits = max(2, min(5, certain)) if residual else 5
    plain = number(value, digits) if math.isnan(error) else with_error(value, error)
    shown = f"{plain} ({residual:.0e})"
    return shown if converged else f"{shown}, not converged"

"""Ticks of logarithmic axes at round numbers, which are written as plain numbers."""

import math
from collections.abc import Iterable

import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import FixedFormatter, FuncFormatter, Locator, MaxNLocator
from numpy.typing import NDArray

Array = NDArray[np.float64]

# The digits that ticks start with, from the densest to the sparsest.
_LEADING_DIGITS = ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))


def round_values(low: float, high: float, most: int = 7) -> Array:
    """Round numbers that are about evenly spread on a logarithmic scale.

    Args:
        low: the lower end of the scale, above 0.
        high: the upper end.
        most: how many there may be.

    Returns:
        At least two unless the scale spans only a few per cent, in increasing order, all of them
        between the ends.
    """
    first, last = math.log10(low), math.log10(high)
    candidates: list[Array] = []
    if last - first >= 1:
        decades = _powers_of_ten(range(math.floor(first), math.ceil(last) + 1))
        candidates += [np.multiply.outer(decades, digits).ravel() for digits in _LEADING_DIGITS]
        candidates.append(_powers_of_ten(MaxNLocator(most, integer=True).tick_values(first, last)))
    candidates.append(np.asarray(MaxNLocator(most - 1).tick_values(low, high)))
    for values in candidates:
        # Ends are often round numbers themselves, which rounding has moved.
        inside = values[(values >= low * (1 - 1e-9)) & (values <= high * (1 + 1e-9))]
        if len(inside) <= most:
            break
    return inside


def _powers_of_ten(exponents: Iterable[float]) -> Array:
    """Powers as Python rounds them; numpy 1's of arrays miss 0.1 by one bit."""
    return np.array([10.0 ** float(exponent) for exponent in exponents])


class RoundValues(Locator):
    """Ticks at :func:`round_values` of an axis.

    Args:
        most: how many there may be.
        of_exponents: whether the axis itself is linear and shows logarithms to base 10.
    """

    def __init__(self, most: int = 7, *, of_exponents: bool = False) -> None:
        self.most = most
        self.of_exponents = of_exponents

    def __call__(self) -> list[float]:
        """The places of the ticks."""
        assert self.axis is not None
        return self.tick_values(*self.axis.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        """The places of the ticks on an axis between these ends."""
        low, high = sorted((vmin, vmax))
        if self.of_exponents:
            return np.log10(round_values(10.0**low, 10.0**high, self.most)).tolist()
        return round_values(low, high, self.most).tolist() if low > 0 else []


def plain_log_ticks(axis: Axis, most: int = 7) -> None:
    """Label a logarithmic axis with plain numbers, also if it spans less than a decade."""
    axis.set_major_locator(RoundValues(most))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(FixedFormatter([]))


def exponent_ticks(axis: Axis, most: int = 4) -> None:
    """Label an axis of logarithms to base 10 with the numbers that they are of."""
    axis.set_major_locator(RoundValues(most, of_exponents=True))
    axis.set_major_formatter(FuncFormatter(lambda exponent, _: f"{10**exponent:.6g}"))

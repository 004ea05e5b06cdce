"""Scales of colour and height that several surfaces share."""

import logging
from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LogNorm, Normalize

from analyses.drawing.options import PlotOptions
from analyses.drawing.style import Array
from landscape.errors import InputError

LOGGER = logging.getLogger(__name__)

# Beyond this ratio of largest to smallest loss a linear scale shows little but the largest losses.
LOG_RATIO = 10.0


def shared_scale(
    losses: Sequence[Array], options: PlotOptions | None = None, count: int = 16
) -> tuple[Normalize, Array]:
    """One colour scale for all losses, with contour levels.

    Args:
        losses: the losses of each surface; non-finite ones are ignored.
        options: the range, and whether the scale is logarithmic.
        count: the number of levels.

    Returns:
        The scale and the levels, which are evenly spaced on it.

    Raises:
        InputError: all losses are on one side of the range that the options name.
    """
    options = options or PlotOptions()
    values = np.concatenate([loss[np.isfinite(loss)] for loss in losses])
    if values.size == 0:
        return Normalize(0.0, 1.0), np.linspace(0.0, 1.0, count)
    low = float(values.min()) if options.zmin is None else options.zmin
    high = float(values.max()) if options.zmax is None else options.zmax
    for flag, bound, is_beyond in (
        ("--zmin", options.zmin, values.max() < low),
        ("--zmax", options.zmax, values.min() > high),
    ):
        if bound is not None and is_beyond:
            raise InputError(
                f"{flag} {bound:g} leaves nothing to show: the losses are from "
                f"{values.min():.4g} to {values.max():.4g}"
            )
    if high - low <= 1e-6 * max(abs(low), abs(high)):  # flat, except for rounding
        margin = max(0.5, 1e-3 * abs(low))
        low, high = low - margin, high + margin
    if low > 0 and (options.scale == "log" or (options.scale == "auto" and high / low > LOG_RATIO)):
        return LogNorm(low, high), np.geomspace(low, high, count)
    return Normalize(low, high), np.linspace(low, high, count)


def is_logarithmic(losses: Sequence[Array], options: PlotOptions | None = None) -> bool:
    """Whether the shared scale of these losses is logarithmic."""
    return isinstance(shared_scale(losses, options)[0], LogNorm)


def tell_if_linear(losses: Sequence[Array], options: PlotOptions) -> None:
    """Log that losses are shown on a linear scale although a logarithmic one was asked for."""
    if options.scale == "log" and not is_logarithmic(losses, options):
        finite = np.concatenate([loss[np.isfinite(loss)] for loss in losses])
        if finite.size:
            LOGGER.warning(
                f"--scale log shows losses above 0 only, and these go down to {finite.min():.4g}: "
                "the scale is linear; --zmin cuts them off"
            )


def masked(loss: Array) -> np.ma.MaskedArray[tuple[int, ...], np.dtype[np.float64]]:
    """The losses with non-finite ones masked, which are drawn in grey."""
    return np.ma.masked_invalid(loss)

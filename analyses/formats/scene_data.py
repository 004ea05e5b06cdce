"""What a page of surfaces to turn is made from: panels, the scales they share, and maps of them."""

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LogNorm, to_hex
from matplotlib.ticker import Locator, MaxNLocator
from numpy.typing import NDArray
from PIL import Image

from analyses.drawing.log_ticks import RoundValues
from analyses.drawing.options import PlotOptions
from analyses.drawing.scales import is_logarithmic, shared_scale
from analyses.drawing.style import colour_map
from landscape.errors import InputError
from landscape.estimates import half_width

Array = NDArray[np.float64]

# So many colours are told apart no more.
NUM_COLOURS = 128
# Losses to so many digits: far more than their errors, and enough for the flattest surface that a
# scale is made for.
LOSS_DIGITS, OTHER_DIGITS = 9, 4


@dataclass(frozen=True, eq=False)
class Panel:
    """A surface.

    Args:
        title: its name.
        x: (nx,), ascending.
        y: (ny,), ascending.
        loss: (ny, nx).
        stderr: (ny, nx), the standard error of the loss; nan where it is not known.
        dof: its degrees of freedom.
        refinement: (ny, nx), the relative error of a loss that was interpolated, or measured in
            faster arithmetic; nan where it was measured exactly.
        accuracy: (ny, nx), in per cent.
        path: (n, 3), a training trajectory: x, y and loss of each point.
    """

    title: str
    x: Array
    y: Array
    loss: Array
    stderr: Array | None = None
    dof: float = math.inf
    refinement: Array | None = None
    accuracy: Array | None = None
    path: Array | None = None

    def __post_init__(self) -> None:
        shape = (len(self.y), len(self.x))
        for name in ("loss", "stderr", "refinement", "accuracy"):
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise InputError(f"expected the {name} to have shape {shape}, got {array.shape}")
        if self.path is not None and (self.path.ndim != 2 or self.path.shape[1] != 3):
            raise InputError(f"expected a trajectory of shape (n, 3), got {self.path.shape}")

    def content(self) -> dict[str, Any]:
        """Its arrays as nested lists, with None for what is not finite or not given."""
        digits = {"loss": LOSS_DIGITS, "path": LOSS_DIGITS}
        lists: dict[str, Any] = {"x": self.x.tolist(), "y": self.y.tolist()}
        for name in ("loss", "stderr", "refinement", "accuracy", "path"):
            array = getattr(self, name)
            is_given = array is not None and np.isfinite(array).any()
            lists[name] = _rounded(array, digits.get(name, OTHER_DIGITS)) if is_given else None
        if lists["loss"] is None:
            lists["loss"] = [[None] * len(self.x) for _ in self.y]
        # Half of a 95 % interval, in standard errors; files of other tools have neither.
        interval = float(half_width(1.0, self.dof, 0.95))
        return lists | {"interval": interval if math.isfinite(interval) else None}


@dataclass(frozen=True)
class Scale:
    """A scale that all panels share, of heights and of colours: that of the pictures.

    Attributes:
        log: whether heights are logarithms to base 10 of the losses.
        low: the lowest height.
        high: the highest height.
    """

    log: bool
    low: float
    high: float

    @property
    def ticks(self) -> dict[float, str]:
        """The labels of ticks, which are losses, by height."""
        locator: Locator = RoundValues(of_exponents=True) if self.log else MaxNLocator(5)
        heights = np.asarray(locator.tick_values(self.low, self.high))
        inside = [float(height) for height in heights if self.low <= height <= self.high]
        return {height: f"{10**height if self.log else height:.6g}" for height in inside}

    @property
    def bar(self) -> dict[float, str]:
        """The labels of a colour bar's ticks by position, from 0 at its low end to 1."""
        return {self._share(height): text for height, text in self.ticks.items()}

    def levels(self, loss: Array) -> Array:
        """How high losses are, from 0 to 1; nan for what is not finite or beyond the scale."""
        with np.errstate(invalid="ignore", divide="ignore"):
            levels = np.asarray(self._share(np.log10(loss) if self.log else loss))
        levels[~(np.isfinite(loss) & (levels >= -1e-9) & (levels <= 1 + 1e-9))] = np.nan
        return levels

    def content(self) -> dict[str, Any]:
        """Its numbers, with each tick as a pair of height and label."""
        ticks = list(self.ticks.items())
        return {"log": self.log, "low": self.low, "high": self.high, "ticks": ticks}

    def _share(self, height: Any) -> Any:
        return (height - self.low) / (self.high - self.low)


def scales_of(panels: Sequence[Panel], options: PlotOptions) -> dict[str, Scale]:
    """The scale of the pictures, first, and the other one if the losses and the options allow it.

    Their names are ``log`` and ``linear``.
    """
    losses = [panel.loss for panel in panels]
    shown = "log" if is_logarithmic(losses, options) else "linear"
    other = "linear" if shown == "log" else "log"
    scales = {shown: _scale(losses, options)}
    bounds = [bound for bound in (options.zmin, options.zmax) if bound is not None]
    if other == "linear" or all(bound > 0 for bound in bounds):
        scale = _scale(losses, replace(options, scale=other))
        if scale.log == (other == "log"):
            scales[other] = scale
    return scales


def _scale(losses: Sequence[Array], options: PlotOptions) -> Scale:
    colours, levels = shared_scale(losses, options)
    ends = np.array([levels[0], levels[-1]])
    is_log = isinstance(colours, LogNorm)
    low, high = np.log10(ends) if is_log else ends
    return Scale(is_log, float(low), float(high))


def colours(count: int = NUM_COLOURS) -> list[str]:
    """Colours of the pictures' map from low to high."""
    return [to_hex(colour) for colour in colormaps[colour_map()](np.linspace(0, 1, count))]


def map_of(panel: Panel, scale: Scale) -> str:
    """The surface seen from above, a pixel for each point, as a PNG file in base64.

    What has no height is transparent; y grows upwards.
    """
    levels = scale.levels(panel.loss)[::-1]
    pixels = colormaps[colour_map()](np.nan_to_num(levels), bytes=True)
    pixels[np.isnan(levels), 3] = 0
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return base64.b64encode(file.getvalue()).decode("ascii")


def _rounded(array: Array, digits: int) -> list[Any]:
    """The array as nested lists of so many digits, with None for non-finite values."""
    if array.ndim > 1:
        return [_rounded(row, digits) for row in array]
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in array]

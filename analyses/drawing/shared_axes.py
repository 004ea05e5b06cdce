"""Curves of several networks on shared axes: style and name of each, alike for replicates."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from analyses.drawing.crowds import is_crowd, styles_and_names
from analyses.drawing.lettering import OthersName
from analyses.replicates import Labelled, by_group, title_of

R = TypeVar("R", bound=Labelled)

# Replicates are drawn lighter, since they lie over each other.
REPLICATE_ALPHA = 0.55
# In points: what is not named has marks that don't cover each other.
SMALL_MARKER = 2.0


@dataclass(frozen=True)
class Curve(Generic[R]):
    """How a result is drawn beside others.

    Attributes:
        result: what is drawn.
        style: keywords of matplotlib; replicates of a group have the same.
        name: what the legend calls it; that of the group for a replicate, and that of all the
            others where networks are too many to be named.
        offset: between -0.25 and 0.25, where groups are drawn side by side in one place.
        is_replicate: whether others of its group are drawn too.
    """

    result: R
    style: dict[str, Any]
    name: str
    offset: float
    is_replicate: bool = False

    @property
    def is_named(self) -> bool:
        """Whether the legend names it; the error of one that it does not name is not drawn."""
        return not isinstance(self.name, OthersName)

    @property
    def has_band(self) -> bool:
        """Whether its error is drawn as a band.

        The spread of replicates shows more than a band of each, and bands of replicates or of many
        networks would lie over each other.
        """
        return self.is_named and not self.is_replicate

    @property
    def colour(self) -> str:
        """The colour of the curve."""
        return str(self.style["color"])

    @property
    def mark_style(self) -> dict[str, Any]:
        """Its style where marks stand alone; those of replicates are not lighter."""
        keys = ("color", "zorder") if self.is_named else ("color", "alpha")
        return {key: self.style[key] for key in keys if key in self.style}

    def marker_size(self, usual: float) -> float:
        """The size of its marks in points; small for one that is not named."""
        return usual if self.is_named else min(usual, SMALL_MARKER)

    def name_with(self, words: str) -> str:
        """What the legend calls a part of it, such as one of several splits."""
        return type(self.name)(f"{self.name}, {words}")


def curves_of(
    results: Sequence[R],
    quantity: str = "",
    value_of: Callable[[R], float] | None = None,
    *,
    has_bands: bool = False,
) -> list[Curve[R]]:
    """The curve of each result; each replicate has a curve of its own, in its group's style.

    Args:
        results: what is drawn.
        quantity: in words; where networks are too many to be named, the largest and the smallest
            are.
        value_of: that quantity of a result.
        has_bands: whether the picture shows errors as bands, which those that are not named lack.
    """
    curves = {}
    for members, curve in curves_of_groups(results, quantity, value_of, has_bands=has_bands):
        style, is_replicate = curve.style, len(members) > 1
        if is_replicate:
            style = {**style, "alpha": REPLICATE_ALPHA * style.get("alpha", 1.0)}
        for result in members:
            curves[id(result)] = Curve(result, style, curve.name, curve.offset, is_replicate)
    return [curves[id(result)] for result in results]


def curves_of_groups(
    results: Sequence[R],
    quantity: str = "",
    value_of: Callable[[R], float] | None = None,
    *,
    has_bands: bool = False,
) -> list[tuple[list[R], Curve[R]]]:
    """The replicates of each group with the curve that stands for all of them."""
    groups = by_group(results)
    offsets = np.linspace(-0.25, 0.25, len(groups)) if len(groups) > 1 else np.zeros(1)
    values = []
    if value_of is not None and is_crowd(len(groups)):
        values = [statistics.fmean(map(value_of, members)) for members in groups]
    titles = [title_of(members) for members in groups]
    looks = styles_and_names(titles, quantity, values, has_bands=has_bands)
    return [
        (members, Curve(members[0], style, name, float(offset)))
        for members, (style, name), offset in zip(groups, looks, offsets, strict=True)
    ]

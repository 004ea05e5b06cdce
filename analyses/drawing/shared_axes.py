"""Curves of several networks on shared axes: style and name of each, alike for replicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from analyses.drawing.style import line_styles
from analyses.replicates import Labelled, by_group, title_of

R = TypeVar("R", bound=Labelled)

# Replicates are drawn lighter, since they lie over each other.
REPLICATE_ALPHA = 0.55


@dataclass(frozen=True)
class Curve(Generic[R]):
    """How a result is drawn beside others.

    Attributes:
        result: what is drawn.
        style: keywords of matplotlib; replicates of a group have the same.
        name: what the legend calls it; that of the group for a replicate.
        offset: between -0.25 and 0.25, where groups are drawn side by side in one place.
    """

    result: R
    style: dict[str, Any]
    name: str
    offset: float

    @property
    def is_replicate(self) -> bool:
        """Whether others of its group are drawn too.

        Their spread then shows more than a band of the error of each, and such bands would lie
        over each other.
        """
        return "alpha" in self.style

    @property
    def colour(self) -> str:
        """The colour of the curve."""
        return str(self.style["color"])


def curves_of(results: Sequence[R]) -> list[Curve[R]]:
    """The curve of each result; each replicate has a curve of its own, in its group's style."""
    groups = by_group(results)
    offsets = np.linspace(-0.25, 0.25, len(groups)) if len(groups) > 1 else np.zeros(1)
    curves = {}
    for members, style, offset in zip(groups, line_styles(len(groups)), offsets, strict=True):
        shown = style if len(members) == 1 else {**style, "alpha": REPLICATE_ALPHA}
        for result in members:
            curves[id(result)] = Curve(result, shown, title_of(members), float(offset))
    return [curves[id(result)] for result in results]

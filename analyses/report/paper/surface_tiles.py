"""The surfaces that a report begins with: a small picture of each network, plain beside SAM."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analyses.drawing.options import PlotOptions
from analyses.drawing.pictures import Picture
from analyses.replicates import examples_of
from analyses.report.paper.pairs import sam_pairs
from analyses.report.paper.subjects import Network, networks
from analyses.surface.perspective_figures import heights_bar, shared_heights, surface_tile
from analyses.surface.result import Surface
from landscape.results.result import Result

# More would not be seen at once.
MOST_TILES = 8


@dataclass(frozen=True)
class Tile:
    """The surface of a network; of replicates that of the first, which the label says."""

    label: str
    picture: Picture


@dataclass(frozen=True)
class SurfaceTiles:
    """Surfaces on one scale of heights and colours.

    Attributes:
        tiles: in pairs of a network without SAM and the same with it, where ``is_paired``.
        bar: the scale.
        is_paired: whether every tile is one of such a pair.
        left_out: how many networks have a surface and no tile.
    """

    tiles: list[Tile]
    bar: Picture
    is_paired: bool
    left_out: int

    @property
    def columns(self) -> int:
        """On a wide screen: one for each pair, or as many as fit."""
        count = len(self.tiles)
        return count // 2 if self.is_paired and count > 2 else min(count, 4 if count % 3 else 3)


def surface_tiles(
    results: Mapping[str, Sequence[Result]], options: PlotOptions | None = None
) -> SurfaceTiles | None:
    """The tiles of a report; None where it has no surface.

    Args:
        results: by analysis.
        options: the scale and range of the loss.
    """
    members = [network for network in networks(results) if _planes_of(network)]
    if not members:
        return None
    paired = [network for pair in sam_pairs(members) for network in pair]
    is_paired = len(paired) == len(members) == len(set(map(id, paired)))
    shown = (paired if is_paired else members)[:MOST_TILES]
    planes = [examples_of(_planes_of(network))[0] for network in shown]
    heights = shared_heights(planes, options)
    return SurfaceTiles(
        [Tile(plane.label, Picture(surface_tile(plane, heights))) for plane in planes],
        Picture(heights_bar(planes, heights)),
        is_paired,
        len(members) - len(shown),
    )


def _planes_of(network: Network) -> list[Surface]:
    planes = (run.results.get("surface") for run in network.runs)
    return [plane for plane in planes if isinstance(plane, Surface)]

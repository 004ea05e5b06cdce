"""Which entries of long lists are left out where a person reads them."""

from collections.abc import Mapping, Sequence

from analyses.headline_numbers import HeadlineEntry, Path, name_of_path
from landscape.runtime.visible_text import visible

# Of a list, its last one among them, and of names such as those of layers.
MOST_ITEMS, MOST_NAMES = 4, 12


def shorten(
    entries: Sequence[HeadlineEntry], *, is_whole: bool
) -> tuple[list[HeadlineEntry], dict[str, int]]:
    """The first entries of every list and of every mapping but the outermost, and a list's last.

    Args:
        entries: of a result, in order.
        is_whole: whether all are kept.

    Returns:
        The entries that are kept, and by the name of what they are in the number of the others.
    """
    places: dict[Path, dict[str | int, int]] = {}
    for entry in entries:
        for depth, part in enumerate(entry.path):
            siblings = places.setdefault(entry.path[:depth], {})
            siblings.setdefault(part, len(siblings))
    kept: list[HeadlineEntry] = []
    others: dict[str, int] = {}
    for entry in entries:
        full = [
            depth
            for depth, part in enumerate(entry.path)
            if depth and _is_beyond(part, places[entry.path[:depth]])
        ]
        if is_whole or not full:
            kept.append(entry)
        else:
            name = name_of_path(entry.path[: full[0]])
            others[name] = others.get(name, 0) + 1
    return kept, others


def _is_beyond(part: str | int, siblings: Mapping[str | int, int]) -> bool:
    """Whether an entry is left out of the list or mapping that holds these."""
    most = MOST_ITEMS if isinstance(part, int) else MOST_NAMES
    place, last = siblings[part], len(siblings) - 1
    is_last_item = isinstance(part, int) and place == last
    return last >= most and place >= most - 1 and not is_last_item


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of equally many cells as indented lines, each column as wide as its longest cell.

    Characters without a width are escaped, as on a terminal, so that columns stay aligned.
    """
    shown = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in shown]
    return ["  " + "  ".join(cells).rstrip() for cells in lines]

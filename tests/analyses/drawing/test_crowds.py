"""Pictures of one network, of a dozen and of hundreds."""

import re
from dataclasses import dataclass
from itertools import product

import pytest

from analyses.drawing.crowds import (
    MOST_FILES,
    MOST_NAMED,
    MOST_PANELS,
    is_crowd,
    on_files,
    some_of,
    styles_and_names,
    tick_step,
)
from analyses.drawing.lettering import OthersName, add_legend, note_of
from analyses.drawing.pictures import Picture
from analyses.drawing.shared_axes import curves_of
from analyses.drawing.style import figure, grid_shape, line_styles
from landscape.results.provenance import UNKNOWN, Provenance
from tests.analyses.pictures import render
from tests.profile import some

COUNTS = (1, 12, MOST_NAMED, 200)
LONG = "vit-small-patch16-with-sam-rho-0.05-for-300-epochs-and-seed"
# A page of a journal is 11 inches high; screens take twice that.
LARGEST = 22.0


@dataclass(frozen=True)
class Height:
    """A curve's height under a label."""

    label: str
    height: float
    provenance: Provenance = UNKNOWN


def heights(count, name="net"):
    """The largest and the smallest are neither the first nor the last of many."""
    return [Height(f"{name}-{k}", float((7 * k + 3) % count)) for k in range(count)]


def drawn(results, columns):
    page = figure(6.8, 2.9)
    axes = page.subplots()
    handles = {}
    for curve in curves_of(results, "height", lambda result: result.height):
        (handles[curve.name],) = axes.plot([0, 1], [0, curve.result.height], **curve.style)
    add_legend(page, handles, columns)
    return page, axes


@pytest.mark.parametrize(
    ("count", "name", "columns"), some(product(COUNTS, ["net", LONG], [None, 6]), 8)
)
def test_a_legend_covers_no_curve_and_accounts_for_every_network(count, name, columns):
    page, axes = drawn(heights(count, name), columns)
    render(page)
    (legend,) = page.legends
    entries = [text.get_text() for text in legend.get_texts()]
    assert len(entries) <= MOST_NAMED
    unnamed = [int(found[1]) for text in entries if (found := re.match(r"(\d+) others", text))]
    assert len(entries) - len(unnamed) + sum(unnamed) == len(axes.lines) == count
    box, panel = legend.get_window_extent(), axes.get_window_extent()
    assert not panel.overlaps(box)
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= page.bbox.width
    assert panel.height >= 0.4 * 2.9 * page.dpi
    assert max(page.get_size_inches()) <= LARGEST


def test_the_first_the_last_and_the_extremes_of_many_are_named():
    results = heights(200)
    named = {curve.name: curve for curve in curves_of(results, "height", lambda r: r.height)}
    largest, smallest = (pick(results, key=lambda r: r.height) for pick in (max, min))
    assert set(named) == {
        "net-0 (first)",
        "net-199 (last)",
        f"{largest.label} (largest height)",
        f"{smallest.label} (smallest height)",
        "196 others, dark to light in their order",
    }
    assert len({tuple(curve.style.items()) for curve in named.values()}) == len(named)
    others = [curve for curve in curves_of(results) if not curve.is_named]
    assert len(others) == 198  # no quantity, no extremes
    assert len({curve.colour for curve in others}) > 150  # of the 256 of the map
    assert not any(curve.has_band for curve in others)


def test_a_network_that_is_remarkable_twice_is_named_once():
    names = [name for _, name in styles_and_names(["n"] * 30, "size", [9.0, *[float("nan")] * 29])]
    assert names[0] == "n (first, largest size, smallest size)"
    assert sum(not isinstance(name, OthersName) for name in names) == 2


@pytest.mark.parametrize("count", [1, 12, MOST_NAMED])
def test_few_networks_have_the_usual_styles(count):
    assert not is_crowd(count)
    titles = [f"n{k}" for k in range(count)]
    assert styles_and_names(titles) == list(zip(line_styles(count), titles, strict=True))


def panels(members):
    rows, columns = grid_shape(len(members))
    page = figure(2.5 * columns + 1.0, 2.4 * rows + 0.4)
    page.add_gridspec(rows, columns)
    page.members = tuple(members)
    return page


@pytest.mark.parametrize("files", [1, MOST_FILES, 20])
@pytest.mark.parametrize("count", [1, 12, MOST_PANELS, MOST_PANELS + 1, 200])
def test_every_network_has_a_panel_or_is_said_to_have_none(count, files):
    pages = on_files("surface", range(count), panels, most_files=files)
    assert list(pages)[:2] == ["surface", "surface-2"][: len(pages)]
    shown = [member for page in pages.values() for member in page.members]
    assert shown == list(range(len(shown)))
    for name, page in pages.items():
        note = note_of(page)
        left_out = re.search(r"the last (\d+) have no panel", note)
        assert len(shown) + (int(left_out[1]) if left_out else 0) == count
        assert all(other in note for other in pages if other != name)
        assert bool(note) == (count > MOST_PANELS)
        assert Picture(page).note == note
        assert max(page.get_size_inches()) <= LARGEST
        first, last = page.members[0] + 1, page.members[-1] + 1
        assert not note or note.startswith(f"Networks {first} to {last} of {count}")


def test_a_note_fits_its_page():
    for columns in (1, 4):
        page = on_files("attention-heads", range(200), lambda _, width=columns: figure(width, 2))
        render(page["attention-heads"])
        (title,) = (page["attention-heads"]._suptitle,)
        box = title.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= page["attention-heads"].bbox.width


def test_lists_of_labels_are_cut():
    assert some_of(["a", "b"]) == "a, b"
    labels = [f"n{k}" for k in range(200)]
    assert some_of(labels) == "n0, n1, n2, n3 and 196 others"


@pytest.mark.parametrize(("count", "step"), [(1, 1), (48, 1), (49, 2), (200, 5)])
def test_ticks_are_thinned_out(count, step):
    assert tick_step(count, 48) == step
    assert len(range(0, count, step)) <= 48

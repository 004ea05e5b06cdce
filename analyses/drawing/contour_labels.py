"""The labels of contours, of which none lies on another."""

from weakref import WeakKeyDictionary

from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.transforms import BboxBase

from analyses.drawing.numbers import contour_texts

_LABEL_SIZE = 6
# Contours before they were broken where their labels are, a path for each level.
_UNBROKEN: "WeakKeyDictionary[ContourSet, list[Path]]" = WeakKeyDictionary()


def label_contours(lines: ContourSet) -> None:
    """Write their levels on contours, which are broken there."""
    _UNBROKEN[lines] = list(lines.get_paths())
    lines.axes.clabel(lines, fontsize=_LABEL_SIZE, fmt=contour_texts(list(lines.levels)))


def drop_overlapping_labels(page: Figure) -> None:
    """Remove labels that lie on another, as where a narrow minimum has many contours.

    Of two the one of the lower level goes, whose contour is the smaller around a minimum; a contour
    without any label is whole again.

    Args:
        page: a figure that has been laid out.
    """
    for axes in page.axes:
        for lines in axes.collections:
            if isinstance(lines, ContourSet) and lines in _UNBROKEN:
                _drop_overlapping(lines)


def _drop_overlapping(lines: ContourSet) -> None:
    labels = lines.labelTexts
    boxes: list[BboxBase] = []
    dropped = []
    for label in sorted(labels, key=lambda text: float(text.get_text()), reverse=True):
        box = label.get_window_extent()
        if any(box.overlaps(other) for other in boxes):
            dropped.append(label)
        else:
            boxes.append(box)
    for label in dropped:
        label.remove()
        labels.remove(label)
    named = {label.get_text() for label in labels}
    unnamed = {label.get_text() for label in dropped} - named
    texts = contour_texts(list(lines.levels)).values()
    paths = zip(texts, _UNBROKEN[lines], lines.get_paths(), strict=True)
    lines.set_paths([whole if text in unnamed else broken for text, whole, broken in paths])

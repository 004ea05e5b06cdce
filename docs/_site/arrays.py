"""The reference of the arrays in result files, read from the files of the gallery."""

from pathlib import Path

import numpy as np

from analyses.catalog import known_analyses
from landscape.results.result import Array

GALLERY = Path(__file__).parents[2] / "figures" / "gallery" / "vit"

COLUMNS = ("| array | axes | shape | type | unit |", "|---|---|---|---|---|")
INTRODUCTION = """\
# Arrays of result files

What the files of [the gallery](../project/checkpoints/gallery/README.md) hold, read from them when
this page was built. The shapes are of those files; `()` is a single number or text. Which arrays a
file has depends on what was asked: a surface of two splits has `test_loss` beside `train_loss`.
This lists those of any file:

    from analyses.surface import Surface

    for path, array in Surface.load("figures/gallery/vit/surface.h5").arrays().items():
        print(path, array.unit, array.axes)

Attributes and layout, which are the same in all files: [Files](files.md).
"""


def arrays_page(gallery: Path = GALLERY) -> str:
    """The page of the arrays of every analysis that the gallery has a result of.

    Args:
        gallery: a folder of results, ``ANALYSIS.h5``.
    """
    lines = [INTRODUCTION]
    absent = []
    for name, analysis in known_analyses().items():
        path = gallery / f"{name}.h5"
        if not path.is_file():
            absent.append(name)
            continue
        arrays = analysis.result_type.load(path).arrays()
        lines += [
            f"## {name}",
            "",
            "| array | axes | shape | type | unit |",
            "|---|---|---|---|---|",
        ]
        lines += [_row(path_within, array) for path_within, array in arrays.items()]
        lines.append("")
    lines += ["## Others", "", f"The gallery has no result of {', '.join(absent)}.", ""]
    return "\n".join(lines)


def _row(path: str, array: Array) -> str:
    values = np.asarray(array.values)
    kind = "text" if values.dtype.kind in "OUS" else values.dtype.name
    shape = " × ".join(str(length) for length in values.shape) or "()"
    cells = (f"`{path}`", ", ".join(array.axes), shape, kind, array.unit)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

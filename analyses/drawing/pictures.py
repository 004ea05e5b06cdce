"""Figures as files; each format of a figure is rendered once, however often it is used."""

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from matplotlib.figure import Figure

from analyses.drawing.lettering import fit_names
from analyses.drawing.options import FORMATS
from landscape.results.files import replacing


class Picture:
    """A figure, and its bytes in the formats that were asked for."""

    def __init__(self, figure: Figure) -> None:
        self._figure = figure
        self._is_fitted = False
        self._rendered: dict[str, bytes] = {}

    def render(self, extension: str) -> bytes:
        """The bytes of the figure as ``png``, ``pdf`` or ``svg``."""
        if extension not in self._rendered:
            if not self._is_fitted:
                fit_names(self._figure)
                self._is_fitted = True
            buffer = io.BytesIO()
            self._figure.savefig(buffer, format=extension)
            self._rendered[extension] = buffer.getvalue()
        return self._rendered[extension]


def save_pictures(
    pictures: Mapping[str, Picture], folder: Path, formats: Iterable[str]
) -> list[Path]:
    """Write each picture in each picture format; returns the paths."""
    paths = []
    extensions = [extension for extension in formats if extension in FORMATS]
    for name, picture in pictures.items():
        for extension in extensions:
            path = folder / f"{name}.{extension}"
            with replacing(path) as temporary:
                temporary.write_bytes(picture.render(extension))
            paths.append(path)
    return paths

"""Figures as files. Each format of a figure is rendered once, however often it is used."""

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from matplotlib.figure import Figure

from analyses.drawing.contour_labels import drop_overlapping_labels
from analyses.drawing.lettering import fit_names, note_of
from analyses.drawing.options import FORMATS
from analyses.drawing.page_width import rearrange
from analyses.generated import MARK
from landscape.results.files import replacing


class Picture:
    """A figure with its bytes in each format, rendered when they are first requested.

    Attributes:
        note: what it says that it does not show; "" where it shows everything.
    """

    def __init__(self, figure: Figure) -> None:
        self.note = note_of(figure)
        self._figure: Figure | None = figure
        self._is_fitted = False
        self._rendered: dict[str, bytes] = {}

    def render(self, extension: str) -> bytes:
        """The bytes of the figure as png, pdf or svg."""
        if extension not in self._rendered:
            buffer = io.BytesIO()
            mark = {"Software" if extension == "png" else "Creator": MARK}
            self._fitted(extension).savefig(buffer, format=extension, metadata=mark)
            self._rendered[extension] = buffer.getvalue()
        return self._rendered[extension]

    def files(self, name: str, extension: str) -> dict[str, bytes]:
        """The files of the figure in a format of :data:`analyses.drawing.options.FORMATS`.

        Args:
            name: of the picture, without extension.
            extension: the format.

        Returns:
            Their bytes by name: ``NAME.EXTENSION``, after images that it includes.
        """
        if extension == "pgf":
            from analyses.drawing.pgf import pgf_files  # with the writer of PDFs that it is made of

            return pgf_files(self._fitted(extension), name)
        return {f"{name}.{extension}": self.render(extension)}

    def _fitted(self, extension: str) -> Figure:
        """The figure with panels and texts where they stay."""
        if self._figure is None:
            raise ValueError(f"the figure was not kept to be rendered as {extension}")
        if not self._is_fitted:
            rearrange(self._figure)
            if not fit_names(self._figure):
                # It is laid out, for all formats; a placeholder would be drawn for once more.
                self._figure.set_layout_engine(None)
            drop_overlapping_labels(self._figure)
            self._is_fitted = True
        return self._figure

    def release(self) -> None:
        """Forget the figure, which takes far more memory than what was rendered of it."""
        self._figure = None


def save_pictures(
    pictures: Mapping[str, Picture], folder: Path, formats: Iterable[str]
) -> list[Path]:
    """Write each picture in each format.

    Args:
        pictures: the pictures by file name.
        folder: where to write them.
        formats: file name extensions; those that are not picture formats are skipped.

    Returns:
        The paths of the files.
    """
    paths = []
    extensions = [extension for extension in formats if extension in FORMATS]
    for name, picture in pictures.items():
        for extension in extensions:
            for file, content in picture.files(name, extension).items():
                path = folder / file
                with replacing(path) as temporary:
                    temporary.write_bytes(content)
                paths.append(path)
    return paths

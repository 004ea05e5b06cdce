"""Figures as PGF, which a LaTeX document includes and whose texts are set in its fonts.

matplotlib's own writer runs LaTeX to measure texts. This one measures them in matplotlib's fonts:
where texts stand is given by their anchors, so that only the room that is left for them differs.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_pgf import RendererPgf
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from analyses.drawing.latex import latex_text
from analyses.generated import MARK

# In a document: pgf draws, and graphicx, which it loads, includes the images.
_HEAD = rf"""%% Creator: {MARK}
%%
%% \usepackage{{pgf}}, and then \input{{FILE.pgf}}. Images lie beside it; from another
%% folder, \usepackage{{import}} and \import{{FOLDER}}{{FILE.pgf}}.
\begingroup%
\makeatletter%
\begin{{pgfpicture}}%
"""
_TAIL = r"""\end{pgfpicture}%
\makeatother%
\endgroup%
"""


class _Renderer(RendererPgf):
    """Writes texts that LaTeX takes whatever they hold, and runs no LaTeX to do so."""

    def draw_text(
        self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float,
        ismath: Any = False, mtext: Any = None,
    ) -> None:  # fmt: skip
        source = latex_text(s, has_formulas=bool(ismath))
        super().draw_text(gc, x, y, source, prop, angle, ismath, mtext)  # type: ignore[no-untyped-call]

    def draw_image(self, gc: Any, x: float, y: float, im: Any, transform: Any = None) -> None:
        """Write an image as a PNG file beside the picture, which includes it.

        matplotlib's own method runs LaTeX to choose the command that does so.
        """
        rows, columns = im.shape[:2]
        if not rows or not columns:
            return
        path = Path(self.fh.name)
        file = f"{path.stem}-img{self.image_counter}.png"
        self.image_counter += 1
        info = PngInfo()
        info.add_text("Software", MARK)
        Image.fromarray(im[::-1]).save(path.with_name(file), pnginfo=info)
        if transform is None:
            place = rf"\pgfsys@transformshift{{{x / self.dpi:f}in}}{{{y / self.dpi:f}in}}"
            width, height = columns / self.dpi, rows / self.dpi
        else:
            *matrix, right, up = transform.frozen().to_values()
            numbers = "".join(f"{{{number:f}}}" for number in matrix)
            shift = f"{{{(right + x) / self.dpi:f}in}}{{{(up + y) / self.dpi:f}in}}"
            place = rf"\pgfsys@transformcm{numbers}{shift}"
            width = height = 1.0  # the matrix scales it
        smooth = str(transform is None).lower()
        options = f"interpolate={smooth},width={width:f}in,height={height:f}in"
        self.fh.write(r"\begin{pgfscope}%" + "\n")
        self._print_pgf_clip(gc)  # type: ignore[no-untyped-call]
        self.fh.write(f"{place}%\n")
        self.fh.write(rf"\pgftext[left,bottom]{{\includegraphics[{options}]{{{file}}}}}%" + "\n")
        self.fh.write(r"\end{pgfscope}%" + "\n")

    def get_text_width_height_descent(
        self, s: str, prop: Any, ismath: Any
    ) -> tuple[float, float, float]:
        width, height, descent = RendererBase.get_text_width_height_descent(self, s, prop, ismath)
        return float(width), float(height), float(descent)


def pgf_files(page: Figure, stem: str) -> dict[str, bytes]:
    """The files that a figure is as PGF: its images, if it has any, and ``STEM.pgf``."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{stem}.pgf"
        with path.open("w", encoding="utf-8") as stream:
            _write(page, stream)
        images = sorted(Path(folder).glob("*.png"), key=lambda image: (len(image.name), image.name))
        return {
            **{image.name: image.read_bytes() for image in images},
            path.name: path.read_bytes(),
        }


def _write(page: Figure, stream: TextIO) -> None:
    width, height, dpi = page.get_figwidth(), page.get_figheight(), page.dpi
    stream.write(_HEAD)
    corner = rf"\pgfqpoint{{{width:f}in}}{{{height:f}in}}"
    stream.write(rf"\pgfpathrectangle{{\pgfpointorigin}}{{{corner}}}%" + "\n")
    stream.write(r"\pgfusepath{use as bounding box, clip}%" + "\n")
    renderer: Any = _Renderer(page, stream)  # type: ignore[no-untyped-call]
    mixed: Any = MixedModeRenderer(page, width, height, dpi, renderer)
    page.draw(mixed)
    stream.write(_TAIL)

"""Style sheets of the user: what of them holds for our pictures, and what is refused."""

import logging
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.style

from analyses.drawing.options import PageOptions
from analyses.drawing.style import UserStyle
from landscape.errors import InputError
from landscape.runtime.plain.files import read_text

LOGGER = logging.getLogger(__name__)

MOST_BYTES = 1024**2
# Settings of windows, of programs that matplotlib starts, and of LaTeX: no look of a picture. A
# style sheet may come from anybody, and LaTeX runs what a preamble says.
_NO_LOOK = (
    "animation.", "backend", "datapath", "docstring.", "figure.max_open_warning",
    "figure.raise_window", "interactive", "keymap.", "macosx.", "pgf.", "ps.distiller",
    "ps.usedistiller",
    "savefig.directory", "savefig.format", "text.latex.", "text.usetex", "timezone", "tk.",
    "toolbar", "webagg.",
)  # fmt: skip


def read_page_style(options: PageOptions) -> UserStyle:
    """The style that the flags of a command ask for.

    Raises:
        InputError: the style sheet is not there, or can't be used.
    """
    settings = read_style_sheet(options.style) if options.style else {}
    return UserStyle(settings, options.width)


def read_style_sheet(name: str) -> dict[str, Any]:
    """The settings of a style sheet that are about the look of pictures.

    Args:
        name: a file, or a style that matplotlib has.

    Raises:
        InputError: there is neither, or a line of the file is no setting.
    """
    path = Path(name)
    if path.suffix != ".mplstyle" and name in mpl.style.library:
        sheet = _plain(mpl.style.library[name])
    else:
        sheet = _read(path)
    if sheet.get("text.usetex"):
        LOGGER.info(
            f"{name} sets text.usetex, which is left out: no picture runs LaTeX; with --format pgf "
            "your document's LaTeX sets the texts"
        )
    return {key: value for key, value in sheet.items() if not key.startswith(_NO_LOOK)}


def _read(path: Path) -> dict[str, Any]:
    try:
        text = read_text(path, MOST_BYTES)
    except FileNotFoundError as error:
        near = get_close_matches(str(path), mpl.style.available, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError(
            f"no such style: {path}; expected a .mplstyle file, or a style of matplotlib such as "
            f"seaborn-v0_8-paper{hint}"
        ) from error
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].strip()
        key, separator, _ = words.partition(":")
        if words and (not separator or key.strip() not in mpl.rcParams):
            near = get_close_matches(key.strip(), list(mpl.rcParams), 1)
            hint = f"did you mean {near[0]}?" if near else "leave the line out"
            raise InputError(
                f"{path}, line {number}: {key.strip()!r} is no setting of matplotlib "
                f"{mpl.__version__}; {hint}"
            )
    try:
        sheet = mpl.rc_params_from_file(path, fail_on_error=True, use_default_template=False)
    except Exception as error:  # of any type, by setting
        raise InputError(f"{path} can't be used: {error}") from error
    return _plain(sheet)


def _plain(sheet: Any) -> dict[str, Any]:
    return {str(key): sheet[key] for key in sheet}

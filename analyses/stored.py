"""Result files read without knowing what they hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from landscape.errors import InputError

if TYPE_CHECKING:
    from landscape.results.result import Result


def load(path: str | Path, analysis: str = "", label: str = "") -> Result:
    """Read a result file (.h5) of any analysis, or a line or surface of the original tool.

    Args:
        path: of the file.
        analysis: the name of the analysis that it has to be of; any without it.
        label: what the result is called; what the file says without it.

    Returns:
        A result of the class of its analysis.

    Raises:
        InputError: there is no such file, it is damaged or no result, or of another analysis.

    Example:
        >>> import analyses
        >>> analyses.load("figures/vit/hessian.h5").headline()["trace"]
    """
    from analyses.catalog import known_analyses
    from landscape.results.hdf5.read import is_hdf5, read_outline

    path = Path(path)
    if not path.exists():
        raise InputError(f"no such result: {path}")
    if not is_hdf5(path):
        raise InputError(f"{path} is not a result; expected an HDF5 file (.h5) of landscape-plot")
    for name, known in known_analyses().items():
        foreign = known.read_foreign(path, label or path.stem)
        if foreign is None:
            continue
        if analysis and name != analysis:
            raise InputError(f"{path} holds a {name}, not a {analysis}")
        return foreign
    held = str(read_outline(path).attributes.get("analysis", ""))
    if not held:
        raise InputError(
            f"{path} is an HDF5 file without a result of this toolkit; if it holds the "
            "weights of a Keras model, save them from torch instead"
        )
    expected = known_analyses().get(analysis or held)
    if expected is None:
        raise InputError(f"{path} holds {held}, which is not known")
    result: Result = expected.result_type.load(path)
    return replace(result, label=label) if label else result

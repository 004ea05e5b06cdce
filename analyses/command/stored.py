"""Results on disk, to be drawn again without the model that they were measured on."""

from pathlib import Path

from analyses.command.checkpoints import GivenCheckpoint, default_label
from analyses.stored import load
from landscape.results.hdf5.read import is_hdf5, read_outline
from landscape.results.result import Result


def is_result_file(path: Path) -> bool:
    """Whether ``path`` is an HDF5 file of a result rather than a checkpoint."""
    return path.suffix in (".h5", ".hdf5") and is_hdf5(path)


def label_of(path: Path) -> str:
    """The label that a result file holds, or the default label of a checkpoint."""
    stored = _attribute(path, "label") if is_result_file(path) else ""
    return stored or default_label(path)


def analysis_of(path: Path) -> str:
    """The analysis that a result file is of; "" for a checkpoint."""
    return (_attribute(path, "analysis") or "foreign") if is_result_file(path) else ""


def read_result(given: GivenCheckpoint, wanted: str = "") -> Result:
    """The result in a file, of this project or another tool, under the label that was given.

    Raises:
        InputError: if it is of another analysis than ``wanted``, where one is.
    """
    return load(given.path, wanted, given.label)


def _attribute(path: Path, name: str) -> str:
    """An attribute of a result file; "" where it has none or can't be read."""
    try:
        return str(read_outline(path).attributes.get(name, ""))
    except FileNotFoundError:
        return ""

"""Results on disk, to be drawn again without the model that they were measured on."""

from dataclasses import replace
from pathlib import Path

import h5py

from analyses.original_files import is_original_file, read_original
from analyses.subjects import Subject, default_label
from analyses.table import RESULTS
from landscape.errors import InputError
from landscape.results import Result


def is_result_file(path: Path) -> bool:
    """Whether ``path`` is an HDF5 file of a result rather than a checkpoint."""
    return path.is_file() and path.suffix in (".h5", ".hdf5") and h5py.is_hdf5(path)


def label_of(path: Path) -> str:
    """What a result is labelled, and what a checkpoint is by default."""
    own = _attribute(path, "label") if is_result_file(path) else ""
    return own or default_label(path)


def read_result(subject: Subject, analysis: str = "") -> Result:
    """The result, of this project or the original tool, under the subject's label.

    Raises InputError if it is of another analysis than is asked for, if one is.
    """
    if not is_original_file(subject.path):
        own = _attribute(subject.path, "analysis")
        kind = RESULTS.get(analysis or own)
        if kind is None:
            raise InputError(f"{subject.path} holds {own or 'no analysis'}, which is not known")
        return replace(kind.load(subject.path), label=subject.label)
    analysis = analysis or "surface"
    found = read_original(subject.path, subject.label)
    if found.analysis != analysis:
        raise InputError(f"{subject.path} holds a {found.analysis}, not a {analysis}")
    return found


def _attribute(path: Path, name: str) -> str:
    """An attribute of a result file; "" where it has none or can't be read."""
    try:
        with h5py.File(path, "r") as file:
            return str(file.attrs.get(name, ""))
    except OSError:
        return ""

"""Lines in files of the original loss-landscape tool."""

from pathlib import Path

from analyses.formats.original_files import count_directions
from analyses.line.result import Line
from analyses.slices.original import read_original_slice


def can_read(path: Path) -> bool:
    """Whether this file is a line of the original tool."""
    return count_directions(path) == 1


def read(path: Path, label: str) -> Line:
    """Read a line and label it. Raises InputError if the file is damaged."""
    return read_original_slice(Line, path, label)

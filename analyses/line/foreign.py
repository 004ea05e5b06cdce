"""Lines in files of the original loss-landscape tool."""

from pathlib import Path

from analyses.formats.original_files import count_directions
from analyses.line.result import Line
from analyses.slices.original import read_original_slice


def can_read(path: Path) -> bool:
    """Whether the original tool wrote a line into this file."""
    return count_directions(path) == 1


def read(path: Path, label: str) -> Line:
    """The line, labelled. Raises InputError for a damaged file."""
    return read_original_slice(Line, path, label)

"""Surfaces in files of the original loss-landscape tool."""

from pathlib import Path

from analyses.formats.original_files import count_directions
from analyses.slices.original import read_original_slice
from analyses.surface.result import Surface


def can_read(path: Path) -> bool:
    """Whether this file is a surface of the original tool."""
    return count_directions(path) == 2


def read(path: Path, label: str) -> Surface:
    """Read a surface and label it. Raises InputError if the file is damaged."""
    return read_original_slice(Surface, path, label)

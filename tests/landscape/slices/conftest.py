"""Fixtures shared by the tests of slices."""

import pytest


@pytest.fixture
def journal(tmp_path):
    """Where a queue of points keeps its journal."""
    return tmp_path / "surface.journal"

"""How thorough the tests are: quick by default, full under ``make test-full``."""

import os

IS_FULL = bool(os.environ.get("LANDSCAPE_FULL_TESTS"))


def repeats(quick: int, full: int) -> int:
    """How often a test repeats what it does."""
    return full if IS_FULL else quick

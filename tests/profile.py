"""How thorough the tests are: quick by default, full under ``make test-full``."""

import math
import os
from collections.abc import Iterable
from typing import TypeVar

import pytest

Item = TypeVar("Item")

IS_FULL = bool(os.environ.get("LANDSCAPE_FULL_TESTS"))


def repeats(quick: int, full: int) -> int:
    """How often a test repeats what it does."""
    return full if IS_FULL else quick


def some(items: Iterable[Item], quick: int) -> list[Item]:
    """A few of the items, spread over all combinations; every item under ``make test-full``."""
    choices = list(items)
    count = len(choices)
    if IS_FULL or quick >= count:
        return choices
    # Steps of the golden section, coprime to the count, soon meet each value of every parameter.
    step = next(n for n in range(round(0.618 * count), count + 2) if math.gcd(n, count) == 1)
    return [choices[place * step % count] for place in range(quick)]


# What takes many seconds, while shorter tests do most of the same.
long_test = pytest.mark.skipif(not IS_FULL, reason="takes long: under make test-full")

# Folders and modules that `make check` leaves out: commands, pictures, kills, processes, and the
# modules that took longest by `make pytest ARGS=--durations=0`.
SLOW = (
    "tests/analyses/attention/test_figures.py",
    "tests/analyses/command/",
    "tests/analyses/components/test_components.py",
    "tests/analyses/drawing/test_lettering.py",
    "tests/analyses/flatness/",
    "tests/analyses/formats/test_interactive_browser.py",
    "tests/analyses/formats/test_interactive_values.py",
    "tests/analyses/formats/test_original_files.py",
    "tests/analyses/hessian/",
    "tests/analyses/interpolate/test_command.py",
    "tests/analyses/line/test_line.py",
    "tests/analyses/minibatch/",
    "tests/analyses/recursion/",
    "tests/analyses/report/",
    "tests/analyses/robustness/",
    "tests/analyses/sharpness/",
    "tests/analyses/similarity/",
    "tests/analyses/slices/test_directions.py",
    "tests/analyses/slices/test_examples.py",
    "tests/analyses/surface/test_figures.py",
    "tests/analyses/test_catalog.py",
    "tests/analyses/test_plugin.py",
    "tests/analyses/trajectory/",
    "tests/benchmarks/gpu/test_command.py",
    "tests/cuda/",
    "tests/landscape/command/",
    "tests/landscape/curvature/",
    "tests/landscape/directions/test_derived.py",
    "tests/landscape/eigen/test_lanczos_networks.py",
    "tests/landscape/results/test_damaged_results.py",
    "tests/landscape/runtime/test_distributed.py",
    "tests/landscape/slices/test_extremes.py",
    "tests/landscape/slices/test_refinement.py",
    "tests/landscape/tracking/test_lightning.py",
    "tests/landscape/tracking/test_transformers.py",
    "tests/landscape/training/sam/test_ranks.py",
    "tests/landscape/training/test_kills.py",
    "tests/landscape/training/test_processes.py",
    "tests/landscape/training/test_recipes.py",
    "tests/landscape/training/test_resume.py",
    "tests/test_documentation.py",
    "tests/test_examples.py",
    "tests/test_how_to.py",
    "tests/test_site.py",
)

"""A trajectory that many tests look at."""

import pytest

from analyses import trajectory
from analyses.trajectory.settings import Settings
from tests.analyses.problems import network
from tests.analyses.trajectory.walks import GRID, in_double, save, walk


@pytest.fixture(scope="package")
def measured(tmp_path_factory):
    """The networks of a walk, the objective of the last, and the trajectory."""
    networks = walk(network().double())
    pattern = save(networks, tmp_path_factory.mktemp("epochs"))
    problem = in_double(networks[-1])
    return networks, problem, trajectory.compute(problem, Settings(epochs=pattern, **GRID))

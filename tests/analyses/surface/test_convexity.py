"""The map of convexity."""

from dataclasses import replace

import numpy as np

from analyses.surface.map_figures import convexity_map
from tests.analyses.problems import result


def test_points_without_eigenvalues_are_not_called_convex():
    plane = result("surface")
    smallest = np.full(plane.loss.shape, -0.5)
    smallest[0, 0], smallest[1, 1], smallest[2, 2] = np.nan, 0.3, -np.inf
    largest = np.where(np.isnan(smallest), np.nan, 2.0)
    shown = replace(plane, values={**plane.values, "min_eig": smallest, "max_eig": largest})
    colours = convexity_map([shown]).axes[0].collections[0].get_array()
    expected = np.full(plane.loss.shape, 0.25)
    expected[1, 1] = 0.0
    np.testing.assert_array_equal(colours.mask.nonzero(), [[0, 2], [0, 2]])
    np.testing.assert_array_equal(colours.compressed(), expected[~colours.mask])

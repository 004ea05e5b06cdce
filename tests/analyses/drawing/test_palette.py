"""Readers of any colour vision tell the colours of curves apart.

Colour vision deficiencies are simulated as in Viénot, Brettel and Mollon, "Digital video
colourmaps for checking the legibility of displays by dichromats", Color Research & Application 24
(1999): protanopia and deuteranopia project linear RGB, in the space of the cones, onto the plane of
white, black, blue and yellow. Tritanopia projects onto that of white, black, red and cyan, in the
same cone space (the matrices of Smith and Pokorny's cones that the paper gives). Differences are
CIE 1976 ΔE in L*a*b* under D65, of which about 2.3 is just noticeable.
"""

import itertools

import numpy as np
import pytest

from analyses.drawing.style import COLOURS

# Linear RGB to long, middle and short cones, and XYZ; Viénot et al. (1999), equation 4; sRGB.
CONES = np.array(
    [[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]]
)
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
     [0.0193339, 0.1191920, 0.9503041]]
)  # fmt: skip
# The missing cone, and the second colour (beside white) that spans the plane of what is seen.
MISSING = {
    "protanopia": (0, (0, 0, 1)),
    "deuteranopia": (1, (0, 0, 1)),
    "tritanopia": (2, (1, 0, 0)),
}
JUST_NOTICEABLE = 2.3


def linear(colour):
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def seen(rgb, vision):
    """Linear RGB as somebody with this colour vision sees it."""
    if vision == "normal":
        return rgb
    cone, other = MISSING[vision]
    # The plane through black, white and the other colour: n . cones = 0.
    normal = np.cross(CONES @ np.ones(3), CONES @ np.array(other, dtype=float))
    cones = CONES @ rgb
    rest = [k for k in range(3) if k != cone]
    cones[cone] = -(normal[rest] @ cones[rest]) / normal[cone]
    return np.linalg.solve(CONES, cones).clip(0, 1)


def lab(rgb):
    white = XYZ @ np.ones(3)
    ratio = XYZ @ rgb / white
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def least_difference(colours, vision):
    shown = [lab(seen(linear(colour), vision)) for colour in colours]
    return min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(shown, 2))


def test_the_simulation_is_that_of_the_paper():
    """White, black and grey stay; reds and greens of one brightness become alike."""
    for vision in MISSING:
        for grey in (0.0, 0.4, 1.0):
            np.testing.assert_allclose(seen(np.full(3, grey), vision), grey, atol=1e-9)
    # The published matrix of protanopia in linear RGB, to its digits.
    matrix = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
    rgb = np.array([0.3, 0.5, 0.4])
    np.testing.assert_allclose(seen(rgb, "protanopia"), matrix @ rgb, atol=1e-4)
    assert least_difference(["#D00000", "#5C5C00"], "protanopia") < 20
    assert least_difference(["#D00000", "#5C5C00"], "normal") > 50


def test_black_and_white_are_100_apart():
    assert least_difference(["#000000", "#ffffff"], "normal") == pytest.approx(100, abs=1e-3)


@pytest.mark.parametrize("vision", ["normal", *MISSING])
def test_every_two_colours_are_told_apart(vision):
    """Four times what is just noticeable side by side, for thin lines apart from each other."""
    assert least_difference(COLOURS, vision) > 4 * JUST_NOTICEABLE

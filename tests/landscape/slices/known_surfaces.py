"""Surfaces that are known everywhere, and refinements of them."""

from dataclasses import dataclass

import numpy as np

from landscape.slices.refinement import Refinement

SHAPE = (51, 51)
TOLERANCE = 0.01


def axes(shape):
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    return x, y


def bowl(x, y):
    return 0.05 * np.exp(3 * (x**2 + y**2))


def anisotropic(x, y):
    return 0.05 * np.exp(4 * x**2 + 0.4 * y**2 + 0.5 * x * y)


def kinked(x, y):
    """The largest of planes, and quadratics: what ReLUs make of a logarithm."""
    planes = 1.5 * np.random.default_rng(0).normal(size=(8, 3))
    return np.exp(np.max([a * x + b * y + c for a, b, c in planes], axis=0) + x**2 + 0.5 * y**2)


def creased(x, y):
    """A sum of many ReLUs, all kinks small."""
    draw = np.random.default_rng(1).normal(size=(30, 3))
    return np.exp(sum(np.maximum(0, a * x + b * y + c / 2) for a, b, c in draw) / 3 + x**2)


def shallow(x, y):
    """Such a sum whose smallest values are nearly zero, which steepens its logarithm."""
    draw = np.random.default_rng(0)
    draw.normal(size=(8, 3))
    planes = draw.normal(size=(30, 3))
    return np.exp(sum(np.maximum(0, a * x + b * y + c / 2) for a, b, c in planes) / 3 + x**2) - 0.9


def steep(x, y):
    """A cone of five decades, round at its tip."""
    return 1e-3 * np.exp(9.55 * np.sqrt(x**2 + y**2 + 0.05))


def diverging(x, y):
    values = np.exp(2 * (x**2 + y**2))
    values[(x - 0.7) ** 2 + (y - 0.6) ** 2 < 0.09] = np.nan
    return values


def negative(x, y):
    return np.sin(2 * x) * np.cos(y) + x - 0.3


# With the share of the points that refinement may measure at most.
SURFACES = {
    bowl: 0.10,
    anisotropic: 0.10,
    kinked: 0.20,
    creased: 0.20,
    shallow: 0.20,
    steep: 0.10,
    diverging: 0.25,
    negative: 0.10,
}


@dataclass(frozen=True)
class Run:
    truth: np.ndarray
    refinement: Refinement
    rounds: list
    filled: object

    @property
    def hidden(self):
        return ~self.refinement.measured

    def errors(self):
        """The true errors of interpolated values, as the claims are: of logarithms, or plain."""
        if self.filled.relative:
            errors = np.abs(np.log(self.filled.values / self.truth))
        else:
            errors = np.abs(self.filled.values - self.truth)
        return errors[self.hidden]

    def claims(self):
        return self.filled.error[self.hidden]

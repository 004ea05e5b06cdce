"""Stochastic Lanczos quadrature: the spectral density of H, and with it the trace.

For a probe v the m eigenvalues of Lanczos' T and the squared first entries of its eigenvectors are
the nodes and weights of the Gauss quadrature of the density that v sees (Golub and Meurant, 1994);
the mean over random probes is the density of H (Ubaru, Chen and Saad, 2017, Algorithm 1; Ghorbani,
Krishnan and Xiao, ICML 2019, Algorithm 2). The first diagonal entry of each T is v'Hv, which is
Hutchinson's estimate of the trace (1990) at no further cost.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from landscape.curvature.krylov import Krylov
from landscape.curvature.operators import SymmetricOperator, rademacher_vectors
from landscape.errors import InputError
from landscape.progress import track

Array = NDArray[np.float64]

# The bases of probes that run side by side, and share backward passes, take no more than this.
BASIS_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Quadrature:
    """``nodes`` and ``weights`` of shape (probes, m); each probe's weights sum to 1.

    ``traces`` holds Hutchinson's estimate of each probe, of shape (probes,).
    """

    nodes: Array
    weights: Array
    traces: Array

    @property
    def trace(self) -> float:
        """The mean over the probes."""
        return float(self.traces.mean())

    @property
    def trace_stderr(self) -> float:
        """Its standard error; nan for a single probe."""
        if len(self.traces) < 2:
            return math.nan
        return float(self.traces.std(ddof=1) / math.sqrt(len(self.traces)))

    def density(self, grid: Array, width: float, relative: float = 0.0) -> tuple[Array, Array]:
        """The density on ``grid``, every node smoothed by a Gaussian.

        The standard deviation at a node t is ``width + relative * |t|``, so that far outliers
        need not be as narrow as the bulk. Returns the mean over the probes and its standard
        error (0 for a single probe), each of the grid's shape, per unit of the eigenvalue; the
        integral over the line is 1.
        """
        widths = width + relative * np.abs(self.nodes)
        z = (grid[:, None, None] - self.nodes) / widths
        kernels = np.exp(-0.5 * z**2) / (widths * math.sqrt(2 * math.pi))
        by_probe = (kernels * self.weights).sum(-1)
        probes = by_probe.shape[1]
        error = by_probe.std(1, ddof=1) / math.sqrt(probes) if probes > 1 else 0 * by_probe[:, 0]
        return by_probe.mean(1), error


def stochastic_lanczos(
    operator: SymmetricOperator, probes: int, steps: int, generator: torch.Generator
) -> Quadrature:
    """Run ``steps`` Lanczos steps from each of ``probes`` random-sign vectors, side by side."""
    if probes < 1 or steps < 1:
        raise InputError(f"expected at least one probe and one step, got {probes} and {steps}")
    steps = min(steps, operator.size)
    starts = rademacher_vectors(operator, probes, generator).T
    bytes_a_probe = (steps + 1) * operator.size * starts.element_size()
    together = max(1, BASIS_BYTES // bytes_a_probe)
    alphas, rules = [], []
    for group in starts.split(together):
        processes = [Krylov(operator, start, generator, steps) for start in group]
        for _ in track(range(steps), f"spectral density (Lanczos steps of {len(group)} probes)"):
            products = operator.matmat(torch.stack([p.vector for p in processes], dim=1))
            for process, product in zip(processes, products.T, strict=True):
                process.advance(product.contiguous())
        rules += [process.ritz() for process in processes]
        alphas += [process.alphas[0] for process in processes]
    # A start vector has norm sqrt(P), and Lanczos divides by it: v'Hv is P times alpha_1.
    return Quadrature(
        nodes=np.stack([nodes for nodes, _ in rules]),
        weights=np.stack([vectors[0] ** 2 for _, vectors in rules]),
        traces=operator.size * np.array(alphas),
    )

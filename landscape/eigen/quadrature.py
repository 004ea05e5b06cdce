"""Stochastic Lanczos quadrature: the spectral density of H, and with it the trace.

For a probe v the m eigenvalues of Lanczos' T and the squared first entries of its eigenvectors are
the nodes and weights of the Gauss quadrature of the density that v sees (Golub and Meurant, 1994).
The mean over random probes is the density of H (Ubaru, Chen and Saad, 2017, Algorithm 1; Ghorbani,
Krishnan and Xiao, ICML 2019, Algorithm 2). The first diagonal entry of each T is v'Hv, which is
Hutchinson's estimate of the trace (1990) at no further cost.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.eigen.basis import affordable_rows, basis_bytes
from landscape.eigen.krylov import Krylov
from landscape.eigen.operator import SymmetricOperator
from landscape.eigen.rayleigh_ritz import RitzSubspace, joined, ritz_subspace
from landscape.errors import InputError, NotMeasurableError
from landscape.estimates import Estimate, mean_and_stderr
from landscape.runtime.progress import track

Array = NDArray[np.float64]

# The standard deviation of a node's Gaussian, as a share of the distance to its neighbours.
SMOOTHING = 0.5
# The most memory for the bases of probes that run side by side and share backward passes.
BASIS_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Quadrature:
    """The quadrature rules of several probes.

    Attributes:
        nodes: the Ritz values of each probe, of shape (probes, m).
        weights: of the same shape; those of each probe sum to 1.
        traces: Hutchinson's estimate of the trace by each probe, of shape (probes,).
    """

    nodes: Array
    weights: Array
    traces: Array

    @property
    def trace(self) -> float:
        """The estimate of the trace, the mean over the probes."""
        return float(self.traces.mean())

    @property
    def trace_stderr(self) -> float:
        """The standard error of :attr:`trace`; nan for a single probe."""
        return Estimate.of(self.traces).stderr

    @property
    def dof(self) -> float:
        """The degrees of freedom of all errors over probes: one less than there are probes."""
        return float(len(self.traces) - 1)

    @property
    def widths(self) -> Array:
        """The mean distance of each node to its neighbours, of shape (probes, m).

        Between two nodes of a probe it is not known where the weight lies. So a bulk of many nodes
        comes out sharp, however far away the outliers are.
        """
        if self.nodes.shape[1] == 1:
            return np.maximum(np.abs(self.nodes), np.finfo(float).tiny)
        gaps = np.diff(self.nodes, axis=1)
        around = np.concatenate([gaps[:, :1], (gaps[:, 1:] + gaps[:, :-1]) / 2, gaps[:, -1:]], 1)
        # Nodes that are equal up to rounding: a repeated eigenvalue, or a zero operator.
        scale = np.abs(self.nodes).max(1, keepdims=True)
        return np.maximum(around, np.maximum(1e-9 * scale, np.finfo(float).tiny))

    def density(self, grid: Array, finest: float = 0.0) -> tuple[Array, Array]:
        """The density of eigenvalues, every node smoothed by a Gaussian of its own width.

        Args:
            grid: where to evaluate it, of shape (n,).
            finest: the smallest standard deviation of a Gaussian, which is else half of the node's
                entry in :attr:`widths`.

        Returns:
            The mean over the probes and its standard error (nan for a single probe), both of shape
            (n,), per unit of the eigenvalue. The integral over the line is 1.
        """
        widths = np.maximum(SMOOTHING * self.widths, finest)
        z = (grid[:, None, None] - self.nodes) / widths
        kernels = np.exp(-0.5 * z**2) / (widths * math.sqrt(2 * math.pi))
        return mean_and_stderr((kernels * self.weights).sum(-1))

    def beyond(self, thresholds: Array) -> tuple[Array, Array]:
        """The share of eigenvalues farther from 0 than each threshold, on its side of 0.

        Nothing is smoothed: there is a step at every node.

        Args:
            thresholds: positive or negative numbers, of shape (n,).

        Returns:
            The mean over the probes and its standard error (nan for a single probe), both of shape
            (n,).
        """
        signs = np.sign(thresholds)[:, None, None]
        farther = signs * self.nodes > np.abs(thresholds)[:, None, None]
        return mean_and_stderr((farther * self.weights).sum(-1))

    @property
    def negative_share(self) -> tuple[float, float]:
        """How much of the curvature is negative, and its standard error (nan for a single probe).

        It is the sum of |lambda| over the negative eigenvalues as a share of the sum over all. (The
        number of negative ones says little: most are 0 up to rounding, of either sign.)
        """
        sizes = np.abs(self.nodes) * self.weights
        negative = (sizes * (self.nodes < 0)).sum(1).mean()
        whole = sizes.sum(1).mean()
        share = negative / whole if whole else 0.0
        # The error of a ratio of means, to first order.
        differences = (sizes * (self.nodes < 0)).sum(1) - share * sizes.sum(1)
        return float(share), Estimate.of(differences).stderr / float(whole or 1.0)


def stochastic_lanczos(
    operator: SymmetricOperator,
    probes: Tensor,
    steps: int,
    generator: torch.Generator,
    *,
    leading: int = 0,
    wide: int = 0,
    which: str = "magnitude",
) -> tuple[Quadrature, RitzSubspace | None]:
    """Run Lanczos from several probes side by side.

    Args:
        operator: the matrix H.
        probes: start vectors of random signs, the columns of (P, n).
        steps: how many Lanczos steps, and products, for each probe.
        generator: the source of fresh vectors where a Krylov space is exhausted.
        leading: for how many leading eigenpairs a Ritz subspace is returned; no product is spent
            on it.
        wide: how many pairs the subspace has besides, in its ``wide``; their Ritz vectors have
            fewer digits.
        which: which eigenpairs lead: ``magnitude``, ``ends`` or ``magnitude with ends``.

    Returns:
        The quadrature, and the span of the Ritz vectors that come closest to the leading
        eigenvectors (:mod:`landscape.eigen.rayleigh_ritz`); None without ``leading``.

    Raises:
        InputError: there is no probe or no step.
        NotMeasurableError: memory does not hold the basis of one probe.

    Example:
        >>> operator = CurvatureOperator(objective)
        >>> generator = torch.Generator().manual_seed(0)
        >>> probes = rademacher_vectors(operator, 4, generator)
        >>> quadrature, _ = stochastic_lanczos(operator, probes, 10, generator)
        >>> quadrature.nodes.shape
        (4, 10)
    """
    count = probes.shape[1]
    if count < 1 or steps < 1:
        raise InputError(f"expected at least one probe and one step, got {count} and {steps}")
    steps = min(steps, operator.size)
    room = affordable_rows(operator.size, operator.dtype, operator.device)
    if room < steps + 1:
        raise NotMeasurableError(
            f"the spectral density needs {steps + 1} vectors of {operator.size:,} numbers, and "
            f"there is memory for {room}; take fewer steps (--density-steps)"
        )
    bytes_a_probe = basis_bytes(operator.size, steps + 1, operator.dtype)
    group_size = max(1, min(BASIS_BYTES // bytes_a_probe, room // (steps + 1)))
    groups = probes.T.split(group_size)
    quotients, rules = [], []
    kept: dict[int, list[RitzSubspace]] = {count: [] for count in (leading, wide) if count}
    bar = track(
        None,
        f"spectral density (Lanczos steps of {len(groups[0])} probes)",
        total=steps * len(groups),
        less="lower --probes, --density-steps or --samples",
    )
    with bar:
        for group in groups:
            processes = [Krylov(operator, start, generator, steps, steps) for start in group]
            for _ in range(steps):
                products = operator.matmat(torch.stack([p.vector for p in processes], dim=1))
                for process, product in zip(processes, products.T, strict=True):
                    process.advance(product.contiguous())
                bar.update()
            rules += [process.ritz() for process in processes]
            quotients += [process.quotient for process in processes]
            for count, subspaces in kept.items():
                of_processes = [ritz_subspace(process, count, which) for process in processes]
                subspaces.append(joined(of_processes, count, which))
    # A start vector of random signs has norm sqrt(P), and Lanczos divides by it.
    quadrature = Quadrature(
        nodes=np.stack([nodes for nodes, _ in rules]),
        weights=np.stack([vectors[0] ** 2 for _, vectors in rules]),
        traces=operator.size * np.array(quotients),
    )
    whole = {count: joined(subspaces, count, which) for count, subspaces in kept.items()}
    if not leading:
        return quadrature, None
    return quadrature, replace(whole[leading], wide=whole.get(wide))

"""Numbers of spectra, whose errors are over samples, probes or seeds, for benchmarks.coverage."""

from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import Tensor

from analyses import hessian, ntk
from benchmarks.coverage.population import Measured, Population, small_network
from landscape.curvature.sampling import SLICES
from landscape.eigen.eigenpairs import Eigenpairs
from landscape.eigen.lanczos import lanczos
from landscape.eigen.operator import rademacher_vectors
from landscape.eigen.quadrature import Quadrature, stochastic_lanczos
from landscape.eigen.trace import deflated_trace, frobenius_norm
from landscape.estimates import Estimate

PROBES = 6
STEPS = 40
TOP = 5
KERNEL = 16  # samples of the tangent kernel


def largest_eigenvalue(population: Population, repeats: int) -> Measured:
    """About the mean over samples of one size; how far that is from all data is its bias."""
    count = 512
    claims = []
    settings = hessian.Settings(top=1, quick=True)
    for objective in population.samples(count, repeats):
        spectrum = hessian.compute(objective, settings)
        error = spectrum.headline()["sampling_error"]
        claims.append([Estimate(float(spectrum.eigenvalues[0]), float(error), SLICES - 1)])
    whole = float(hessian.compute(population.objective(), settings).eigenvalues[0])
    expected = float(np.mean([claim.value for (claim,) in claims]))
    bias = 100 * (expected / whole - 1)
    note = f"{count} samples, about their mean, which is {bias:+.0f} % off that of all data"
    return Measured(claims, expected, note)


class _Dense:
    """A matrix in memory, whose products cost nothing."""

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix
        self.size, self.dtype, self.device = len(matrix), matrix.dtype, matrix.device

    def matmat(self, vectors: Tensor) -> Tensor:
        return self.matrix @ vectors

    exact_matmat = matmat


class _Spectra:
    """The quadratures of all repeats, of the Hessian of a fixed sample."""

    def __init__(self, population: Population, repeats: int) -> None:
        objective = population.objective(population.draw(256, 0))
        identity = torch.eye(objective.num_parameters, dtype=torch.float64)
        products = objective.hessian_product(identity)
        self.operator = _Dense((products + products.T) / 2)
        self.eigenvalues = torch.linalg.eigvalsh(self.operator.matrix).numpy()
        pairs = lanczos(self.operator, TOP, torch.Generator().manual_seed(0))
        self.runs = [self._run(seed, pairs) for seed in range(repeats)]

    def _run(self, seed: int, pairs: Eigenpairs) -> tuple[Quadrature, Estimate, Estimate]:
        generator = torch.Generator().manual_seed(seed)
        probes = rademacher_vectors(self.operator, PROBES, generator)
        quadrature, _ = stochastic_lanczos(self.operator, probes, STEPS, generator)
        trace = deflated_trace(quadrature, probes, pairs)
        return quadrature, trace, frobenius_norm(quadrature, probes, pairs)


@cache
def _spectra(population: Population, repeats: int) -> _Spectra:
    return _Spectra(population, repeats)


def trace(population: Population, repeats: int) -> Measured:
    """The trace, over other probes."""
    spectra = _spectra(population, repeats)
    claims = [[trace] for _, trace, _ in spectra.runs]
    return Measured(claims, float(spectra.eigenvalues.sum()), f"{PROBES} probes")


def frobenius_norm_of_hessian(population: Population, repeats: int) -> Measured:
    """The Frobenius norm, over other probes."""
    spectra = _spectra(population, repeats)
    claims = [[norm] for _, _, norm in spectra.runs]
    return Measured(claims, float(np.linalg.norm(spectra.eigenvalues)), f"{PROBES} probes")


def negative_share(population: Population, repeats: int) -> Measured:
    """The negative share of curvature, over other probes."""
    spectra = _spectra(population, repeats)
    claims = [[Estimate(*q.negative_share, q.dof)] for q, _, _ in spectra.runs]
    sizes = np.abs(spectra.eigenvalues)
    truth = float(sizes[spectra.eigenvalues < 0].sum() / sizes.sum())
    return Measured(claims, truth, f"{PROBES} probes")


def density(population: Population, repeats: int) -> Measured:
    """At points where there is a density; its truth is the mean over all repeats' probes."""
    spectra = _spectra(population, repeats)
    grid = np.quantile(spectra.eigenvalues, np.linspace(0.02, 0.98, 13))
    finest = 0.01 * float(spectra.eigenvalues.max())
    curves = [quadrature.density(grid, finest) for quadrature, _, _ in spectra.runs]
    claims = [
        [Estimate(float(m), float(e), PROBES - 1) for m, e in zip(mean, error, strict=True)]
        for mean, error in curves
    ]
    truth = np.mean([mean for mean, _ in curves], axis=0)
    return Measured(claims, truth, f"{PROBES} probes, {len(grid)} points, about the mean of all")


def share_beyond(population: Population, repeats: int) -> Measured:
    """The share of eigenvalues beyond thresholds, which dense eigenvalues tell."""
    spectra = _spectra(population, repeats)
    largest = spectra.eigenvalues.max()
    thresholds = np.geomspace(0.02, 0.5, 7) * largest
    claims = []
    for quadrature, _, _ in spectra.runs:
        mean, error = quadrature.beyond(thresholds)
        claims.append(
            [Estimate(float(m), float(e), PROBES - 1) for m, e in zip(mean, error, strict=True)]
        )
    truth = (spectra.eigenvalues[:, None] > thresholds).mean(0)
    return Measured(claims, truth, f"{PROBES} probes, {len(thresholds)} thresholds")


def kappa(population: Population, repeats: int) -> Measured:
    """The condition number at initialisation, over other seeds."""
    seeds = ntk.Settings().ntk_seeds
    settings = ntk.Settings(ntk_samples=KERNEL, ntk_seeds=max(seeds * repeats, 1000))
    objective = population.objective(torch.arange(KERNEL))
    result = ntk.compute(objective, settings, initialise=small_network)
    claims = []
    for repeat in range(repeats):
        few = result.full[seeds * repeat : seeds * (repeat + 1)]
        claims.append([replace(result, full=few).mean_kappa("full")])
    return Measured(claims, result.mean_kappa("full").value, f"{seeds} seeds")

"""The numbers whose errors :mod:`benchmarks.coverage` compares with the truth.

The population is a set of real pictures; a sample is drawn from it with replacement, so that the
truth is the mean over all of them. A small network is trained on it, in float64.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from analyses import flatness, hessian, linearity, ntk, sparsity
from landscape.curvature.sampling import SLICES
from landscape.data.corruptions.catalog import FAMILIES, SEVERITIES
from landscape.data.samples import TensorSamples
from landscape.data.sources.digits import digits
from landscape.eigen.eigenpairs import Eigenpairs
from landscape.eigen.lanczos import lanczos
from landscape.eigen.operator import rademacher_vectors
from landscape.eigen.quadrature import Quadrature, stochastic_lanczos
from landscape.eigen.trace import deflated_trace, frobenius_norm
from landscape.estimates import Estimate
from landscape.objective.objective import Objective
from landscape.robustness.evaluator import Evaluator
from landscape.robustness.scores import score_of

HIDDEN = 12
EPOCHS = 150
SIGMA = 0.1  # of the noise on weights
DRAWS = 10
PROBES = 6
STEPS = 40
TOP = 5
KERNEL = 16  # samples of the tangent kernel


@dataclass(frozen=True)
class Measured:
    """What was measured: the estimates of each repeat, of one number or of a curve's points."""

    estimates: Sequence[Sequence[Estimate]]
    truth: float | NDArray[np.float64]
    note: str


def small_network(seed: int = 0) -> nn.Sequential:
    """A perceptron for pictures of 8x8 pixels and ten classes."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 10)
    ).double()


@dataclass(frozen=True)
class Population:
    """All pictures with their labels, and a network that was trained on them.

    Attributes:
        model: the network.
        data: the pictures, whose ``inputs`` are pixels and which are normalised when read.
        inputs: these, normalised, in float64.
    """

    model: nn.Sequential
    data: TensorSamples
    inputs: Tensor

    @classmethod
    def trained(cls) -> "Population":
        """Train the network on the training pictures; it is far from perfect on the others."""
        data = digits("train")
        inputs = data.fetch(torch.arange(len(data))).double()
        model = small_network()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(EPOCHS):
            optimizer.zero_grad()
            F.cross_entropy(model(inputs[::4]), data.targets[::4]).backward()
            optimizer.step()
        return cls(model.requires_grad_(True).eval(), data, inputs)

    def draw(self, count: int, seed: int) -> Tensor:
        """``count`` numbers of pictures, independent of each other."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(len(self.inputs), (count,), generator=generator)

    def objective(self, chosen: Tensor | None = None) -> Objective:
        """The loss over some pictures, or over all."""
        chosen = torch.arange(len(self.inputs)) if chosen is None else chosen
        return Objective(
            self.model,
            (self.inputs[chosen], self.data.targets[chosen]),
            device="cpu",
            dtype=torch.float64,
            verify=False,
        )

    def samples(self, count: int, repeats: int) -> list[Objective]:
        """The loss over a sample for each repeat."""
        return [self.objective(self.draw(count, seed)) for seed in range(repeats)]

    @cached_property
    def correct(self) -> Tensor:
        """Which pictures are classified correctly."""
        with torch.no_grad():
            return self.model(self.inputs).argmax(1) == self.data.targets


def _loss(population: Population, repeats: int) -> Measured:
    count = 512
    claims = []
    for objective in population.samples(count, repeats):
        evaluation = objective.evaluate()
        claims.append([Estimate(evaluation.loss, evaluation.loss_stderr, count - 1)])
    return Measured(claims, population.objective().loss(), f"{count} samples")


def _accuracy(population: Population, repeats: int) -> Measured:
    count = 512
    claims = [
        [score_of(population.correct[population.draw(count, seed)]).share]
        for seed in range(repeats)
    ]
    return Measured(claims, population.correct.double().mean().item(), f"{count} samples")


def _corruption_accuracy(population: Population, repeats: int) -> Measured:
    count, pictures = 256, 400
    evaluator = Evaluator(
        population.model,
        population.data.take(torch.arange(pictures)),
        torch.device("cpu"),
        population.data.normalization,
        torch.float64,
    )
    names = [(family, severity) for family in FAMILIES for severity in SEVERITIES]
    correct = evaluator.correct_corrupted(names)
    claims = [
        [score_of(correct[population.draw(count, seed) % pictures]).share]
        for seed in range(repeats)
    ]
    # The remainders of the numbers don't all occur equally often.
    occurrences = torch.bincount(torch.arange(len(population.inputs)) % pictures).double()
    truth = (correct.double().mean(1) * occurrences).sum() / occurrences.sum()
    return Measured(claims, truth.item(), f"{count} samples, {len(names)} corruptions")


def _noisy_loss(population: Population, repeats: int) -> Measured:
    count, many = 256, 4000
    claims = []
    settings = flatness.Settings(
        noise=("fixed",),
        sigmas=(SIGMA,),
        draws=DRAWS,
        radii=(0.0,),
        adaptive_radii=(0.0,),
        linf_radii=(0.0,),
    )
    for seed, objective in enumerate(population.samples(count, repeats)):
        result = flatness.compute(objective, replace(settings, seed=seed))
        claims.append([result.average_at("fixed", SIGMA)])
    whole = flatness.compute(population.objective(), replace(settings, draws=many, seed=10**6))
    truth = whole.average_at("fixed", SIGMA).value
    return Measured(claims, truth, f"{count} samples, {DRAWS} draws")


def _active(population: Population, repeats: int) -> Measured:
    count = 256
    claims = [
        [sparsity.compute(objective).mean_share] for objective in population.samples(count, repeats)
    ]
    truth = sparsity.compute(population.objective()).mean
    return Measured(claims, truth, f"{count} samples")


def _missing_rate(population: Population, repeats: int) -> Measured:
    count, many = 256, 200_000
    settings = linearity.Settings(segment=3)
    claims = [
        [linearity.compute(objective, settings).missing_rate]
        for objective in population.samples(count, repeats)
    ]
    first, second = population.draw(many, 10**6), population.draw(many, 10**6 + 1)
    middle = torch.lerp(population.inputs[first], population.inputs[second], 0.5)
    with torch.no_grad():
        predicted = population.model(middle).argmax(1)
    targets = population.data.targets
    missed = (predicted != targets[first]) & (predicted != targets[second])
    return Measured(claims, missed.double().mean().item(), f"{count // 2} pairs")


def _largest_eigenvalue(population: Population, repeats: int) -> Measured:
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


_SPECTRA: dict[int, _Spectra] = {}


def _spectra(population: Population, repeats: int) -> _Spectra:
    if repeats not in _SPECTRA:
        _SPECTRA[repeats] = _Spectra(population, repeats)
    return _SPECTRA[repeats]


def _trace(population: Population, repeats: int) -> Measured:
    spectra = _spectra(population, repeats)
    claims = [[trace] for _, trace, _ in spectra.runs]
    return Measured(claims, float(spectra.eigenvalues.sum()), f"{PROBES} probes")


def _frobenius(population: Population, repeats: int) -> Measured:
    spectra = _spectra(population, repeats)
    claims = [[norm] for _, _, norm in spectra.runs]
    return Measured(claims, float(np.linalg.norm(spectra.eigenvalues)), f"{PROBES} probes")


def _negative_share(population: Population, repeats: int) -> Measured:
    spectra = _spectra(population, repeats)
    claims = [[Estimate(*q.negative_share, q.dof)] for q, _, _ in spectra.runs]
    sizes = np.abs(spectra.eigenvalues)
    truth = float(sizes[spectra.eigenvalues < 0].sum() / sizes.sum())
    return Measured(claims, truth, f"{PROBES} probes")


def _density(population: Population, repeats: int) -> Measured:
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


def _tails(population: Population, repeats: int) -> Measured:
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


def _kappa(population: Population, repeats: int) -> Measured:
    seeds = ntk.Settings().ntk_seeds
    settings = ntk.Settings(ntk_samples=KERNEL, ntk_seeds=max(seeds * repeats, 1000))
    objective = population.objective(torch.arange(KERNEL))
    result = ntk.compute(objective, settings, initialise=small_network)
    claims = []
    for repeat in range(repeats):
        few = result.full[seeds * repeat : seeds * (repeat + 1)]
        claims.append([replace(result, full=few).mean_kappa("full")])
    return Measured(claims, result.mean_kappa("full").value, f"{seeds} seeds")


QUANTITIES: dict[str, Callable[[Population, int], Measured]] = {
    "loss": _loss,
    "accuracy": _accuracy,
    "corruption accuracy": _corruption_accuracy,
    "L^N": _noisy_loss,
    "active share": _active,
    "missing rate": _missing_rate,
    "lambda_1": _largest_eigenvalue,
    "trace": _trace,
    "Frobenius norm": _frobenius,
    "negative share": _negative_share,
    "density": _density,
    "share beyond": _tails,
    "kappa": _kappa,
}

"""Numbers whose errors are over samples, for :mod:`benchmarks.coverage`."""

from dataclasses import replace

import torch

from analyses import flatness, linearity, sparsity
from benchmarks.coverage.population import Measured, Population
from landscape.data.corruptions.catalog import FAMILIES, SEVERITIES
from landscape.estimates import Estimate
from landscape.robustness.evaluator import Evaluator
from landscape.robustness.scores import score_of

SIGMA = 0.1  # of the noise on weights
DRAWS = 10


def loss(population: Population, repeats: int) -> Measured:
    """The loss, with its sampling error."""
    count = 512
    claims = []
    for objective in population.samples(count, repeats):
        evaluation = objective.evaluate()
        claims.append([Estimate(evaluation.loss, evaluation.loss_stderr, count - 1)])
    return Measured(claims, population.objective().loss(), f"{count} samples")


def accuracy(population: Population, repeats: int) -> Measured:
    """The accuracy, a share of right answers."""
    count = 512
    claims = [
        [score_of(population.correct[population.draw(count, seed)]).share]
        for seed in range(repeats)
    ]
    return Measured(claims, population.correct.double().mean().item(), f"{count} samples")


def corruption_accuracy(population: Population, repeats: int) -> Measured:
    """The accuracy on corrupted pictures: many answers for each picture."""
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


def noisy_loss(population: Population, repeats: int) -> Measured:
    """L^N, over other samples and other noise."""
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


def active_share(population: Population, repeats: int) -> Measured:
    """The share of active neurons, the mean over layers."""
    count = 256
    claims = [
        [sparsity.compute(objective).mean_share] for objective in population.samples(count, repeats)
    ]
    truth = sparsity.compute(population.objective()).mean
    return Measured(claims, truth, f"{count} samples")


def missing_rate(population: Population, repeats: int) -> Measured:
    """The missing rate of pairs of samples."""
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

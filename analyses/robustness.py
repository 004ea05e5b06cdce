"""Robustness: accuracy on corrupted, attacked and other pictures (the paper's Tables 1 and 2).

Corruptions are the 15 families of ImageNet-C at five severities (Hendrycks and Dietterich, ICLR
2019), made of the sample's own pictures at their own size, and reported as the paper does: as
accuracy, not as an error relative to AlexNet's. Attacks are FGSM (Goodfellow et al., ICLR 2015) and
PGD (Madry et al., ICLR 2018) within an l-infinity ball.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analyses import robustness_settings
from analyses.robustness_result import Robustness
from landscape.data.batches import merge
from landscape.data.corruptions.catalog import SEVERITIES
from landscape.data.samples import Normalization, TensorSamples
from landscape.errors import NotMeasurableError
from landscape.objective import Objective
from landscape.robustness.evaluator import Attack, Evaluator
from landscape.robustness.scores import Score
from landscape.work import IN_MEMORY, Work

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.style import Look

Settings = robustness_settings.Settings

TITLE = "Robustness"
SUMMARY = "accuracy on corrupted and attacked pictures and on other sets"
READING = {
    "": (
        "The accuracy on held-out pictures after the corruptions of ImageNet-C, under attacks "
        "that move every pixel by at most a radius, and on other sets. Errors are standard errors "
        "over pictures; those of means over corruptions allow for their being of the same "
        "pictures. All networks see the same corrupted pictures."
    ),
    "robustness": (
        "Above, accuracy by severity of corruption, the mean over families, and by radius of the "
        "attacks; 0 are the pictures as they are. Below, each family by itself, the mean over "
        "severities, and the further sets. Bars are standard errors. A network is robust where its "
        "curve falls late, not where it starts high. FGSM takes one step of the whole radius; PGD "
        "starts at random and takes small ones, and with steps too short to cross the ball it is "
        "the weaker attack."
    ),
}
# Rounding moves pixels out of [0, 1] by less; another normalisation does by much more.
MARGIN = 1e-3


def compute(
    objective: Objective, settings: Settings | None = None, work: Work = IN_MEMORY
) -> Robustness:
    """Classify the objective's pictures as they are, corrupted and attacked, and other sets.

    Raises NotMeasurableError for inputs that are no pictures, for pictures that nobody says how
    they were normalised, and for targets that are no class numbers.
    """
    settings = settings or Settings()
    started = time.perf_counter()
    label = objective.origin.get("label", "model")
    evaluator = _evaluator(objective, settings.seed)
    families, radii = settings.families, settings.attack_radius
    names = [(family, severity) for family in families for severity in SEVERITIES]
    fgsm = [Attack(radius / 255) for radius in radii]
    pgd = [
        Attack(radius / 255, settings.attack_steps, settings.step_of(radius) / 255)
        for radius in radii
    ]
    sets = _scores_of_sets(evaluator, objective, settings.sets)
    correct = evaluator.correct().numpy()
    corrupted = evaluator.correct_corrupted(names, f"corruptions of {label}").numpy()
    attacked = evaluator.correct_attacked([*fgsm, *pgd], f"attacks on {label}").numpy()
    clean = objective.evaluate()
    return Robustness(
        label=objective.origin.get("label", ""),
        settings=settings,
        provenance=objective.provenance(time.perf_counter() - started),
        loss=clean.loss,
        loss_stderr=clean.loss_stderr,
        correct=correct,
        families=families,
        corrupted=corrupted.reshape(len(correct), len(families), len(SEVERITIES)),
        radii=np.array(radii, dtype=np.float64),
        fgsm=attacked[:, : len(radii)],
        pgd=attacked[:, len(radii) :],
        sets=sets,
    )


def _evaluator(objective: Objective, seed: int) -> Evaluator:
    """The objective's network on its own inputs, once these are known to be pictures."""
    whole = merge(objective.batches)
    inputs, targets = whole.inputs, whole.targets
    if not isinstance(inputs, Tensor) or inputs.dim() != 4 or inputs.shape[1] not in (1, 3):
        shape = tuple(inputs.shape) if isinstance(inputs, Tensor) else type(inputs).__name__
        raise NotMeasurableError(
            "robustness is of pictures, inputs of shape (n, 1 or 3, height, width), "
            f"these are {shape}"
        )
    if not isinstance(targets, Tensor) or targets.dim() != 1 or targets.is_floating_point():
        raise NotMeasurableError("robustness is of classifiers, with one class number per picture")
    normalization = getattr(objective.source, "normalization", None)
    _check_pixels(inputs, normalization)
    return Evaluator(
        module=objective.module,
        samples=TensorSamples(inputs, targets),
        device=objective.device,
        normalization=normalization,
        dtype=objective.dtype,
        loss=objective.loss_function,
        batch_size=max(batch.size for batch in objective.batches),
        seed=seed,
    )


def _check_pixels(inputs: Tensor, normalization: Normalization | None) -> None:
    pixels = normalization.undo(inputs) if normalization else inputs
    low, high = (value.item() for value in torch.aminmax(pixels))
    if not (low >= -MARGIN and high <= 1 + MARGIN):
        how = "as their normalisation is undone" if normalization else "and no normalisation known"
        raise NotMeasurableError(
            f"pixels have to lie in [0, 1], these go from {low:.3g} to {high:.3g}, {how}: "
            "say with --mean and --std, or the objective's source, how they were normalised"
        )


def _scores_of_sets(
    evaluator: Evaluator, objective: Objective, words: Sequence[str]
) -> dict[str, Score]:
    """Before all else, since a folder that is not there should be known at once."""
    source = objective.source
    if words and source is None:
        raise NotMeasurableError("--sets needs to know the classes: give the objective its source")
    found: dict[str, Score] = {}
    for word in words:
        assert source is not None
        name, _, path = word.partition("=")
        size, crop = source.input_shape[-1], getattr(source, "crop", 1.0)
        found |= evaluator.scores_of_sets(name, Path(path), source, size, crop)
    return found


def tabulate(results: Sequence[Robustness]) -> dict[str, list[dict[str, str]]]:
    """Tables with a row for each checkpoint."""
    from analyses.robustness_figures import tables

    return tables(results)


def draw(results: Sequence[Robustness], look: Look | None = None) -> dict[str, Figure]:
    """Accuracy by severity, radius, family and set, all checkpoints together."""
    from analyses.robustness_figures import accuracies

    return {"robustness": accuracies(results)}

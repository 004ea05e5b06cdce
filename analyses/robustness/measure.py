"""Robustness: accuracy on corrupted, attacked and other pictures (the paper's Tables 1 and 2).

Corruptions are the 15 families of ImageNet-C at five severities (Hendrycks and Dietterich, ICLR
2019), applied to the sample's own pictures at their own size, and reported as the paper does: as
accuracy, not as an error relative to AlexNet's. Attacks are FGSM (Goodfellow et al., ICLR 2015) and
PGD (Madry et al., ICLR 2018) within an l-infinity ball.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from analyses.robustness.result import Robustness
from analyses.robustness.settings import Settings
from analyses.run_context import RunContext
from landscape.data.batches import merge
from landscape.data.corruptions.catalog import SEVERITIES
from landscape.data.samples import Normalization, TensorSamples
from landscape.errors import NotMeasurableError
from landscape.objective.objective import Objective
from landscape.robustness.evaluator import Attack, Evaluator
from landscape.robustness.scores import Score

# Rounding moves pixels out of [0, 1] by less than this, a wrong normalisation by far more.
MARGIN = 1e-3


def measure(objective: Objective, settings: Settings, context: RunContext) -> Robustness:
    """Classify the objective's pictures, also corrupted and attacked, and those of other sets.

    Args:
        objective: a classifier and its pictures; how these were normalised is known from the
            objective's source, and without a source they are pixels in [0, 1].
        settings: the corruptions, attacks and further sets.
        context: not used.

    Returns:
        Which pictures are classified correctly, and the scores on further sets.

    Raises:
        NotMeasurableError: if the inputs are not pictures, if their normalisation is not known, or
            if the targets are not class numbers.
        InputError: if a further set can't be read.
    """
    label = objective.label or "model"
    evaluator = _evaluator(objective, settings.seed)
    families, radii = settings.families, settings.attack_radius
    names = [(family, severity) for family in families for severity in SEVERITIES]
    fgsm = [Attack(radius / 255) for radius in radii]
    pgd = [
        Attack(radius / 255, settings.attack_steps, settings.step_of(radius) / 255)
        for radius in radii
    ]
    # First, so that a missing folder is reported before the long part of the work.
    sets = _scores_of_sets(evaluator, objective, settings.sets)
    correct = evaluator.correct().numpy()
    corrupted = evaluator.correct_corrupted(names, f"corruptions of {label}").numpy()
    attacked = evaluator.correct_attacked([*fgsm, *pgd], f"attacks on {label}").numpy()
    clean = objective.evaluate()
    return Robustness(
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
    """The evaluator of the objective's network; its inputs are checked to be pictures."""
    data = merge(objective.batches)
    inputs, targets = data.inputs, data.targets
    if not isinstance(inputs, Tensor) or inputs.dim() != 4 or inputs.shape[1] not in (1, 3):
        shape = tuple(inputs.shape) if isinstance(inputs, Tensor) else type(inputs).__name__
        raise NotMeasurableError(
            f"robustness needs pictures, inputs of shape (n, 1 or 3, height, width), got {shape}"
        )
    if not isinstance(targets, Tensor) or targets.dim() != 1 or targets.is_floating_point():
        shape = tuple(targets.shape) if isinstance(targets, Tensor) else type(targets).__name__
        raise NotMeasurableError(
            f"robustness needs one class number per picture as targets, got {shape}"
        )
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
        how = "after undoing their normalisation" if normalization else "without a normalisation"
        raise NotMeasurableError(
            f"pixels have to lie in [0, 1], got {low:.3g} to {high:.3g} {how}: "
            "pass the normalisation with --mean and --std or with the objective's source"
        )


def _scores_of_sets(
    evaluator: Evaluator, objective: Objective, words: Sequence[str]
) -> dict[str, Score]:
    """The scores on further sets, each given as NAME=PATH."""
    source = objective.source
    if words and source is None:
        raise NotMeasurableError("--sets needs to know the classes: give the objective its source")
    scores: dict[str, Score] = {}
    for word in words:
        assert source is not None
        name, _, path = word.partition("=")
        size, crop = source.input_shape[-1], getattr(source, "crop", 1.0)
        scores |= evaluator.scores_of_sets(name, Path(path), source, size, crop)
    return scores

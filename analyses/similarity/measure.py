"""Similarity of layers and of weights, and what a rescaling does to sharpness.

CKA compares features (Kornblith et al., ICML 2019) of two layers of one network, or of any two
networks on the same samples; cosines and distances compare weights with another checkpoint's. The
rescaling is a check on all measures of sharpness: the network is rescaled so that its function
stays the same (:mod:`landscape.measures.symmetries`). A measure that changes is then no property
of the function.
"""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analyses.run_context import RunContext
from analyses.similarity.result import MEASURES, Similarity
from analyses.similarity.settings import Settings
from analyses.similarity.sharpness_measures import known_spectrum, ratio_of, sharpness_measures
from landscape.checkpoints.weights import read_weights
from landscape.errors import NotMeasurableError
from landscape.hooks.activations import watch_activations, watch_outputs
from landscape.measures.cka import centred_gram
from landscape.measures.symmetries import find_symmetries, rescaled
from landscape.objective.objective import Objective
from landscape.parameters.components import block_paths, components
from landscape.runtime.choices import FEWEST_CKA_SAMPLES

Values = NDArray[np.float64]

MOST_LAYERS = 24


def measure(
    objective: Objective,
    settings: Settings,
    context: RunContext,
    *,
    reference: Tensor | None = None,
) -> Similarity:
    """Compare layers, compare weights with a reference, and measure sharpness under rescaling.

    Args:
        objective: the loss and its samples, the first of which the features are taken of.
        settings: how many samples, the reference, and the factor of the rescaling.
        context: where a known Hessian spectrum is taken from.
        reference: other weights of shape (P,), in place of the settings' checkpoint.

    Returns:
        The similarity without label, settings and provenance.

    Raises:
        NotMeasurableError: if the network has neither blocks nor activation functions, or if
            there are too few samples.

    Example:
        >>> from analyses import similarity
        >>> similarity.compute(objective, similarity.Settings(cka_samples=6)).ratios.shape
        (5, 2)
    """
    if reference is None and settings.reference:
        reference = read_weights(Path(settings.reference), objective).theta
    grams = layer_grams(objective, settings.cka_samples)
    names, weights = _compare_weights(objective, reference)
    symmetries = find_symmetries(objective, settings.rescale)
    before = after = ratios = np.full((len(MEASURES), 2), math.nan)
    if symmetries:
        theta = rescaled(objective, symmetries, settings.rescale)
        plain_measures = sharpness_measures(
            objective, objective.theta, settings.seed, known_spectrum(context)
        )
        rescaled_measures = sharpness_measures(objective, theta, settings.seed)
        before, after = plain_measures.table, rescaled_measures.table
        ratios = ratio_of(rescaled_measures, plain_measures)
    return Similarity(
        layers=tuple(grams),
        grams=np.stack(list(grams.values())).astype(np.float32),
        components=names,
        weights=weights,
        symmetries=dict(Counter(symmetry.kind for symmetry in symmetries)),
        before=before,
        after=after,
        ratios=ratios,
    )


def layer_grams(objective: Objective, count: int) -> dict[str, Values]:
    """The centred Gram matrices of layers over the first samples.

    There is one forward pass for each layer, so that the features of only one are in memory.

    Args:
        objective: the network and its samples.
        count: the number of samples; all of them if there are fewer.

    Returns:
        Matrices of shape (count, count) by layer, in order. Layers are blocks, or activation
        functions in a network without blocks; 24 of them, evenly chosen, if there are more.

    Raises:
        NotMeasurableError: if there are no such layers, or fewer than 4 samples.
    """
    count = min(count, objective.num_samples)
    if count < FEWEST_CKA_SAMPLES:
        raise NotMeasurableError(f"CKA needs at least {FEWEST_CKA_SAMPLES} samples, got {count}")
    names = _layers(objective)
    chosen = np.unique(np.linspace(0, len(names) - 1, min(len(names), MOST_LAYERS)).round())
    return {
        title: centred_gram(_features(objective, path, count))
        for path, title in (list(names.items())[int(k)] for k in chosen)
    }


def _layers(objective: Objective) -> dict[str, str]:
    """The titles of the layers by their paths in the module."""
    blocks = block_paths(objective.module)
    if blocks:
        return blocks
    seen: dict[str, str] = {}

    def note(layer: str, _output: Tensor) -> None:
        seen[layer] = layer

    with watch_activations(objective.module, note), objective.evaluating():
        objective.forward(objective.batches[0].slice(0, 1))
    if not seen:
        raise NotMeasurableError(
            f"{type(objective.module).__name__} has neither blocks nor activation functions whose "
            "features could be compared"
        )
    return seen


def _features(objective: Objective, layer: str, count: int) -> Values:
    """The outputs of a layer for the first samples, of shape (count, features)."""
    outputs: list[Tensor] = []

    def keep(name: str, output: Tensor) -> None:
        if name == layer:
            outputs.append(output.detach().flatten(1).double().cpu())

    module = objective.module
    is_block = layer in dict(module.named_modules()) and layer in block_paths(module)
    watching = watch_outputs(module, [layer], keep) if is_block else watch_activations(module, keep)
    left = count
    with watching, objective.evaluating():
        for batch in objective.batches:
            used = batch.slice(0, min(left, batch.size))
            objective.forward(used)
            left -= used.size
            if not left:
                break
    return torch.cat(outputs).numpy()


def _compare_weights(
    objective: Objective, reference: Tensor | None
) -> tuple[tuple[str, ...], Values]:
    """The names of the whole network and its components, and their :func:`_distances`, (C, 3)."""
    groups = components(objective.module, objective.layout)
    names = ("whole network", *groups)
    if reference is None:
        return names, np.full((len(names), 3), math.nan)
    theta = objective.theta.double()
    reference = reference.to(objective.theta).double()
    rows = [_distances(theta, reference)]
    rows += [_distances(group.gather(theta), group.gather(reference)) for group in groups.values()]
    return names, np.array(rows)


def _distances(weights: Tensor, reference: Tensor) -> list[float]:
    """Cosine, distance, and distance relative to the norm of the reference."""
    norms = torch.linalg.vector_norm(weights) * torch.linalg.vector_norm(reference)
    distance = torch.linalg.vector_norm(weights - reference)
    relative = distance / torch.linalg.vector_norm(reference)
    return [(weights @ reference / norms).item(), distance.item(), relative.item()]

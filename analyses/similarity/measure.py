"""Similarity of layers and of weights, and what a rescaling does to sharpness.

CKA compares features (Kornblith et al., ICML 2019), of two layers of one network or of any two
networks on the same samples; cosines and distances compare weights with another checkpoint's. The
third part is a check on all measures of sharpness: the network is rescaled so that its function
stays as it is (landscape.measures.symmetries), and what changes nevertheless is no property of the
function.
"""

from __future__ import annotations

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
from analyses.similarity.sharpness_measures import ratio_of, sharpness_measures, spectrum_of
from landscape.checkpoints.weights import read_weights
from landscape.errors import NotMeasurableError
from landscape.hooks.activations import watch_activations, watch_outputs
from landscape.measures.cka import centred_gram
from landscape.measures.symmetries import find_symmetries, rescaled
from landscape.objective.objective import Objective
from landscape.parameters.components import block_paths, components
from landscape.runtime.choices import FEWEST_CKA_SAMPLES
from landscape.runtime.devices import full_precision

Values = NDArray[np.float64]

MOST_LAYERS = 24


def measure(
    objective: Objective,
    settings: Settings,
    context: RunContext,
    *,
    reference: Tensor | None = None,
) -> Similarity:
    """Features of the sample's first samples, weights against a reference, and the rescaling.

    ``reference`` are other weights of shape (P,), in place of the settings' checkpoint. Raises
    NotMeasurableError for a network without layers that can be watched.
    """
    if reference is None and settings.reference:
        reference = read_weights(Path(settings.reference), objective).theta
    grams = layer_grams(objective, settings.cka_samples)
    parts, weights = _compare_weights(objective, reference)
    symmetries = find_symmetries(objective, settings.rescale)
    before = after = ratios = np.full((len(MEASURES), 2), math.nan)
    if symmetries:
        moved = rescaled(objective, symmetries, settings.rescale)
        known = spectrum_of(context)
        one = sharpness_measures(objective, objective.theta, settings.seed, known)
        other = sharpness_measures(objective, moved, settings.seed)
        before, after, ratios = one.table, other.table, ratio_of(other, one)
    return Similarity(
        layers=tuple(grams),
        grams=np.stack(list(grams.values())).astype(np.float32),
        parts=parts,
        weights=weights,
        symmetries=dict(Counter(symmetry.kind for symmetry in symmetries)),
        before=before,
        after=after,
        ratios=ratios,
    )


def layer_grams(objective: Objective, count: int) -> dict[str, Values]:
    """The centred Gram matrix of the first ``count`` samples for each layer, in order.

    Layers are blocks, or activations in a network that has none; evenly chosen where there are
    more than 24. One pass for each layer, so that no two layers' features are in memory.
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
    blocks = block_paths(objective.module)
    if blocks:
        return blocks
    seen: dict[str, str] = {}

    def note(layer: str, _output: Tensor) -> None:
        seen[layer] = layer

    with watch_activations(objective.module, note), torch.no_grad(), full_precision():
        objective.forward(objective.batches[0].slice(0, 1))
    if not seen:
        raise NotMeasurableError(
            f"{type(objective.module).__name__} has neither blocks nor activation functions whose "
            "features could be compared"
        )
    return seen


def _features(objective: Objective, layer: str, count: int) -> Values:
    """What a layer puts out for the first samples, of shape (count, features)."""
    found: list[Tensor] = []

    def keep(name: str, output: Tensor) -> None:
        if name == layer:
            found.append(output.flatten(1).double().cpu())

    module = objective.module
    is_block = layer in dict(module.named_modules()) and layer in block_paths(module)
    watching = watch_outputs(module, [layer], keep) if is_block else watch_activations(module, keep)
    left = count
    with watching, torch.no_grad(), full_precision():
        for batch in objective.batches:
            part = batch.slice(0, min(left, batch.size))
            objective.forward(part)
            left -= part.size
            if not left:
                break
    return torch.cat(found).numpy()


def _compare_weights(
    objective: Objective, reference: Tensor | None
) -> tuple[tuple[str, ...], Values]:
    groups = components(objective.module, objective.layout)
    names = ("whole network", *groups)
    if reference is None:
        return names, np.full((len(names), 3), math.nan)
    theta = objective.theta.double()
    other = reference.to(objective.theta).double()
    rows = [_compare(theta, other)]
    rows += [_compare(group.gather(theta), group.gather(other)) for group in groups.values()]
    return names, np.array(rows)


def _compare(one: Tensor, other: Tensor) -> list[float]:
    norms = torch.linalg.vector_norm(one) * torch.linalg.vector_norm(other)
    distance = torch.linalg.vector_norm(one - other)
    relative = distance / torch.linalg.vector_norm(other)
    return [(one @ other / norms).item(), distance.item(), relative.item()]

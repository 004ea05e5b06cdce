"""Similarity of layers and of weights, and what a rescaling does to sharpness.

CKA compares features (Kornblith et al., ICML 2019), of two layers of one network or of any two
networks on the same samples; cosines and distances compare weights with another checkpoint's. The
third part is a check on all measures of sharpness: the network is rescaled so that its function
stays as it is (landscape.symmetries), and what changes nevertheless is no property of the function.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analyses import similarity_result
from analyses.sharpness_measures import ratio_of, sharpness_measures, spectrum_of
from analyses.similarity_result import MEASURES, Similarity, are_comparable, of_layers
from landscape.activations import watch_activations, watch_outputs
from landscape.checkpoints.weights import read_weights
from landscape.cka import FEWEST, centred_gram
from landscape.components import block_paths, components
from landscape.devices import full_precision
from landscape.errors import NotMeasurableError
from landscape.objective import Objective
from landscape.symmetries import find_symmetries, rescaled
from landscape.work import IN_MEMORY, Work

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.style import Look

Settings = similarity_result.Settings
Values = NDArray[np.float64]

TITLE = "Similarity and invariance"
SUMMARY = "CKA between layers and networks, weights compared, and sharpness under rescaling"
READING = {
    "": (
        "How alike layers and networks are, by their features (CKA: 1 for the same up to rotation "
        "and scale, about 0 for unrelated ones) and by their weights; and what happens to measures "
        "of sharpness when weights are rescaled so that the function stays the same. A ratio other "
        "than 1 there is a property of the weights' scale, not of the function. The error of CKA "
        "is a jackknife's over samples; cosines and distances are exact."
    ),
    "similarity": (
        "Each map compares all layers of a network (rows) with its own or, for a second network "
        "of the same architecture, with the first's. Bright blocks off the diagonal are layers "
        "that do much the same."
    ),
    "similarity-networks": "CKA of the last layers of all pairs of networks, on the same samples.",
    "similarity-invariance": (
        "Measures of sharpness after all rescalings relative to before, with errors; the function "
        "is the same. What lies off the line at 1 is not invariant."
    ),
}
MOST_LAYERS = 24


def compute(
    objective: Objective,
    settings: Settings | None = None,
    work: Work = IN_MEMORY,
    *,
    reference: Tensor | None = None,
) -> Similarity:
    """Features of the sample's first samples, weights against a reference, and the rescaling.

    ``reference`` are other weights of shape (P,), in place of the settings' checkpoint. Raises
    NotMeasurableError for a network without layers that can be watched.
    """
    settings = settings or Settings()
    started = time.perf_counter()
    if reference is None and settings.reference:
        reference = read_weights(Path(settings.reference), objective).theta
    grams = layer_grams(objective, settings.cka_samples)
    parts, weights = _compare_weights(objective, reference)
    symmetries = find_symmetries(objective, settings.rescale)
    before = after = ratios = np.full((len(MEASURES), 2), math.nan)
    if symmetries:
        moved = rescaled(objective, symmetries, settings.rescale)
        known = spectrum_of(work)
        one = sharpness_measures(objective, objective.theta, settings.seed, known)
        other = sharpness_measures(objective, moved, settings.seed)
        before, after, ratios = one.table, other.table, ratio_of(other, one)
    return Similarity(
        label=objective.origin.get("label", ""),
        settings=settings,
        provenance=objective.provenance(time.perf_counter() - started),
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
    if count < FEWEST:
        raise NotMeasurableError(f"CKA needs at least {FEWEST} samples, got {count}")
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


def tabulate(results: Sequence[Similarity]) -> dict[str, list[dict[str, str]]]:
    """CKA within and with the first network, weights, and the rescaling."""
    from analyses.style import number, with_error

    def layers(one: Similarity) -> dict[str, str]:
        row = {
            "checkpoint": one.label,
            "layers": str(len(one.layers)),
            "CKA, first and last layer": with_error(*of_layers(one, one, 0, -1)),
        }
        first = results[0]
        title = f"CKA of the last layer with that of {first.label}"
        if one is first:
            row[title] = "itself"
        elif are_comparable(one, first):
            row[title] = with_error(*of_layers(one, first, -1, -1))
        else:
            row[title] = "other samples"
        return row

    def weights(one: Similarity) -> dict[str, str]:
        cosine, distance, relative = (
            [number(value) for value in one.weights[0]] if one.has_reference else ["–"] * 3
        )
        reference = Path(one.settings.reference)
        return {
            "checkpoint": one.label,
            "reference": str(reference) if one.settings.reference else "none of its kind before it",
            "cosine with its weights": cosine,
            "distance": distance,
            "distance / its norm": relative,
        }

    def ratio(value: float, error: float) -> str:
        return with_error(value, error) if error > 1e-9 else f"{number(value)} (exact)"

    def rescaling(one: Similarity) -> dict[str, str]:
        kinds = ", ".join(f"{count} of {kind}" for kind, count in one.symmetries.items())
        ratios = {
            measure: ratio(*map(float, row)) if one.symmetries else "–"
            for measure, row in zip(MEASURES, one.ratios, strict=True)
        }
        return {"checkpoint": one.label, "rescaled": kinds or "no symmetry found", **ratios}

    return {
        "Layers (CKA ± jackknife error over samples)": [layers(one) for one in results],
        "Weights, compared with a reference (exact)": [weights(one) for one in results],
        "Sharpness after rescalings that leave the function as it is, relative to before": [
            rescaling(one) for one in results
        ],
    }


def draw(results: Sequence[Similarity], look: Look | None = None) -> dict[str, Figure]:
    """Maps of CKA, the last layers of all networks, and the ratios."""
    from analyses.similarity_figures import invariance, layer_maps, network_map

    found = {"similarity": layer_maps(results)}
    if len(results) > 1 and all(are_comparable(results[0], one) for one in results):
        found["similarity-networks"] = network_map(results)
    if any(one.symmetries for one in results):
        found["similarity-invariance"] = invariance(results)
    return found


def first_of_each(results: Sequence[Similarity]) -> list[tuple[Similarity, Similarity]]:
    """Each result with the one its map compares it with: the first of its kind, or itself."""
    firsts: dict[str, Similarity] = {}
    pairs = []
    for one in results:
        made = one.provenance.origin
        kind = f"{made.get('model')} {made.get('model_args')} {one.layers}"
        first = firsts.setdefault(kind, one)
        pairs.append((one, first if are_comparable(one, first) else one))
    return pairs

"""Attention maps of the class token, and the entropy of attention, layer by layer.

The maps are those of the paper's Figure 3: the raw attention of the last layer from the class
token to the patches, the mean over heads. Beside them, attention rollout (Abnar and Zuidema, ACL
2020), which follows attention through all layers. The entropy of a row of attention weights,

    H = - sum_k a_k log a_k,    from 0 (one key) to log(keys) (all keys alike),

says in a number how widely a head looks (Zhai et al., ICML 2023).
"""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analyses.attention.maps import attention_maps
from analyses.attention.result import CLASS_TOKEN, Attention, Maps
from analyses.attention.settings import Settings
from analyses.run_context import RunContext
from landscape.errors import NotMeasurableError
from landscape.estimates import mean_and_stderr
from landscape.hooks.attention_weights import watch_attention
from landscape.objective.objective import Objective
from landscape.runtime.progress import track

# How many attention weights of a batch are converted to float64 at once.
CHUNK = 2**22


def measure(objective: Objective, settings: Settings, context: RunContext) -> Attention:
    """Measure entropies over the objective's sample and maps of its first pictures.

    Args:
        objective: the network and its sample.
        settings: of how many pictures maps are made.
        context: not used.

    Returns:
        Entropies by layer and head and, where the tokens are patches of a picture, maps.

    Raises:
        NotMeasurableError: if the model has no attention that can be watched.
    """
    maps = attention_maps(objective, settings.pictures)
    keys, samples = _watch_sample(objective)
    if not keys:
        raise NotMeasurableError(
            f"{type(objective.module).__name__} has no attention that can be watched: no "
            "scaled_dot_product_attention, nn.MultiheadAttention or softmax of shape "
            "(n, heads, queries, keys)"
        )
    # Each layer's mean over heads by sample, for the errors of means over heads: (N, L, 2).
    means = np.stack([values.mean(1) for values in samples.values()], axis=1)
    by_class_token = isinstance(maps, Maps) and maps.query == CLASS_TOKEN
    heads = [values.shape[1] for values in samples.values()]
    entropy, stderr = np.full((2, len(heads), max(heads)), math.nan)
    for layer, (values, count) in enumerate(zip(samples.values(), heads, strict=True)):
        entropy[layer, :count], stderr[layer, :count] = mean_and_stderr(values[..., 0], axis=0)
    class_entropy = np.stack(mean_and_stderr(means[..., 1], axis=0), axis=1)
    return Attention(
        layers=tuple(samples),
        heads=np.array(heads),
        keys=np.array(list(keys.values())),
        entropy=entropy,
        entropy_stderr=stderr,
        layer_stderr=mean_and_stderr(means[..., 0], axis=0)[1],
        class_entropy=class_entropy if by_class_token else np.full_like(class_entropy, math.nan),
        mean=np.array(mean_and_stderr(means[..., 0].mean(1))),
        maps=maps if isinstance(maps, Maps) else None,
        why_no_maps="" if isinstance(maps, Maps) else maps,
    )


def _watch_sample(objective: Objective) -> tuple[dict[str, int], dict[str, NDArray[np.float64]]]:
    """The entropies of the sample's attention.

    Returns:
        By layer the largest number of keys, and entropies of shape (N, heads, 2): the mean over
        queries, and that of the first query.

    Raises:
        NotMeasurableError: if the weights of a layer do not belong to the samples one by one.
    """
    keys: dict[str, int] = defaultdict(int)
    entropies: dict[str, list[Tensor]] = defaultdict(list)
    of_batch: dict[str, Tensor] = {}

    def record(layer: str, weights: Tensor) -> None:
        keys[layer] = max(keys[layer], weights.shape[-1])
        of_batch[layer] = entropy_of(weights)

    task = f"attention of {objective.label or 'model'} (batches)"
    with watch_attention(objective.module, record):
        for batch, _ in track(
            objective.outputs(), task, total=len(objective.batches), less="lower --samples"
        ):
            for layer, values in of_batch.items():
                if len(values) % batch.size:
                    raise NotMeasurableError(
                        f"{layer} has attention weights for {len(values)} inputs in a batch of "
                        f"{batch.size} samples; expected the samples, or windows of them, first"
                    )
                # Windows of a picture, if any, follow one another.
                windows = values.unflatten(0, (batch.size, -1))
                entropies[layer].append(windows.mean(1).cpu())
            of_batch.clear()
            if not keys:
                break
    return keys, {layer: torch.cat(batches).numpy() for layer, batches in entropies.items()}


def entropy_of(weights: Tensor) -> Tensor:
    """The entropy of attention weights, in nats and in float64.

    Args:
        weights: (n, heads, queries, keys).

    Returns:
        (n, heads, 2): the mean over queries, and that of the first query, which is the class token
        if there is one.
    """
    entropies = []
    for chunk in weights.split(max(1, CHUNK // weights[0].numel())):
        rows = torch.special.entr(chunk.double()).sum(-1)
        entropies.append(torch.stack([rows.mean(-1), rows[..., 0]], dim=-1))
    return torch.cat(entropies)

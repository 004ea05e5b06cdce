"""Norms of the weights and of the layers' outputs (Table 3 of Chen, Hsieh and Gong, 2022).

Parameter norms are ||w||_2 of the trainable parameters, whole and by component. An activation a_k
is the output of layer k for one sample. Its norm is taken over the whole tensor (all tokens or
positions and all features), or of one token's vector, as a root mean square over tokens.
"""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import torch
from torch import Tensor

from analyses.norms.result import Norms
from analyses.norms.settings import Settings
from analyses.run_context import RunContext
from landscape.estimates import mean_and_stderr
from landscape.hooks.activations import watch_activations, watch_outputs
from landscape.objective.objective import Objective
from landscape.parameters.components import block_paths, components
from landscape.runtime.progress import track


def measure(objective: Objective, settings: Settings, context: RunContext) -> Norms:
    """Measure the weights and, in one forward pass, the outputs of activations and blocks.

    A layer whose first dimension is not the samples is left out. Of a block that is called more
    than once, the last call counts.

    Args:
        objective: the network and its sample.
        settings: not used: there are none.
        context: not used.

    Returns:
        Parameter norms by component and activation norms by layer.
    """
    theta = objective.theta
    weights = {"whole network": theta}
    for name, group in components(objective.module, objective.layout).items():
        weights[name] = group.gather(theta)
    of_batch: dict[tuple[bool, str], Tensor] = {}
    batches: dict[tuple[bool, str], list[Tensor]] = defaultdict(list)

    def record(is_block: bool, layer: str, output: Tensor) -> None:
        of_batch[is_block, layer] = _sample_norms(output)

    task = f"norms of {objective.label or 'model'} (batches)"
    module = objective.module
    with (
        watch_activations(module, lambda layer, output: record(False, layer, output)),
        watch_outputs(module, block_paths(module), lambda path, output: record(True, path, output)),
    ):
        for batch, _ in track(
            objective.outputs(), task, total=len(objective.batches), less="lower --samples"
        ):
            for key, norms in of_batch.items():
                if norms.shape[1] == batch.size:
                    batches[key].append(norms)
            of_batch.clear()
    by_layer = {key: torch.cat(norms, 1) for key, norms in batches.items()}
    by_layer = {
        key: norms for key, norms in by_layer.items() if norms.shape[1] == objective.num_samples
    }
    moments = np.array(
        [np.stack(mean_and_stderr(norms.cpu().numpy()), -1) for norms in by_layer.values()]
    ).reshape(-1, 2, 2)
    return Norms(
        components=tuple(weights),
        sizes=np.array([vector.numel() for vector in weights.values()], dtype=np.int64),
        norms=np.array([vector.double().norm().item() for vector in weights.values()]),
        layers=tuple(layer for _, layer in by_layer),
        is_block=np.array([is_block for is_block, _ in by_layer], dtype=bool),
        whole=moments[:, 0],
        token=moments[:, 1],
    )


def _sample_norms(output: Tensor) -> Tensor:
    """Each sample's norm of the whole output and RMS of its tokens' norms, of shape (2, n)."""
    if output.dim() == 0:
        return torch.empty(2, 0, dtype=torch.float64, device=output.device)
    whole = output.double().reshape(len(output), -1).norm(dim=1)
    features = output.shape[1 if output.dim() == 4 else -1] if output.dim() > 1 else 1
    tokens = output[0].numel() / features
    return torch.stack([whole, whole / math.sqrt(tokens)])

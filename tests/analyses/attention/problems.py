"""A small transformer with known pictures, and its attention weights worked out by hand."""

import json
import math
from dataclasses import fields
from functools import cache

import numpy as np
import torch

from analyses import attention
from landscape.data.samples import Normalization, TensorSamples
from landscape.models.vit import VisionTransformer
from landscape.objective.objective import Objective
from tests.oracles.cases import randomise

NUM_SAMPLES, SIDE, HEADS, DEPTH, CLASSES = 11, 3, 2, 3, 4
NORMALIZATION = Normalization((0.4,), (0.2,))
LABELS = ["_old", "a_b^c", "50% & <more>", "x" * 40, "$5", "Ünïcode"]


def transformer(seed=0, **changes):
    sizes = {
        "image_size": 6, "patch_size": 2, "dim": 8, "depth": DEPTH, "heads": HEADS, "mlp_dim": 8,
        "num_classes": CLASSES,
    }  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return randomise(VisionTransformer(**{**sizes, **changes}).double()).eval()


def samples(channels=3):
    with torch.random.fork_rng():
        torch.manual_seed(7)
        pixels = torch.rand(NUM_SAMPLES, channels, 6, 6, dtype=torch.float64)
    targets = torch.tensor([2, 2, 0, 2, 0, 3, 0, 1, 1, 3, 2])
    return TensorSamples(pixels, targets, ("ash", "birch", "cedar", "$5"), NORMALIZATION)


def objective(model=None, source=None, batch_size=4, label="plain", **options):
    source = source or samples()
    data = source.fetch(torch.arange(len(source))), source.targets
    options = {"source": source, "dtype": torch.float64, **options}
    return Objective(
        model or transformer(), data, batch_size=batch_size, device="cpu",
        origin={"label": label}, **options,
    )  # fmt: skip


def measure(*words, settings=None, **options):
    return attention.compute(objective(*words, **options), settings)


@cache
def several(count):
    """The attention of some networks, of two and three layers in turn."""
    return [
        measure(transformer(seed, depth=2 + seed % 2), label=LABELS[seed]) for seed in range(count)
    ]


def weights_by_hand(model, images):
    """The attention weights of each layer, (L, n, heads, tokens, tokens), from queries and keys."""
    packed = []
    handles = [
        block.attn.qkv.register_forward_hook(lambda *words: packed.append(words[2].detach()))
        for block in model.blocks
    ]
    model(images)
    for handle in handles:
        handle.remove()
    n, tokens, dim = packed[0].shape
    layers = []
    for qkv in packed:
        q, k, _ = qkv.view(n, tokens, 3, HEADS, dim // 3 // HEADS).permute(2, 0, 3, 1, 4).numpy()
        powers = np.exp(np.einsum("nhqd,nhkd->nhqk", q, k) / math.sqrt(q.shape[-1]))
        layers.append(powers / powers.sum(-1, keepdims=True))
    return np.stack(layers)


def json_of(result, folder):
    result.write_json(folder / "x.json")
    return json.loads((folder / "x.json").read_text())


def same(first, second):
    def alike(a, b):
        if isinstance(a, np.ndarray):
            return a.dtype == b.dtype and a.tobytes() == b.tobytes()
        if hasattr(a, "raw"):
            return same(a, b)
        return a == b

    return all(alike(getattr(first, f.name), getattr(second, f.name)) for f in fields(first))

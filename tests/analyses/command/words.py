"""The words that make every analysis small, and a user's own files."""

from analyses.catalog import known_analyses

SAMPLES = ("--samples", "48")
SPECTRUM = ("--top", "2", "--probes", "2", "--density-steps", "4")
MINIBATCHES = ("--minibatches", "3", "--minibatch-top", "2")
WORDS = {
    "surface": ("--x=-1:1:3", "--y=-0.5:1.5:5"),
    "line": ("--x=-1:1:3",),
    "hessian": SPECTRUM,
    "components": (),
    "minibatch": MINIBATCHES,
    "ntk": ("--ntk-samples", "4", "--ntk-outputs", "2", "--ntk-seeds", "2"),
    "flatness": ("--draws", "2", "--sigmas", "0.01", "--ascent-steps", "1"),
    "norms": (),
    "sparsity": (),
    "recursion": ("--recursion-samples", "2"),
    "similarity": ("--cka-samples", "16"),
    "attention": ("--pictures", "2"),
    "linearity": ("--segment", "3"),
    "robustness": ("--corruptions", "fog,contrast", "--attack-radius", "4", "--attack-steps", "2"),
}
SMALL = {name: (*SAMPLES, *words) for name, words in WORDS.items()}
SMALL["report"] = (*SAMPLES, *(word for words in WORDS.values() for word in words))
VIT = ("image_size=32", "patch_size=8", "dim=32", "depth=2", "heads=4", "mlp_dim=64")
USER_FILE = """\
import torch
from torch import nn

def net(width=6):
    return nn.Sequential(nn.Flatten(), nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 3))

def linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3))

def data(split):
    generator = torch.Generator().manual_seed(len(split))
    return torch.randn(40, 1, 2, 2, generator=generator), torch.arange(40) % 3

def more_classes():
    return torch.randn(40, 1, 2, 2), torch.arange(40) % 7

def digits_with_more_classes():
    return torch.randn(40, 1, 8, 8), torch.arange(40) % 12
"""
ORACLE_FILE = """\
import numpy as np
import torch

def load():
    oracle = np.load({path!r})
    images = torch.from_numpy(oracle["images_nhwc"]).permute(0, 3, 1, 2)
    return images, torch.from_numpy(oracle["labels"])
"""
# What a report holds of two runs without saved epochs.
FURTHER = (
    "surface_lines",
    "surface_3d",
    "hessian-tails",
    "hessian-linear",
    "curves-loss",
    "sparsity-neurons",
    "similarity-networks",
    "similarity-invariance",
    "attention-rollout",
    "attention-heads",
    "attention-entropy",
)
NOT_REPORTED = ("interpolate", "trajectory", "sharpness")
REPORTED = tuple(name for name in known_analyses() if name not in NOT_REPORTED)

"""The kinds of parameters."""

# What a tensor is for. A kernel has a row or an output channel for each unit it feeds.
KINDS = (
    "kernel",
    "bias",
    "norm",
    "embedding",
    "class-token",
    "position",
    "layer-scale",
    "other",
)

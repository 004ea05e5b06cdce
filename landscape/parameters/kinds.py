"""The kinds of parameters, by the purpose of a tensor."""

# A kernel has a row or an output channel for each unit that it feeds.
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

"""What the names of activation layers tell: which of them are an MLP's, and of which kind.

Where networks are compared by their first MLP, that is the first of :func:`feature_mlps`.
"""

import re
from collections.abc import Sequence

MLP = re.compile(r"mlp(_tokens|_channels)?")


def mlp_kind(layer: str) -> str:
    """``mlp``, a Mixer's ``mlp_tokens`` or ``mlp_channels``, or "" for any other activation.

    Example:
        >>> mlp_kind("blocks.0.mlp_tokens.act")
        'mlp_tokens'
    """
    match = MLP.search(layer)
    return match[0] if match else ""


def feature_mlps(layers: Sequence[str]) -> list[int]:
    """The indices of the MLPs that mix features: all of a ViT, those of channel mixing of a Mixer.

    Which of a Mixer's two the paper's Figure 2 and Table 3 are of is not stated. That of channels
    is the counterpart of a ViT's, after which its post-activations can be compared.

    Args:
        layers: the names of the activation layers, in the order of the forward pass.

    Returns:
        Indices of ``layers``; all of them if there is no such MLP, as in a ResNet.
    """
    mlps = [n for n, layer in enumerate(layers) if mlp_kind(layer) in ("mlp", "mlp_channels")]
    return mlps or list(range(len(layers)))

"""How the published JAX code draws initial weights.

Variances are of single weights; the fan-in is the number of inputs that a unit sums over. For a
convolution that is input channels times kernel positions, and for a fused matrix of queries, keys
and values that of one of the three.
"""

import math

from torch import Tensor, nn

# The standard deviation of a standard normal number that is known to lie within -2 and 2.
TRUNCATED_DEVIATION = 0.87962566103423978


def lecun_normal_(layer: nn.Linear | nn.Conv2d) -> None:
    """Variance 1 / fan-in and biases of 0: Flax's default for dense layers and convolutions.

    The normal distribution is cut off at two of its standard deviations, before which it is
    widened so that the variance is 1 / fan-in after the cut (LeCun et al., 1998, section 4.6).
    """
    deviation = math.sqrt(1 / fan_in(layer.weight)) / TRUNCATED_DEVIATION
    nn.init.trunc_normal_(layer.weight, std=deviation, a=-2 * deviation, b=2 * deviation)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def xavier_uniform_(layer: nn.Linear, *, matrices: int = 1, bias_std: float = 0.0) -> None:
    """Variance 2 / (fan-in + fan-out), uniform (Glorot and Bengio, AISTATS 2010).

    Args:
        layer: A dense layer.
        matrices: How many matrices of equal size are stacked in its weight, each of which has its
            own fan-out; 3 for fused queries, keys and values.
        bias_std: The standard deviation of the biases.
    """
    for matrix in layer.weight.detach().chunk(matrices):
        nn.init.xavier_uniform_(matrix)
    nn.init.normal_(layer.bias, std=bias_std)


def fan_in(weight: Tensor) -> int:
    """The number of inputs that a unit of a dense layer or convolution sums over."""
    return weight.shape[1:].numel()

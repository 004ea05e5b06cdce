"""How sharp a minimum may be before a step of the optimizer leaves it.

Along an eigenvector of curvature lambda gradient descent of learning rate eta multiplies the
distance from the minimum by 1 - eta lambda: it is stable up to lambda = 2 / eta (Cohen et al.,
"Gradient descent on neural networks typically occurs at the edge of stability", ICLR 2021).
"""

import math


def gradient_descent_edge(rate: float, momentum: float = 0.0) -> float:
    """The largest stable curvature, with heavy-ball momentum (2 + 2 beta) / eta (ibid., eq. 1)."""
    return 2 * (1 + momentum) / rate


def sam_edge(rate: float, rho: float, gradient_norm: float, momentum: float = 0.0) -> float:
    """The largest stable curvature for SAM (Long and Bartlett, 2023, section 3).

    The ascent step multiplies the gradient by 1 + rho lambda / ||g||, so that stability asks for
    eta lambda (1 + rho lambda / ||g||) <= 2 (1 + beta). It shrinks with the gradient.
    """
    edge = gradient_descent_edge(rate, momentum)
    if rho == 0:
        return edge
    if gradient_norm == 0:
        return 0.0
    return gradient_norm / (2 * rho) * (math.sqrt(1 + 4 * rho * edge / gradient_norm) - 1)

"""The edge of stability: how sharp a minimum may be before steps of the optimizer leave it.

Along an eigenvector of curvature lambda gradient descent of learning rate eta multiplies the
distance from the minimum by 1 - eta lambda: it is stable up to lambda = 2 / eta (Cohen et al.,
"Gradient descent on neural networks typically occurs at the edge of stability", ICLR 2021).
"""

import math
from collections.abc import Mapping
from typing import Any


def has_known_edge(training: Mapping[str, Any]) -> bool:
    """Whether the edge of a training's optimizer follows from its settings.

    It does for gradient descent, with SAM or without; that of an adaptive optimizer depends on its
    preconditioner, and those of the other SAM methods are not known here.

    Args:
        training: the entries ``opt``, ``rho`` and ``sam`` of a run's settings.
    """
    is_plain_sam = not training.get("rho") or (training.get("sam") or "sam") == "sam"
    return training.get("opt") == "sgd" and is_plain_sam


def gradient_descent_edge(rate: float, momentum: float = 0.0, *, nesterov: bool = False) -> float:
    """The largest stable curvature of gradient descent, (2 + 2 beta) / eta (ibid., eq. 1).

    With Nesterov's momentum torch takes the step eta (g + beta v) after v <- beta v + g. Along
    curvature lambda, g = lambda x, that multiplies (x, v) by the matrix

        1 - eta lambda (1 + beta)    -eta beta^2
        lambda                        beta

    of trace 1 + beta - eta lambda (1 + beta) and determinant beta (1 - eta lambda). Its first
    eigenvalue to leave the unit circle does so at -1, where 1 + trace + determinant = 0: at
    lambda = (2 + 2 beta) / ((1 + 2 beta) eta).

    Args:
        rate: the learning rate eta.
        momentum: beta, of heavy-ball type.
        nesterov: whether it is of Nesterov's type.
    """
    edge = 2 * (1 + momentum) / rate
    return edge / (1 + 2 * momentum) if nesterov else edge


def sam_edge(
    rate: float,
    rho: float,
    gradient_norm: float,
    momentum: float = 0.0,
    *,
    nesterov: bool = False,
) -> float:
    """The largest stable curvature for SAM (Long and Bartlett, JMLR 2024, section 3).

    The ascent step multiplies the gradient by 1 + rho lambda / ||g||, so that stability asks for
    lambda (1 + rho lambda / ||g||) <= E with the edge E of gradient descent. The edge falls with
    the gradient.

    Args:
        rate: the learning rate eta.
        rho: the length of the ascent step.
        gradient_norm: ||g||.
        momentum: beta, of heavy-ball type.
        nesterov: whether it is of Nesterov's type.
    """
    edge = gradient_descent_edge(rate, momentum, nesterov=nesterov)
    if rho == 0:
        return edge
    if gradient_norm == 0:
        return 0.0
    # The root of the quadratic equation in the form in which nothing cancels.
    return 2 * edge / (1 + math.sqrt(1 + 4 * rho * edge / gradient_norm))

"""Attacks on pictures within an l-infinity ball: FGSM, PGD, and the fast ones of training.

Radii are in units of the pixels' range: 4 / 255 moves every pixel by at most 4 of 255 levels.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from landscape.data.samples import Normalization

# Wong, Rice and Kolter (ICLR 2020): a single step of 1.25 times the radius.
FAST_STEP = 1.25

# The gradient of the loss with respect to inputs of shape (n, C, H, W), at such inputs.
Gradient = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Ball:
    """The pictures within a distance of a given one whose pixels are in [0, 1].

    Attributes:
        radius: in units of the pixels' range.
        normalization: from pixels to the inputs that the methods take; None for pixels.
    """

    radius: float
    normalization: Normalization | None

    def random(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """A point of each picture's ball, uniform before pixels are clipped to their range."""
        draws = torch.rand(inputs.shape, generator=generator, dtype=torch.float32)
        noise = (2 * draws - 1).to(inputs)
        return self._clip(inputs + self.radius * noise / self._scale(inputs))

    def step(self, start: Tensor, moved: Tensor, gradient: Tensor, length: float) -> Tensor:
        """Move by ``length`` along the signs of the gradient, then back into the ball of start."""
        scale = self._scale(start)
        moved = moved + length * gradient.sign() / scale
        moved = start + (moved - start).clamp(-self.radius / scale, self.radius / scale)
        return self._clip(moved)

    def _scale(self, inputs: Tensor) -> Tensor:
        std = self.normalization.std if self.normalization else (1.0,)
        return _by_channel(std, inputs)

    def _clip(self, inputs: Tensor) -> Tensor:
        if self.normalization is None:
            return inputs.clamp(0, 1)
        mean, std = (
            _by_channel(values, inputs)
            for values in (self.normalization.mean, self.normalization.std)
        )
        return torch.minimum(torch.maximum(inputs, -mean / std), (1 - mean) / std)


def fast_gradient_sign(gradient: Gradient, inputs: Tensor, ball: Ball) -> Tensor:
    """FGSM (Goodfellow et al., ICLR 2015): one step of the whole radius, without random start.

    For a loss that is linear in the pixels the result has the largest loss in the ball.

    Args:
        gradient: that of the loss with respect to the inputs.
        inputs: of shape (n, C, H, W).
        ball: the pictures that are allowed.

    Returns:
        The attacked inputs, of the same shape.
    """
    return ball.step(inputs, inputs, gradient(inputs), ball.radius)


def projected_gradient_descent(
    gradient: Gradient,
    inputs: Tensor,
    ball: Ball,
    generator: torch.Generator,
    *,
    steps: int = 10,
    length: float = 0.25 / 255,
) -> Tensor:
    """PGD (Madry et al., ICLR 2018, equation 3) with a random start.

    The defaults are those of Chen et al. (2022), as far as they are known.

    Args:
        gradient: that of the loss with respect to the inputs.
        inputs: of shape (n, C, H, W).
        ball: the pictures that are allowed.
        generator: of the random start.
        steps: how many steps.
        length: of a step, in units of the pixels' range.

    Returns:
        The attacked inputs, of the same shape.
    """
    moved = ball.random(inputs, generator)
    for _ in range(steps):
        moved = ball.step(inputs, moved, gradient(moved), length)
    return moved


def _by_channel(values: tuple[float, ...], inputs: Tensor) -> Tensor:
    return torch.tensor(values, dtype=inputs.dtype, device=inputs.device).view(1, -1, 1, 1)

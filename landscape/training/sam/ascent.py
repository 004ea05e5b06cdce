"""Sharpness-aware minimisation (Foret, Kleiner, Mobahi and Neyshabur, ICLR 2021).

    min over w of  max over ||e||_2 <= rho of  L(w + e)

To first order the inner maximum is at e = rho g / ||g||_2 with g the gradient at w and the norm
over all parameters as one vector (their equation 2); the step is then taken along the gradient at
w + e (Algorithm 1). Any base optimizer takes that step.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class SharpnessAware:
    """Moves parameters to w + e and back.

    Use between two backward passes over the same batch::

        loss(w).backward()
        sam.perturb()
        zero_grad(); loss(w + e).backward()
        sam.restore()
        optimizer.step()
    """

    def __init__(self, parameters: Iterable[nn.Parameter], rho: float) -> None:
        self.parameters = [p for p in parameters if p.requires_grad]
        self.rho = rho
        self._saved: list[Tensor] | None = None

    @torch.no_grad()
    def perturb(self) -> None:
        """Add e = rho g / ||g||_2, from the gradients that are in place. Unmoved where g = 0."""
        if self._saved is not None:
            raise RuntimeError("perturb() was called twice without restore()")
        self._saved = [p.detach().clone() for p in self.parameters]
        moved = [p for p in self.parameters if p.grad is not None]
        gradients = [p.grad for p in moved if p.grad is not None]
        norm = gradient_norm(self.parameters)
        scale = torch.where(norm > 0, self.rho / norm, 0.0)
        for parameter, gradient in zip(moved, gradients, strict=True):
            parameter.addcmul_(gradient, scale.to(gradient))

    @torch.no_grad()
    def restore(self) -> None:
        """Put back w, to the bit."""
        if self._saved is None:
            raise RuntimeError("restore() was called without perturb()")
        for parameter, saved in zip(self.parameters, self._saved, strict=True):
            parameter.copy_(saved)
        self._saved = None


@torch.no_grad()
def gradient_norm(parameters: Iterable[nn.Parameter]) -> Tensor:
    """||g||_2 over all gradients as one vector; a parameter without one counts as 0."""
    gradients = [p.new_zeros(()) if p.grad is None else p.grad for p in parameters]
    return torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients]))


@contextmanager
def frozen_batch_statistics(model: nn.Module) -> Iterator[None]:
    """BatchNorm normalises by the batch but its running statistics stay as they are.

    SAM's second pass sees perturbed weights; the statistics belong to the first.
    """
    norms = [
        module
        for module in model.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
    ]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True

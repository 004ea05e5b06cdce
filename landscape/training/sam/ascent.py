"""The ascent step of sharpness-aware minimisation (Foret et al., ICLR 2021).

    min over w of  max over ||e||_2 <= rho of  L(w + e)

To first order the inner maximum is at e = rho g / ||g||_2, in which g is the gradient at w and the
norm is over all parameters as one vector (equation 2). Any base optimizer then takes a step along
the gradient at w + e (Algorithm 1).

Adaptive SAM (Kwon et al., ICML 2021) measures e in units of the weights: with the elementwise
T = |w| + eta, the perturbation is e = rho T^2 g / ||T g||_2 (equation 9).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from landscape.errors import InputError
from landscape.parameters.layout import ParameterLayout

Gradients = Sequence[Tensor | None]


class SharpnessAware:
    """Moves parameters to w + e and back. It holds one copy of the parameters.

    Args:
        parameters: What is perturbed.
        eta: Makes the perturbation adaptive, if given.

    Example:
        >>> model, inputs = nn.Linear(2, 1), torch.ones(3, 2)
        >>> gradients = torch.autograd.grad(model(inputs).mean(), model.parameters())
        >>> sam = SharpnessAware(model.parameters())
        >>> sam.perturb(gradients, rho=0.1)
        >>> model(inputs).mean().backward()  # the gradient at w + e
        >>> sam.restore()
    """

    def __init__(self, parameters: Iterable[nn.Parameter], eta: float | None = None) -> None:
        self.parameters: list[Tensor] = list(parameters)
        self.eta = eta
        self._saved: list[Tensor] = []
        self._is_perturbed = False

    @torch.no_grad()
    def perturb(self, gradients: Gradients, rho: float) -> None:
        """Move the parameters to w + e; they stay where they are if all gradients are 0.

        Args:
            gradients: One for each parameter; None counts as 0. They are overwritten by e / rho.
            rho: The length of e.

        Raises:
            RuntimeError: The parameters are perturbed already.
        """
        if self._is_perturbed:
            raise RuntimeError("perturb() was called twice without restore()")
        if not self._saved:
            self._saved = [torch.empty_like(p) for p in self.parameters]
        torch._foreach_copy_(self._saved, self.parameters)
        self._is_perturbed = True
        pairs = zip(self.parameters, gradients, strict=True)
        present = [(p, g) for p, g in pairs if g is not None]
        if not present:
            return
        weights = [p for p, _ in present]
        direction = [g for _, g in present]
        scales = None
        if self.eta is not None:
            scales = torch._foreach_abs(weights)
            torch._foreach_add_(scales, self.eta)
            torch._foreach_mul_(direction, scales)
        norm = norm_of(direction)
        if scales is not None:
            torch._foreach_mul_(direction, scales)
        # Scaled to length 1 first, so that tiny and huge gradients neither vanish nor overflow.
        torch._foreach_mul_(direction, torch.where(norm > 0, 1 / norm, 0.0))
        torch._foreach_add_(weights, direction, alpha=rho)

    @torch.no_grad()
    def restore(self) -> None:
        """Move the parameters back to w, bit by bit.

        Raises:
            RuntimeError: The parameters are not perturbed.
        """
        if not self._is_perturbed:
            raise RuntimeError("restore() was called without perturb()")
        torch._foreach_copy_(self.parameters, self._saved)
        self._is_perturbed = False


@torch.no_grad()
def norm_of(gradients: Gradients) -> Tensor:
    """||g||_2 over all tensors as one vector; None counts as 0."""
    present = [g for g in gradients if g is not None]
    if not present:
        return torch.zeros(())
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(present)))


def names_in_scope(model: nn.Module, scope: str) -> set[str]:
    """The names of the trainable parameters that are perturbed.

    Args:
        model: The model.
        scope: ``all``, ``norms``, or a regular expression that is searched for in the names.

    Raises:
        InputError: ``scope`` is no regular expression, or matches no parameter.
    """
    layout = ParameterLayout.of(model)
    if scope == "all":
        return set(layout.names)
    if scope == "norms":
        pairs = zip(layout.names, layout.kinds, strict=True)
        names = {name for name, kind in pairs if kind == "norm"}
    else:
        try:
            names = {name for name in layout.names if re.search(scope, name)}
        except re.error as error:
            raise InputError(f"--sam-scope {scope!r} is no regular expression: {error}") from error
    if not names:
        raise InputError(
            f"--sam-scope {scope} means no parameter of this model; expected all, norms or a "
            f"regular expression for names such as {', '.join(layout.names[:3])}"
        )
    return names


@contextmanager
def frozen_batch_statistics(model: nn.Module) -> Iterator[None]:
    """Keep BatchNorm's running statistics unchanged while it normalises by the batch.

    The statistics belong to SAM's first pass; its second pass sees perturbed weights.
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

"""The ascent step of sharpness-aware minimisation (Foret et al., ICLR 2021).

    min over w of  max over ||e||_2 <= rho of  L(w + e)

To first order the inner maximum is at e = rho g / ||g||_2 with g the gradient at w and the norm
over all parameters as one vector (their equation 2); the step is then taken along the gradient at
w + e (Algorithm 1). Any base optimizer takes that step.

Adaptive SAM (Kwon et al., ICML 2021) measures e in units of the weights: with T = |w| + eta, taken
element by element, it is e = rho T^2 g / ||T g||_2 (their equation 9).
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
    """Moves parameters to w + e and back; beside the weights it holds one copy of them.

    With ``eta`` the perturbation is adaptive. Use between two gradients over the same batch::

        sam.perturb(gradients at w, rho)
        gradients at w + e
        sam.restore()
    """

    def __init__(self, parameters: Iterable[nn.Parameter], eta: float | None = None) -> None:
        self.parameters: list[Tensor] = list(parameters)
        self.eta = eta
        self._saved: list[Tensor] = []
        self._is_perturbed = False

    @torch.no_grad()
    def perturb(self, gradients: Gradients, rho: float) -> None:
        """Add e, from one gradient for each parameter, None counting as 0. Unmoved where all are 0.

        The gradients are used up: their memory holds e afterwards.
        """
        if self._is_perturbed:
            raise RuntimeError("perturb() was called twice without restore()")
        if not self._saved:
            self._saved = [torch.empty_like(p) for p in self.parameters]
        torch._foreach_copy_(self._saved, self.parameters)
        self._is_perturbed = True
        pairs = zip(self.parameters, gradients, strict=True)
        moved = [(p, g) for p, g in pairs if g is not None]
        if not moved:
            return
        weights = [p for p, _ in moved]
        direction = [g for _, g in moved]
        scales = None
        if self.eta is not None:
            scales = torch._foreach_abs(weights)
            torch._foreach_add_(scales, self.eta)
            torch._foreach_mul_(direction, scales)
        norm = norm_of(direction)
        if scales is not None:
            torch._foreach_mul_(direction, scales)
        # Scaled down before it is scaled up, so that no tiny or huge gradient leaves the range.
        torch._foreach_mul_(direction, torch.where(norm > 0, 1 / norm, 0.0))
        torch._foreach_add_(weights, direction, alpha=rho)

    @torch.no_grad()
    def restore(self) -> None:
        """Put back w, to the bit."""
        if not self._is_perturbed:
            raise RuntimeError("restore() was called without perturb()")
        torch._foreach_copy_(self.parameters, self._saved)
        self._is_perturbed = False


@torch.no_grad()
def norm_of(gradients: Gradients) -> Tensor:
    """||g||_2 over all tensors as one vector, None counting as 0."""
    present = [g for g in gradients if g is not None]
    if not present:
        return torch.zeros(())
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(present)))


def names_in_scope(model: nn.Module, scope: str) -> set[str]:
    """Names of the trainable parameters that ``scope`` means: all, norms, or a regular expression.

    Raises InputError where it means none.
    """
    layout = ParameterLayout.of(model)
    if scope == "all":
        return set(layout.names)
    if scope == "norms":
        pairs = zip(layout.names, layout.kinds, strict=True)
        found = {name for name, kind in pairs if kind == "norm"}
    else:
        try:
            found = {name for name in layout.names if re.search(scope, name)}
        except re.error as error:
            raise InputError(f"--sam-scope {scope!r} is no regular expression: {error}") from error
    if not found:
        raise InputError(
            f"--sam-scope {scope} means no parameter of this model; expected all, norms or a "
            f"regular expression for names such as {', '.join(layout.names[:3])}"
        )
    return found


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

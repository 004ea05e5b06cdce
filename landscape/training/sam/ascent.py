"""The ascent step of sharpness-aware minimisation (Foret et al., ICLR 2021).

    min over w of  max over ||e||_2 <= rho of  L(w + e)

To first order the inner maximum is at e = rho g / ||g||_2, in which g is the gradient at w and the
norm is over all parameters as one vector (equation 2). Any base optimizer then takes a step along
the gradient at w + e (Algorithm 1).

Adaptive SAM (Kwon et al., ICML 2021) measures e in units of the weights: with the elementwise
T = |w| + eta, the perturbation is e = rho T^2 g / ||T g||_2 (equation 9). In its authors' code
(SamsungLabs/ASAM, asam.py) that holds for parameters with "weight" in their name; for the others,
such as biases, T = 1.
"""

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from landscape.errors import InputError
from landscape.parameters.layout import ParameterLayout

Gradients = Sequence[Tensor | None]


class SharpnessAware:
    """Moves parameters to w + e and back. It holds one copy of those that it moves.

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

    def __init__(self, parameters: Iterable[Tensor], eta: float | None = None) -> None:
        self.parameters: list[Tensor] = list(parameters)
        self.eta = eta
        self.is_perturbed = False
        self._saved: dict[int, Tensor] = {}  # by the number of the parameter
        self._moved: list[int] = []

    @torch.no_grad()
    def perturb(
        self,
        gradients: Gradients,
        rho: float | Sequence[float],
        scaled: Container[int] | None = None,
    ) -> None:
        """Move the parameters to w + e; they stay where they are if all gradients are 0.

        Args:
            gradients: One for each parameter; None counts as 0. They are overwritten by e / rho.
            rho: The length of e; or one for each parameter, by which its part of g / ||g|| is
                multiplied. Parameters of radius 0 stay, and the norm is over the others.
            scaled: The ids of the parameters that T scales, if the perturbation is adaptive; None
                for all.

        Raises:
            RuntimeError: The parameters are perturbed already.
        """
        if self.is_perturbed:
            raise RuntimeError("perturb() was called twice without restore()")
        radii = [rho] * len(self.parameters) if isinstance(rho, float | int) else rho
        self._moved = [
            number
            for number, (gradient, radius) in enumerate(zip(gradients, radii, strict=True))
            if gradient is not None and radius > 0
        ]
        weights = [self.parameters[number] for number in self._moved]
        direction = [g for g in map(gradients.__getitem__, self._moved) if g is not None]
        for number, weight in zip(self._moved, weights, strict=True):
            if number not in self._saved:
                self._saved[number] = torch.empty_like(weight)
        self.is_perturbed = True
        if not weights:
            return
        torch._foreach_copy_([self._saved[number] for number in self._moved], weights)
        scales, adapted = [], []
        if self.eta is not None:
            chosen = [k for k, w in enumerate(weights) if scaled is None or id(w) in scaled]
            adapted = [direction[k] for k in chosen]
            if chosen:
                scales = list(torch._foreach_abs([weights[k] for k in chosen]))
                torch._foreach_add_(scales, self.eta)
                torch._foreach_mul_(adapted, scales)
        norm = norm_of(direction)
        if adapted:
            torch._foreach_mul_(adapted, scales)
        # Scaled to length 1 first, so that tiny and huge gradients neither vanish nor overflow.
        torch._foreach_mul_(direction, torch.where(norm > 0, 1 / norm, 0.0))
        for radius in {radii[number] for number in self._moved}:
            chosen = [k for k, number in enumerate(self._moved) if radii[number] == radius]
            torch._foreach_add_(
                [weights[k] for k in chosen], [direction[k] for k in chosen], alpha=radius
            )

    @torch.no_grad()
    def restore(self) -> None:
        """Move the parameters back to w, bit by bit.

        Raises:
            RuntimeError: The parameters are not perturbed.
        """
        if not self.is_perturbed:
            raise RuntimeError("restore() was called without perturb()")
        if self._moved:
            weights = [self.parameters[number] for number in self._moved]
            torch._foreach_copy_(weights, [self._saved[number] for number in self._moved])
        self.is_perturbed = False


@torch.no_grad()
def norm_of(gradients: Gradients) -> Tensor:
    """||g||_2 over all tensors as one vector; None counts as 0.

    Norms of half-precision tensors are in float32, and in float64 if precisions are mixed.
    """
    present = [g for g in gradients if g is not None]
    if not present:
        return torch.zeros(())
    half = (torch.float16, torch.bfloat16)
    present = [g.float() if g.dtype in half else g for g in present]
    norms = torch._foreach_norm(present)
    return torch.linalg.vector_norm(torch.stack(same_dtype(norms)))


def same_dtype(scalars: Sequence[Tensor]) -> list[Tensor]:
    """The scalars as they are if all have one type, and else in float64."""
    if len({scalar.dtype for scalar in scalars}) == 1:
        return list(scalars)
    return [scalar.double() for scalar in scalars]


def names_in_scope(model: nn.Module, scope: str, flag: str = "--sam-scope") -> set[str]:
    """The names of the trainable parameters that are meant.

    Args:
        model: The model.
        scope: ``all``, ``norms``, or a regular expression that is searched for in the names.
        flag: What the scope was given by, for messages.

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
            raise InputError(f"{flag} {scope!r} is no regular expression: {error}") from error
    if not names:
        raise InputError(
            f"{flag} {scope} means no parameter of this model; expected all, norms or a "
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

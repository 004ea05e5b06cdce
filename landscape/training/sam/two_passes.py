"""The two passes of a step: to w + e and back, and what is made of both gradients."""

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from landscape.errors import InputError
from landscape.training.sam.ascent import Gradients, SharpnessAware, frozen_batch_statistics
from landscape.training.sam.corrections import LookSam, close_surrogate_gap
from landscape.training.sam.settings import ALPHA, VARIANTS
from landscape.training.scale.data_parallel import DataParallelGroup

# What the names of parameters have in common that ASAM scales.
SCALED = "weight"


class TwoPasses:
    """Perturbs the weights, and corrects the gradient at w + e as the method does.

    Args:
        parameters: The parameters, in the order in which sums over them are taken.
        method: One of :data:`~landscape.training.sam.settings.VARIANTS`.
        alpha: The weight of the correction; None for the method's default.
        eta: Of asam: added to abs(w).
        model: Its BatchNorm layers keep their running statistics while the weights are at w + e.
        scaled: Of asam: what abs(w) + eta scales; None for what the names say.

    Attributes:
        parameters: The parameters.
        looksam: The state of LookSAM, if that is the method.
    """

    def __init__(
        self,
        parameters: list[Tensor],
        method: str,
        alpha: float | None,
        eta: float,
        model: nn.Module | None,
        scaled: Iterable[Tensor] | None,
    ) -> None:
        self.parameters = parameters
        self._ascent = SharpnessAware([], eta if method == "asam" else None)
        self._ascent.parameters = parameters  # the same list, which may grow
        self._corrects = method in ("gsam", "looksam")
        self._alpha = ALPHA.get(method, 0.0) if alpha is None else alpha
        self._model = model
        self._scaled = None if scaled is None else {id(p) for p in scaled}
        self._frozen_statistics = ExitStack()
        self._plain: list[Tensor | None] = []
        self.looksam = LookSam(self._alpha) if method == "looksam" else None

    @property
    def is_perturbed(self) -> bool:
        """Whether the weights are at w + e."""
        return self._ascent.is_perturbed

    @property
    def gradients(self) -> list[Tensor | None]:
        """What is in ``.grad`` of each parameter."""
        return [p.grad for p in self.parameters]

    def check_gradients(self) -> list[Tensor]:
        """The gradients in ``.grad`` that are there.

        Raises:
            InputError: There is none, or one is sparse.
        """
        present = [g for g in self.gradients if g is not None]
        if not present:
            raise InputError("no parameter has a gradient; call backward() before first_step()")
        if any(g.layout != torch.strided for g in present):
            raise InputError(
                "SAM needs dense gradients, and one is sparse; make the embedding with sparse=False"
            )
        return present

    def check_second_gradients(self, first: list[Tensor | None] | None) -> None:
        """Put the gradients of the first pass back if there was no second one.

        Raises:
            InputError: There was no second pass, and ``first`` is None as it is needed.
        """
        if any(g is not None for g in self.gradients):
            return
        if first is None:
            raise InputError(
                "there is no gradient at the perturbed weights; compute the loss again and call "
                "backward() between first_step() and second_step()"
            )
        for parameter, gradient in zip(self.parameters, first, strict=True):
            parameter.grad = gradient

    def begin(self) -> None:
        """Forget the gradients of an earlier step."""
        self._plain = []

    def perturb(
        self,
        gradients: Gradients,
        radii: Sequence[float],
        weight: float,
        groups: Sequence[Mapping[str, Any]],
    ) -> None:
        """Move the weights to w + e.

        Args:
            gradients: One for each parameter; None counts as 0. They are overwritten.
            radii: The radius for each parameter.
            weight: The share of these gradients in that of the whole batch.
            groups: The parameter groups, which may name their parameters.
        """
        if self._corrects:
            known = self._plain or [None] * len(gradients)
            pairs = list(zip(known, gradients, strict=True))
            self._plain = [
                torch.zeros_like(g) if p is None and g is not None else p for p, g in pairs
            ]
            sums = [
                (p, g)
                for p, g in zip(self._plain, gradients, strict=True)
                if p is not None and g is not None
            ]
            torch._foreach_add_([p for p, _ in sums], [g for _, g in sums], alpha=weight)
        scaled = self._scaled
        if scaled is None and self._ascent.eta is not None:
            scaled = scaled_by_name(groups, self._model)
        self._ascent.perturb(gradients, radii, scaled)
        if self._model is not None:
            self._frozen_statistics.enter_context(frozen_batch_statistics(self._model))

    def restore(self) -> None:
        """Move the weights back to w, bit by bit, if they are at w + e."""
        self._frozen_statistics.close()
        if self._ascent.is_perturbed:
            self._ascent.restore()

    def correct(self, group: DataParallelGroup | None) -> None:
        """Turn the gradients in ``.grad`` into what the base optimizer steps along.

        After a pass at w + e that is g_s, which GSAM corrects and LookSAM remembers; in a step of
        one pass, LookSAM's approximation.

        Args:
            group: The processes over which g has to be averaged, if they have their own.
        """
        if not self._corrects:
            return
        trained = [number for number, p in enumerate(self.parameters) if p.requires_grad]
        present = self.gradients
        gradients = [self._dense(present[number], number) for number in trained]
        if not self._plain:
            if self.looksam is not None:
                shapes = [gradient.shape for gradient in gradients]
                direction = self.looksam.direction
                if direction is not None and [d.shape for d in direction] != shapes:
                    self.looksam.direction = None  # parameters were added or frozen
                self._replace(trained, self.looksam.approximate(gradients))
            return
        plain = [self._dense(self._plain[number], number) for number in trained]
        if group is not None:
            group.average(plain)
        if self.looksam is not None:
            self.looksam.remember(gradients, plain)
        else:
            self._replace(trained, close_surrogate_gap(gradients, plain, self._alpha))

    def load_direction(self, direction: Sequence[Tensor] | None) -> None:
        """Resume LookSAM, if that is the method; forget a direction of other parameters."""
        if self.looksam is None:
            return
        trained = [p for p in self.parameters if p.requires_grad]
        fits = direction is not None and [d.shape for d in direction] == [p.shape for p in trained]
        self.looksam.direction = (
            [d.to(p).clone() for d, p in zip(direction or (), trained, strict=True)]
            if fits
            else None
        )

    def _dense(self, gradient: Tensor | None, number: int) -> Tensor:
        """A gradient, or zeros for a parameter that does not enter the loss."""
        return torch.zeros_like(self.parameters[number]) if gradient is None else gradient

    def _replace(self, numbers: Sequence[int], gradients: Sequence[Tensor]) -> None:
        """Copy gradients into ``.grad`` of those parameters that have one."""
        for number, gradient in zip(numbers, gradients, strict=True):
            present = self.parameters[number].grad
            if present is not None:
                present.copy_(gradient)


def check_arguments(
    rho: float | None, method: str, every: int | None, *, per_device: bool, has_model: bool
) -> float:
    """The radius; raises InputError for arguments of the optimizer that are missing or wrong."""
    if rho is None:
        raise InputError("SAM needs the radius of its perturbation: pass rho, such as rho=0.05")
    if method not in VARIANTS:
        raise InputError(f"unknown method {method!r}; expected one of {', '.join(VARIANTS)}")
    if every is not None and every < 1:
        raise InputError(f"every has to be positive, got {every}")
    if per_device and not has_model:
        raise InputError("per_device needs the model, in DistributedDataParallel: pass model=")
    return rho


def scaled_by_name(groups: Sequence[Mapping[str, Any]], model: nn.Module | None) -> set[int] | None:
    """The ids of the parameters that ASAM scales in its authors' code: "weight" is in their name.

    Args:
        groups: The parameter groups, which may hold ``param_names``.
        model: The model, whose names come first.

    Returns:
        None, for all, where no name is known or none has "weight" in it.
    """
    if model is not None:
        named = list(model.named_parameters())
    else:
        names = (zip(g.get("param_names", ()), g["params"], strict=False) for g in groups)
        named = list(chain.from_iterable(names))
    return {id(p) for name, p in named if SCALED in name} or None


def radii_of(
    parameters: Sequence[Tensor],
    groups: Sequence[Mapping[str, Any]],
    rho: float,
    perturbed: Container[int] | None,
) -> list[float]:
    """The radius of each parameter.

    Args:
        parameters: The parameters.
        groups: The parameter groups; one may have a radius of its own under ``rho``.
        rho: The radius of the others.
        perturbed: The ids of those that are perturbed at all; None for all.

    Raises:
        InputError: A radius is negative or not finite.
    """
    radii: dict[int, float] = {}
    for group in groups:
        radius = float(group.get("rho", rho))
        if not 0 <= radius < math.inf:
            raise InputError(f"rho has to be at least 0 and finite, got {radius:g}")
        radii.update((id(p), radius) for p in group["params"])
    chosen = radii if perturbed is None else perturbed
    return [radii[id(p)] if id(p) in chosen else 0.0 for p in parameters]

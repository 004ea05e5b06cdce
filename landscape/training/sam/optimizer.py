"""Sharpness-aware minimisation as a torch optimizer, for any training loop."""

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from landscape.errors import InputError
from landscape.training.sam.ascent import Gradients
from landscape.training.sam.base_optimizer import Parameters, WrappingOptimizer
from landscape.training.sam.loss_scale import LossScale, StepUnderWay
from landscape.training.sam.settings import EVERY
from landscape.training.sam.two_passes import TwoPasses, check_arguments, radii_of
from landscape.training.scale.data_parallel import all_processes


class SAM(WrappingOptimizer):
    """Takes the steps of a base optimizer along the gradient at perturbed weights.

    A step has two passes: the gradient g at the weights w gives the perturbation e, and the
    gradient at w + e is what the base optimizer steps along, from w. A parameter group may have a
    radius of its own under ``rho``. The norm in e = rho g / ||g|| is over all parameters whose
    radius is not 0.

    ``param_groups`` and ``state`` are the base optimizer's, so that a learning rate schedule of
    either acts on it. Gradients may be accumulated over micro-batches in each pass.

    Args:
        params: Parameters or groups of them, as of any optimizer; with an instance as base
            optimizer, its parameters.
        base_optimizer: A class of optimizers, which gets ``arguments``, or an instance.
        rho: The radius of the perturbation. Set the attribute to schedule it; steps of radius 0
            are the base optimizer's.
        method: ``sam`` (Foret et al., 2021), ``asam`` (Kwon et al., 2021), ``gsam`` (Zhuang et al.,
            2022) or ``looksam`` (Liu et al., 2022).
        alpha: The weight of the correction (default: 0.6 for gsam, 0.7 for looksam).
        eta: Of asam: added to abs(w).
        scaled: Of asam: the parameters that abs(w) + eta scales. By default those with "weight" in
            their name, as in the authors' code; names are those of ``model`` or of named
            parameters, and where there are none, all are scaled.
        every: Perturb in every Nth step (default: 1; 5 for looksam); the others have one pass.
        perturbed: Which parameters are perturbed; by default all.
        model: The model. Its BatchNorm layers keep their running statistics in the second pass.
        per_device: With a DistributedDataParallel ``model``, perturb by the gradient of each
            process's own samples, as in the paper, rather than by the mean over processes. The
            first pass has to run within :meth:`first_pass`, as it does in ``step(closure)``.
        arguments: The arguments of the base optimizer.

    Raises:
        InputError: An argument is missing or wrong, or the base optimizer can't be used.

    Example:
        >>> model, inputs = nn.Linear(2, 1), torch.ones(3, 2)
        >>> optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.05, lr=0.1, momentum=0.9)
        >>> def closure():
        ...     loss = model(inputs).square().mean()
        ...     loss.backward()
        ...     return loss
        >>> loss = optimizer.step(closure)

        The same step, written out:

        >>> _ = closure()
        >>> if optimizer.first_step():
        ...     _ = closure()
        >>> optimizer.second_step()
    """

    # GradScaler.step() then calls step() always, which moves the weights back and may skip.
    _step_supports_amp_scaling = True

    def __init__(
        self,
        params: Parameters,
        base_optimizer: type[Optimizer] | Optimizer,
        rho: float | None = None,
        *,
        method: str = "sam",
        alpha: float | None = None,
        eta: float = 0.01,
        every: int | None = None,
        perturbed: Iterable[Tensor] | None = None,
        scaled: Iterable[Tensor] | None = None,
        model: nn.Module | None = None,
        per_device: bool = False,
        **arguments: Any,
    ) -> None:
        has_model = model is not None
        radius = check_arguments(rho, method, every, per_device=per_device, has_model=has_model)
        super().__init__(params, base_optimizer, arguments)
        self.rho = radius
        self.method = method
        self.every = EVERY.get(method, 1) if every is None else every
        self.steps = 0
        self.passes = TwoPasses(self.parameters, method, alpha, eta, model, scaled)
        self._perturbed = None if perturbed is None else {id(p) for p in perturbed}
        self._model = model
        self._per_device = per_device
        self._current = StepUnderWay()
        self._radii()  # raises for what is no radius

    @property
    def is_sharp_step(self) -> bool:
        """Whether the step that comes next, or is under way, has a second pass."""
        return self.steps % self.every == 0 and any(self._radii())

    def first_pass(self) -> AbstractContextManager[Any]:
        """The context for forward and backward of the first pass, which ``per_device`` needs."""
        no_sync: Any = getattr(self._model, "no_sync", nullcontext)
        return no_sync() if self._per_device and self.is_sharp_step else nullcontext()

    @torch.no_grad()
    def step(
        self,
        closure: Callable[[], Any] | None = None,
        *,
        scaler: torch.amp.GradScaler | None = None,
    ) -> Any:
        """Take a step.

        Args:
            closure: Computes the loss, calls ``backward()`` and returns the loss. It is called
                once for each pass, when all gradients are cleared. Without it, the step that
                :meth:`first_step` began is finished, as GradScaler does.
            scaler: The GradScaler that the closure scales the loss with, if any. Its ``update()``
                is left to the caller.

        Returns:
            What the closure returned in the first pass.

        Raises:
            InputError: There is neither a closure nor a step to finish.
        """
        if closure is None:
            self._finish()
            return None
        self.begin_step()
        self.zero_grad()
        try:
            with torch.enable_grad(), self.first_pass():
                loss = closure()
            if self.first_step(scaler=scaler):
                with torch.enable_grad():
                    closure()
            self._finish()
        finally:
            self.restore()
            self.begin_step()
        return loss

    @torch.no_grad()
    def first_step(
        self, *, zero_grad: bool = True, scaler: torch.amp.GradScaler | None = None
    ) -> bool:
        """Move the weights to w + e, by the gradients in ``.grad``.

        Args:
            zero_grad: Clear the gradients, which the second pass would otherwise add to.
            scaler: The GradScaler that the loss was scaled with, if any. The gradients are unscaled
                here, unless the caller has done so.

        Returns:
            Whether a second pass is needed: not in a step without perturbation, nor where gradients
            overflowed under a GradScaler, which then skips the step. With a GradScaler a pass that
            is not needed has to be left out, as its gradients would be added to the first.

        Raises:
            InputError: No parameter has a gradient, one is sparse, or the weights are at w + e.
        """
        self.begin_step()
        present = self.passes.check_gradients()
        gradients = self.passes.gradients
        self._current.is_under_way = True
        is_sharp = self.is_sharp_step
        if scaler is not None and scaler.is_enabled():
            self._current.scale = LossScale(scaler, self)
            if not is_sharp:
                return False  # the gradients stay, since the scaler has to find some
            self._current.scale.unscale_first(present)
            overflows = not bool(torch.stack([g.isfinite().all() for g in present]).all())
            if self._per_device:
                (overflows,) = all_processes(present[0].device).any_of(overflows)
            if overflows:
                present[0].fill_(math.inf)  # so that the scaler of every process skips the step
                return False
        if is_sharp:
            self.perturb([g if zero_grad or g is None else g.clone() for g in gradients])
        elif zero_grad:
            self._current.kept = gradients
        if zero_grad:
            self.zero_grad()
        return is_sharp

    def second_step(self, *, zero_grad: bool = True) -> None:
        """Move the weights back to w and step along the gradient at w + e, corrected.

        Raises InputError where there was no :meth:`first_step`, or no second pass that it needs.
        """
        self.step()
        if zero_grad:
            self.zero_grad()

    @torch.no_grad()
    def correct_gradients(self) -> None:
        """Move the weights back to w and leave in ``.grad`` what the base optimizer steps along.

        :meth:`second_step` does so by itself. Call it before, to clip that gradient; it raises
        InputError as that does.
        """
        current = self._current
        if not current.is_under_way:
            raise InputError(
                "there is no step to finish: call step(closure), or first_step() after the first "
                "backward() and second_step() after the second"
            )
        self.restore()
        self.passes.check_second_gradients(current.kept)
        if current.scale is not None:
            current.is_finite = current.scale.unscale()
        if current.is_finite and not current.is_corrected and any(self._radii()):
            device = self.parameters[0].device
            self.passes.correct(all_processes(device) if self._per_device else None)
        current.is_corrected = True

    def begin_step(self) -> None:
        """Forget a step that was not finished; raises InputError if the weights are at w + e."""
        if self.passes.is_perturbed:
            raise InputError(
                "the weights are perturbed already; call second_step() before the next "
                "first_step(), or restore() to give up a step"
            )
        self._current = StepUnderWay()
        self.passes.begin()

    @torch.no_grad()
    def perturb(self, gradients: Gradients, weight: float = 1.0) -> None:
        """Move the weights to w + e, by gradients that need not be in ``.grad``.

        Args:
            gradients: One for each parameter; None counts as 0. They are overwritten.
            weight: Their share in the gradient of the whole batch, where parts of a batch have
                perturbations of their own.
        """
        self._current.is_under_way = True
        self.passes.perturb(gradients, self._radii(), weight, self.param_groups)

    def restore(self) -> None:
        """Move the weights back to w, bit by bit, if they are at w + e."""
        self.passes.restore()

    def state_dict(self) -> dict[str, Any]:
        """The state of the base optimizer, and that of SAM under ``sam``.

        Raises InputError if the weights are at w + e, which is nothing to resume from.
        """
        if self.passes.is_perturbed:
            raise InputError("the weights are perturbed; save after second_step()")
        looksam = self.passes.looksam
        direction = None if looksam is None else looksam.direction
        sam_state = dict(method=self.method, rho=self.rho, steps=self.steps, direction=direction)
        return {**self.base_optimizer.state_dict(), "sam": sam_state}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Resume from :meth:`state_dict`, or start from the state of a base optimizer.

        Raises InputError if the state is that of another method.
        """
        state = dict(state_dict)
        sam_state = state.pop("sam", None)
        if sam_state is not None and sam_state["method"] != self.method:
            raise InputError(f"the state is that of {sam_state['method']}, this is {self.method}")
        self.begin_step()
        self.base_optimizer.load_state_dict(state)
        if sam_state is not None:
            self.rho, self.steps = sam_state["rho"], sam_state["steps"]
            self.passes.load_direction(sam_state["direction"])

    def _finish(self) -> None:
        """Take the base optimizer's step, unless gradients overflowed under a GradScaler."""
        is_unscaled = self._current.is_under_way and self._current.scale is None
        if is_unscaled and hasattr(self, "found_inf"):  # which GradScaler sets
            self.restore()
            raise InputError(
                "a GradScaler has to unscale the gradients of both passes: pass it to "
                "first_step(scaler=...) too"
            )
        self.correct_gradients()
        if self._current.is_finite:
            self.base_optimizer.step()
            self.steps += 1
        self.begin_step()

    def _radii(self) -> list[float]:
        return radii_of(self.parameters, self.param_groups, self.rho, self._perturbed)

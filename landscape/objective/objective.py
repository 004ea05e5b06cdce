"""The loss as a function of the weights, the same function every time it is asked.

    L(theta) = 1/N sum_i loss(model(x_i; theta), y_i)

over a fixed sample, with the model in eval mode. An :class:`Objective` works on a copy of the
model, so the user's module is never moved, trained, perturbed or put into another mode.
"""

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from landscape.autograd.gradient_graph import GradientGraph
from landscape.autograd.plain_forms import PlainForms
from landscape.data.batches import Batch, is_batched, rebatch, resident_batches
from landscape.data.batching import choose_batch_size
from landscape.data.samples import Samples
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.checks import check_mean_over_samples, check_repeatable
from landscape.objective.eval_copy import (
    differentiable,
    make_eval_copy,
    share_storage,
    statistics_of,
)
from landscape.objective.evaluation import Evaluation, evaluate_batches, mean_loss
from landscape.objective.losses import LossFunction
from landscape.parameters.layout import ParameterLayout, flatten
from landscape.results.hashing import hash_batches, hash_tensors
from landscape.results.provenance import Provenance
from landscape.results.result import plain
from landscape.runtime.devices import PRECISIONS, describe_device, full_precision, resolve_device

# What is read at once before the model has told how much it can take.
PROVISIONAL_BATCH = 256

# How torch says that it has the first derivative of an operation alone.
_NO_SECOND_DERIVATIVE = re.compile(r"derivative for .* is not implemented")


class Objective:
    """The deterministic mean loss of ``model`` over ``data`` as a function of its parameters.

    Args:
        model: any module; called as ``model(inputs)``, or ``model(*inputs)`` and
            ``model(**inputs)`` where the inputs of a batch are a tuple or a dict. Theta is its
            trainable parameters; frozen ones are constants of the function.
        data: a pair of tensors (inputs, targets), a Dataset, or any iterable of batches. It is
            read once; an augmentation or a shuffle is thereby fixed.
        loss: maps (outputs, targets) to the scalar mean over the batch.
        batch_size: how many samples go through the model at once, for data that isn't batched; 0
            takes as many as keep the largest intermediate result in the processor's cache.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        dtype: floating type of weights and inputs.
        extra_splits: further samples by split name, in the same forms as ``data``, that surfaces
            and lines report beside it; derivatives are of ``data`` alone.
        metrics: more functions of (outputs, targets), means over the batch, for the same.
        precision: arithmetic in which surfaces and lines evaluate the loss, one of
            ``landscape.runtime.devices.PRECISIONS``; the default is that of ``dtype``.
        compile: ``auto``, ``on`` or ``off``: torch.compile, for the same.
        origin: what is known of where model and data came from; written into provenance.
        source: the labelled samples, in the order of ``data``, that these were read from. What
            looks at inputs as pictures (attacks, corruptions, attention maps) asks it how pixels
            were normalised and what the classes are called.
        verify: refuse a loss that is not a repeatable mean over samples. Costs four forward
            passes of the first batch.

    Raises:
        InputError: for a model without trainable parameters, data that is no data, and, with
            ``verify``, a loss that differs from call to call or depends on how the samples are
            batched; the message names the module that causes it.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Any,
        loss: LossFunction = F.cross_entropy,
        *,
        batch_size: int = 0,
        device: str | torch.device = "auto",
        dtype: torch.dtype = torch.float32,
        extra_splits: Mapping[str, Any] | None = None,
        metrics: Mapping[str, LossFunction] | None = None,
        precision: str | None = None,
        compile: str = "auto",
        origin: Mapping[str, Any] | None = None,
        source: Samples | None = None,
        verify: bool = True,
    ) -> None:
        if batch_size < 0:
            raise InputError(f"the batch size has to be at least 1, or 0 (auto), got {batch_size}")
        self.device = resolve_device(device)
        self.dtype = dtype
        self.precision = _check_precision(precision, dtype)
        self.compile = compile
        name = getattr(loss, "__name__", type(loss).__name__)
        self.origin: dict[str, Any] = plain({"loss": name, **(origin or {})})
        if isinstance(loss, nn.Module):  # its class weights, say, belong where the model is
            loss = copy.deepcopy(loss).to(self.device, dtype)
        self.loss_function = loss
        self.metrics = dict(metrics or {})
        self.source = source
        self.module = make_eval_copy(model, self.device, dtype)
        self.batches = self._read(data, batch_size)
        self.num_samples = sum(batch.size for batch in self.batches)
        size = batch_size or self.batches[0].size
        self.extra_splits = {
            name: self._read(found, size) for name, found in (extra_splits or {}).items()
        }
        self.origin.update(self._evaluated())
        self.layout = ParameterLayout.of(self.module)
        self.parameters = [p for p in self.module.parameters() if p.requires_grad]
        # The weights the module computes with are views of one vector: setting theta is one copy.
        self.live_weights = share_storage(list(self.parameters))
        self.live_statistics = share_storage(list(statistics_of(self.module).values()))
        self.theta = self.live_weights.clone()
        self.statistics = self.live_statistics.clone()
        self._hashes: dict[str, str] = {}  # taken once; shared by copies with another origin
        if verify:
            with torch.no_grad(), full_precision():
                check_repeatable(self.module, self._batch_loss, self.forward, self.batches[0])
                check_mean_over_samples(self.module, self._batch_loss, self.batches[0])

    @property
    def label(self) -> str:
        """What the network is called in results and messages; "" where nobody named it."""
        return str(self.origin.get("label", ""))

    @property
    def num_parameters(self) -> int:
        """P, the length of theta."""
        return self.layout.size

    def loss(self, theta: Tensor | None = None) -> float:
        """L(theta), in the unit of the loss; at the model's own weights without ``theta``."""
        return self.evaluate(theta).loss

    def evaluate(self, theta: Tensor | None = None) -> Evaluation:
        """Loss, sampling error, accuracy and metrics at ``theta`` of shape (P,)."""
        with self._at(theta), torch.no_grad(), full_precision():
            return evaluate_batches(self.forward, self.batches, self.loss_function, self.metrics)

    def outputs(self) -> Iterator[tuple[Batch, Any]]:
        """The batches and the model's outputs for them at its own weights, without gradients.

        Hooks put on :attr:`module` see every forward pass; take them off again afterwards.
        """
        for batch in self.batches:
            with full_precision(), torch.no_grad():
                outputs = self.forward(batch)
            yield batch, outputs

    def gradient(self, theta: Tensor | None = None) -> Tensor:
        """The gradient of L at ``theta``, of shape (P,)."""
        gradient = torch.zeros_like(self.theta)
        with self._at(theta), full_precision(), differentiable(self.module):
            for batch in self.batches:
                loss = self._batch_loss(batch) * (batch.size / self.num_samples)
                if loss.requires_grad:  # else no trainable parameter takes part
                    gradient += flatten(
                        torch.autograd.grad(loss, self.parameters, materialize_grads=True)
                    )
        return gradient

    def hessian_product(self, vectors: Tensor, theta: Tensor | None = None) -> Tensor:
        """The Hessian of L at ``theta`` times ``vectors`` of shape (P,) or (P, K).

        Exact (double backward; Pearlmutter, 1994), by the plain module. The K vectors share the
        forward and first backward pass of each batch. For many products at one theta
        :class:`landscape.curvature.operators.CurvatureOperator` is faster. Raises InputError for
        vectors of another shape.
        """
        if vectors.dim() not in (1, 2) or len(vectors) != self.num_parameters:
            raise InputError(
                f"expected vectors of shape (P,) or (P, K) with P = {self.num_parameters}, "
                f"got {tuple(vectors.shape)}"
            )
        columns = vectors.reshape(self.num_parameters, -1).to(self.theta)
        products = torch.zeros_like(columns)
        with self.second_derivatives(theta):
            for batch in self.batches:
                loss = self._batch_loss(batch) * (batch.size / self.num_samples)
                products += GradientGraph(loss, self.parameters).products(columns)
        return products.reshape(vectors.shape)

    @contextmanager
    def second_derivatives(self, theta: Tensor | None = None) -> Iterator[None]:
        """The settings in which second derivatives at ``theta`` are right.

        Attention runs in its plain form, since the fused kernels have no second derivative; other
        operations of that kind are in :mod:`landscape.autograd.plain_forms`. Raises
        NotMeasurableError where an operation of the model has none.
        """
        with (
            self._at(theta),
            full_precision(),
            sdpa_kernel(SDPBackend.MATH),
            PlainForms(),
            differentiable(self.module),
        ):
            try:
                yield
            except RuntimeError as error:
                reason = str(error).partition("\n")[0]
                if _NO_SECOND_DERIVATIVE.search(reason) is None:
                    raise
                raise NotMeasurableError(
                    "the curvature needs second derivatives, which an operation of the model or "
                    f"the loss does not have ({reason}); write it out in operations of torch"
                ) from error

    def loss_of(self, outputs: Any, batch: Batch) -> Tensor:
        """The mean loss of a batch with these outputs."""
        return mean_loss(self.loss_function, outputs, batch.targets)

    def with_origin(self, **facts: Any) -> "Objective":
        """The same objective, on the same weights in memory, with ``facts`` added to its origin."""
        described = copy.copy(self)
        described.origin = {**self.origin, **plain(facts)}
        return described

    def sample_hash(self) -> str:
        """SHA-256 of the samples as the model sees them; equal for two runs that saw the same."""
        return hash_batches(self.batches)

    def weights_hash(self) -> str:
        """SHA-256 of the parameters and buffers that the function is made of."""
        frozen = (p.detach() for p in self.module.parameters() if not p.requires_grad)
        return hash_tensors([self.theta, *self.module.buffers(), *frozen])

    def provenance(self, seconds: float) -> Provenance:
        """What was measured, on what, with what; ``seconds`` is what the measurement took."""
        if not self._hashes:
            self._hashes.update(sample=self.sample_hash(), weights=self.weights_hash())
        return Provenance(
            num_parameters=self.num_parameters,
            num_samples=self.num_samples,
            sample_sha256=self._hashes["sample"],
            weights_sha256=self._hashes["weights"],
            precision=str(self.dtype).removeprefix("torch."),
            device=describe_device(self.device),
            seconds=round(seconds, 3),
            origin=self.origin,
        )

    def restore(self) -> None:
        """Put the model's own weights and statistics back where they were written over."""
        self.live_weights.copy_(self.theta)
        self.live_statistics.copy_(self.statistics)

    def forward(self, batch: Batch) -> Any:
        """The model's outputs for a batch, at the weights that are in place."""
        return call_model(self.module, batch)

    @contextmanager
    def _at(self, theta: Tensor | None) -> Iterator[None]:
        if theta is None:
            yield
            return
        if theta.shape != self.theta.shape:
            raise InputError(
                f"expected theta of shape {tuple(self.theta.shape)}, got {tuple(theta.shape)}"
            )
        try:
            self.live_weights.copy_(theta)
            yield
        finally:
            self.live_weights.copy_(self.theta)

    def _evaluated(self) -> dict[str, Any]:
        """What is evaluated besides the loss in plain arithmetic, for the record."""
        found: dict[str, Any] = {}
        if self.precision not in ("fp32", "fp64"):
            found["evaluation"] = self.precision
        if self.metrics:
            found["metrics"] = list(self.metrics)
        if self.extra_splits:
            found["others"] = {name: hash_batches(b) for name, b in self.extra_splits.items()}
        return found

    def _read(self, data: Any, batch_size: int) -> list[Batch]:
        batches = resident_batches(data, batch_size or PROVISIONAL_BATCH, self.device, self.dtype)
        if batch_size or is_batched(data):
            return batches
        first = batches[0].slice(0, 1)
        try:
            with torch.no_grad():
                size = choose_batch_size(lambda: call_model(self.module, first), self.device)
        except (RuntimeError, ValueError):  # it does not take one sample, or not these at all
            return batches
        return rebatch(batches, size)

    def _batch_loss(self, batch: Batch) -> Tensor:
        return self.loss_of(self.forward(batch), batch)


def call_model(model: Callable[..., Any], batch: Batch) -> Any:
    """The outputs for a batch whose inputs are a tensor, a tuple of arguments or a dict of them."""
    if isinstance(batch.inputs, Mapping):
        return model(**batch.inputs)
    if isinstance(batch.inputs, tuple):
        return model(*batch.inputs)
    return model(batch.inputs)


def _check_precision(precision: str | None, dtype: torch.dtype) -> str:
    if precision is None:
        return "fp64" if dtype == torch.float64 else "fp32"
    if precision not in PRECISIONS:
        raise InputError(
            f"unknown precision {precision!r}; expected one of {', '.join(PRECISIONS)}"
        )
    if (precision == "fp64") != (dtype == torch.float64):
        raise InputError(f"precision {precision} does not go with {dtype} weights")
    return precision

"""The loss as a deterministic function of the weights.

    L(theta) = 1/N sum_i loss(model(x_i; theta), y_i)

over a fixed sample, with the model in eval mode. An :class:`Objective` works on a copy of the
model, so the user's module is never moved, trained, perturbed or put into another mode.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.autograd.gradient_graph import GradientGraph
from landscape.data.batches import Batch
from landscape.data.samples import Samples
from landscape.errors import InputError
from landscape.objective.checks import check_mean_over_samples, check_repeatable
from landscape.objective.eval_copy import (
    differentiable,
    make_eval_copy,
    share_storage,
    statistics_of,
    weights_at,
)
from landscape.objective.evaluation import Evaluation, evaluate_batches, mean_loss
from landscape.objective.losses import LossFunction
from landscape.objective.model_call import call_model
from landscape.objective.origin import describe_origin
from landscape.objective.precision import resolve_precision
from landscape.objective.reading import read_batches
from landscape.objective.second_derivatives import twice_differentiable
from landscape.parameters.layout import ParameterLayout, flatten
from landscape.results.hashing import hash_batches, hash_tensors
from landscape.results.provenance import Provenance
from landscape.results.result import plain
from landscape.runtime.devices import describe_device, full_precision, resolve_device


class Objective:
    """The mean loss of a model over fixed samples, as a function of the model's parameters.

    Theta, of shape (P,), is the vector of the model's trainable parameters in their own order;
    frozen parameters are constants of the function. Non-finite losses are returned unchanged.

    Args:
        model: any module. It is called as ``model(inputs)``, or as ``model(*inputs)`` or
            ``model(**inputs)`` where the inputs of a batch are a tuple or a dict.
        data: a pair of tensors (inputs, targets), a Dataset, or any iterable of batches. It is
            read once, which fixes an augmentation or a shuffle.
        loss: maps (outputs, targets) to the scalar mean over the batch.
        batch_size: how many samples go through the model at once, for data that isn't batched.
            With 0 a batch is as large as keeps the largest intermediate result in the processor's
            cache.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        dtype: floating type of weights and inputs.
        extra_splits: further samples by split name, in the same forms as ``data``, whose loss
            surfaces and lines report too. Derivatives are of ``data`` alone.
        metrics: further functions of (outputs, targets), means over the batch, that surfaces and
            lines report.
        precision: arithmetic in which surfaces and lines evaluate the loss, one of
            ``landscape.runtime.choices.PRECISIONS``; the default is that of ``dtype``.
        compile: whether surfaces and lines use torch.compile: ``auto``, ``on`` or ``off``.
        origin: where model and data came from, as far as it is known; part of the provenance.
        source: the labelled samples that ``data`` was read from, in the same order. Analyses that
            treat inputs as pictures (attacks, corruptions, attention maps) take the normalisation
            of the pixels and the names of the classes from it.
        verify: whether to reject a loss that is not a repeatable mean over samples. The check
            takes four forward passes of the first batch.

    Raises:
        InputError: if the model has no trainable parameter or can't be copied, if the data hold no
            samples or are of no supported form, and, with ``verify``, if the loss differs from
            call to call or depends on how the samples are batched. The message names the module
            that causes it.

    Example:
        Loss, gradient and a Hessian-vector product of a classifier::

            objective = Objective(model, (images, labels), batch_size=256)
            print(objective.loss(), objective.evaluate().accuracy)
            gradient = objective.gradient()
            curvature = gradient @ objective.hessian_product(gradient)

        The loss elsewhere in weight space; the weights of ``model`` are not changed::

            objective.loss(objective.theta - 0.1 * gradient)
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
        self.precision = resolve_precision(precision, dtype)
        self.compile = compile
        if isinstance(loss, nn.Module):  # its class weights, say, belong where the model is
            loss = copy.deepcopy(loss).to(self.device, dtype)
        self.loss_function = loss
        self.metrics = dict(metrics or {})
        self.source = source
        self.module = make_eval_copy(model, self.device, dtype)
        self.batches = read_batches(data, batch_size, self.module, self.device, dtype)
        self.num_samples = sum(batch.size for batch in self.batches)
        size = batch_size or self.batches[0].size
        self.extra_splits = {
            name: read_batches(samples, size, self.module, self.device, dtype)
            for name, samples in (extra_splits or {}).items()
        }
        self.origin = describe_origin(
            origin or {}, loss, self.precision, self.metrics, self.extra_splits
        )
        self.layout = ParameterLayout.of(self.module)
        self.parameters = [p for p in self.module.parameters() if p.requires_grad]
        # The module's weights are views of one vector, so that setting theta is one copy.
        self.live_weights = share_storage(list(self.parameters))
        self.live_statistics = share_storage(list(statistics_of(self.module).values()))
        self.theta = self.live_weights.clone()
        self.statistics = self.live_statistics.clone()
        self._hashes: dict[str, str] = {}  # computed once; shared by copies with another origin
        if verify:
            with torch.no_grad(), full_precision():
                check_repeatable(self.module, self._batch_loss, self.forward, self.batches[0])
                check_mean_over_samples(self.module, self._batch_loss, self.batches[0])

    @property
    def label(self) -> str:
        """The network's name in results and messages; empty where none was given."""
        return str(self.origin.get("label", ""))

    @property
    def num_parameters(self) -> int:
        """P, the length of theta."""
        return self.layout.size

    def loss(self, theta: Tensor | None = None) -> float:
        """L(theta), in the unit of the loss; arguments are those of :meth:`evaluate`."""
        return self.evaluate(theta).loss

    def evaluate(self, theta: Tensor | None = None) -> Evaluation:
        """Loss, sampling error, accuracy and metrics at ``theta``.

        Args:
            theta: the weights, of shape (P,); by default the model's own.

        Raises:
            InputError: if ``theta`` has another shape, or the loss is not a scalar.
        """
        with self._at(theta), torch.no_grad(), full_precision():
            return evaluate_batches(self.forward, self.batches, self.loss_function, self.metrics)

    def outputs(self) -> Iterator[tuple[Batch, Any]]:
        """Each batch with the model's outputs for it, at its own weights and without gradients.

        Hooks on :attr:`module` see every forward pass; remove them afterwards.
        """
        for batch in self.batches:
            with full_precision(), torch.no_grad():
                outputs = self.forward(batch)
            yield batch, outputs

    def gradient(self, theta: Tensor | None = None) -> Tensor:
        """The gradient of the loss at ``theta``.

        Args:
            theta: the weights, of shape (P,); by default the model's own.

        Returns:
            The gradient, of shape (P,); 0 for parameters that the loss does not depend on.

        Raises:
            InputError: if ``theta`` has another shape.
        """
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
        """The Hessian of the loss at ``theta`` times some vectors, without approximation.

        The product is a double backward pass (Pearlmutter, 1994) through the unmodified module.
        The vectors share the forward and the first backward pass of each batch. For many products
        at one theta :class:`landscape.curvature.operators.CurvatureOperator` is faster.

        Args:
            vectors: one vector of shape (P,), or K of them as columns (P, K).
            theta: the weights, of shape (P,); by default the model's own.

        Returns:
            The products, of the shape of ``vectors``.

        Raises:
            InputError: if ``vectors`` or ``theta`` have another shape.
            NotMeasurableError: if an operation of the model or the loss has no second derivative.
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
        """Put ``theta`` in place and let second derivatives be taken within this context.

        Raises:
            InputError: if ``theta`` has another shape.
            NotMeasurableError: if an operation of the model or the loss has no second derivative.
        """
        with self._at(theta), twice_differentiable(self.module):
            yield

    def loss_of(self, outputs: Any, batch: Batch) -> Tensor:
        """The mean loss of a batch for which the model gave ``outputs``."""
        return mean_loss(self.loss_function, outputs, batch.targets)

    def with_origin(self, **facts: Any) -> "Objective":
        """The same objective, sharing its weights in memory, with ``facts`` added to its origin."""
        described = copy.copy(self)
        described.origin = {**self.origin, **plain(facts)}
        return described

    def sample_hash(self) -> str:
        """SHA-256 of the samples as the model sees them, independent of batching."""
        return hash_batches(self.batches)

    def weights_hash(self) -> str:
        """SHA-256 of the model's parameters, frozen ones included, and buffers."""
        frozen = (p.detach() for p in self.module.parameters() if not p.requires_grad)
        return hash_tensors([self.theta, *self.module.buffers(), *frozen])

    def provenance(self, seconds: float) -> Provenance:
        """Model, data and device of a measurement, for its result.

        Args:
            seconds: how long the measurement took.
        """
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
        """Undo changes of :attr:`live_weights` and :attr:`live_statistics`."""
        self.live_weights.copy_(self.theta)
        self.live_statistics.copy_(self.statistics)

    def forward(self, batch: Batch) -> Any:
        """The model's outputs for a batch, at the weights that are in place at the moment."""
        return call_model(self.module, batch)

    def _at(self, theta: Tensor | None) -> AbstractContextManager[None]:
        return weights_at(theta, self.live_weights, self.theta)

    def _batch_loss(self, batch: Batch) -> Tensor:
        return self.loss_of(self.forward(batch), batch)

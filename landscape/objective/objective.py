"""The loss as a deterministic function of the weights.

    L(theta) = sum_b w_b L_b(theta) / sum_b w_b

over fixed batches b, where w_b is what the loss L_b of a batch averages over (its samples, or its
labels that count), with the model in eval mode. An :class:`Objective` works on a copy of the model,
so the user's module is never moved, trained, perturbed or put into another mode.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from landscape.autograd.gradient_graph import GradientGraph
from landscape.data.batches import Batch
from landscape.data.samples import Samples
from landscape.objective.criterion import Step, Weight
from landscape.objective.eval_copy import differentiable
from landscape.objective.evaluation import Evaluation, evaluate_batches
from landscape.objective.first_call import needs_gradients
from landscape.objective.losses import LossFunction
from landscape.objective.movable_model import MovableModel
from landscape.objective.options import check_options, choose_criterion
from landscape.objective.origin import describe_origin
from landscape.objective.precision import resolve_precision
from landscape.objective.proof import Proof
from landscape.objective.reading import Reading
from landscape.objective.second_derivatives import twice_differentiable
from landscape.parameters.finite import check_finite
from landscape.parameters.layout import flatten
from landscape.results.hashing import hash_batches
from landscape.results.provenance import Provenance
from landscape.results.result import plain
from landscape.runtime.devices import describe_device, resolve_device
from landscape.runtime.isolation import isolated, neutralised


class Objective(MovableModel):
    """The mean loss of a model over fixed samples, as a function of the model's parameters.

    Theta, of shape (P,), is the vector of the model's trainable parameters in their own order;
    frozen parameters are constants of the function. Non-finite losses are returned unchanged.

    Args:
        model: any module. It is called as ``model(inputs)``, or as ``model(*inputs)`` or
            ``model(**inputs)`` where the inputs of a batch are a tuple or a dict.
        data: a pair of tensors (inputs, targets), a Dataset, or any iterable of batches; for a
            ``step`` batches of any kind, or None for a loss without data. It is read once, which
            fixes an augmentation or a shuffle.
        loss: maps (outputs, targets) to the scalar mean over the batch, or to (sum, weight). By
            default cross-entropy for class numbers and probabilities, the squared error for other
            numbers, and for batches that are dicts with ``labels`` the model's own loss.
        step: in place of ``loss``: maps (model, batch) to the loss of a batch, as a training step
            does. It has to use the model it is given, which is a copy.
        weight: maps a batch, as the data gave it, to what its loss counts for in the mean over
            batches. By default that is what the loss averages over: the samples, or the labels that
            are not ignored with their class weights.
        batching: ``samples``, or ``whole`` for batches that can't be cut because their samples
            depend on each other (a graph, a contrastive loss).
        batch_size: how many samples go through the model at once, for data that isn't batched. With
            0 the largest intermediate result of a batch fits the processor's cache.
        samples: how many samples are read; 0 reads all.
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
        verify: whether to refuse weights that are not finite, and to prove that values and
            derivatives are of one function, a repeatable mean that does not depend on the batching
            (:mod:`landscape.objective.proof`), by two forward passes over the data in float64.

    Raises:
        InputError: if the model has no trainable parameter or can't be copied, if the data hold no
            samples, have no end or are of no supported form, if model or loss don't take them, or
            if the proof fails. The message says which and what to do.

    Example:
        Loss, gradient and a Hessian-vector product of a classifier::

            objective = Objective(model, (images, labels), batch_size=256)
            print(objective.loss(), objective.evaluate().accuracy)
            gradient = objective.gradient()
            curvature = gradient @ objective.hessian_product(gradient)
            objective.loss(objective.theta - 0.1 * gradient)  # elsewhere in weight space

        A loss with an L2 term, as a training step::

            def step(model, batch):
                penalty = sum(p.square().sum() for p in model.parameters())
                return F.cross_entropy(model(batch[0]), batch[1]) + 0.01 * penalty

            objective = Objective(model, (images, labels), step=step)
    """

    def __init__(
        self,
        model: nn.Module,
        data: Any = None,
        loss: LossFunction | None = None,
        *,
        step: Step | None = None,
        weight: Weight | None = None,
        batching: str = "samples",
        batch_size: int = 0,
        samples: int = 0,
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
        check_options(loss, step, metrics, batching, batch_size, samples, extra_splits, origin)
        self.device = resolve_device(device)
        self.dtype = dtype
        self.precision = resolve_precision(precision, dtype)
        self.compile = compile
        self.metrics = dict(metrics or {})
        self.source = source
        facts = {**(origin or {}), **neutralised()}
        reading = Reading(batch_size, batching == "whole", samples, self.device, dtype)
        with isolated():
            super().__init__(model, self.device, dtype)
            if verify:
                check_finite(self.module)
            batches = reading.read(data, is_step=step is not None)
            self.criterion = choose_criterion(loss, step, weight, batches).to(self.device, dtype)
            self.needs_gradients = needs_gradients(
                self.module, self.criterion, self.metrics, batches[0]
            )
            with torch.set_grad_enabled(self.needs_gradients):
                splits = reading.weighed_splits(
                    batches, data, extra_splits or {}, self.criterion, self.module
                )
            self.batches, self.extra_splits = splits
            self.num_samples = sum(batch.size for batch in self.batches)
            self.total_weight = sum(batch.weight for batch in self.batches)
            if verify:
                proof = Proof(self.module, self.criterion, self.metrics, self.needs_gradients)
                proof.check(self.batches)
        self.origin = describe_origin(
            facts, model, self.criterion, self.precision, self.metrics, self.extra_splits
        )
        self._hashes: dict[str, str] = {}  # computed once; shared by copies with another origin

    @property
    def label(self) -> str:
        """The network's name in results and messages; empty where none was given."""
        return str(self.origin.get("label", ""))

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
        with self.evaluating(), self._at(theta):
            return evaluate_batches(self.forward, self.batches, self.criterion, self.metrics)

    def outputs(self) -> Iterator[tuple[Batch, Any]]:
        """Each batch with the model's outputs for it, at its own weights and without gradients.

        Hooks on :attr:`module` see every forward pass; remove them afterwards.
        """
        for batch in self.batches:
            with self.evaluating():
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
        with isolated(), self._at(theta), differentiable(self.module):
            gradient = torch.zeros_like(self.theta)
            for batch in self.batches:
                loss = self._batch_loss(batch) * (batch.weight / self.total_weight)
                if loss.requires_grad:  # else no trainable parameter takes part
                    pieces = torch.autograd.grad(loss, self.parameters, materialize_grads=True)
                    gradient += flatten(piece.to_dense() for piece in pieces)
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
        with self.second_derivatives(theta):
            columns = self.layout.as_columns(vectors).to(self.theta)
            products = torch.zeros_like(columns)
            for batch in self.batches:
                loss = self._batch_loss(batch) * (batch.weight / self.total_weight)
                products += GradientGraph(loss, self.parameters).products(columns)
        return products.reshape(vectors.shape)

    @contextmanager
    def second_derivatives(self, theta: Tensor | None = None) -> Iterator[None]:
        """Put ``theta`` in place and let second derivatives be taken, as for Hessian products."""
        with isolated(), self._at(theta), twice_differentiable(self.module):
            yield

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """A context to evaluate the loss in: isolated, and without gradients unless it takes them.

        A physics-informed network takes them, since its outputs are derivatives.
        """
        with isolated(), torch.set_grad_enabled(self.needs_gradients):
            yield

    def loss_of(self, outputs: Any, batch: Batch) -> Tensor:
        """The mean loss of a batch for which :meth:`forward` gave ``outputs``."""
        return self.criterion.mean(outputs, batch)

    @property
    def loss_function(self) -> LossFunction:
        """The loss of outputs and targets; NotMeasurableError for a step, which has no outputs."""
        return self.criterion.loss_of_outputs

    def with_origin(self, **facts: Any) -> "Objective":
        """The same objective, sharing its weights in memory, with ``facts`` added to its origin."""
        described = copy.copy(self)
        described.origin = {**self.origin, **plain(facts)}
        return described

    def sample_hash(self) -> str:
        """SHA-256 of the samples as the model sees them, independent of batching."""
        return hash_batches(self.batches)

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

    def forward(self, batch: Batch) -> Any:
        """The model's outputs for a batch, at the weights that are in place at the moment.

        Of a training step, which has no outputs, it is the loss.
        """
        return self.criterion.call(self.module, batch)

    def _batch_loss(self, batch: Batch) -> Tensor:
        return self.loss_of(self.forward(batch), batch)

"""Fast products with a curvature matrix of an objective, for many vectors at the same theta.

What all products share is computed once: for each batch the forward and first backward pass are
kept as a graph, while memory lasts, and a product is one more backward pass through it
(Pearlmutter, 1994). The passes run with BatchNorms folded into their convolutions and with
convolutions whose second derivatives are cheap (:mod:`landscape.autograd.second_order`). The
products are those of the plain module up to rounding. Reported eigenpairs are certified with
products of the plain module itself, in float64 (:mod:`landscape.curvature.float64_products`).
"""

import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from landscape.autograd.gradient_graph import CurvatureGraph
from landscape.autograd.second_order import SecondOrder
from landscape.autograd.skipped import SkippedParameters
from landscape.curvature.float64_products import float64_products
from landscape.curvature.matrices import MATRICES
from landscape.curvature.requests import ProductRequest, multiply
from landscape.data.batches import Batch
from landscape.errors import InputError, NotMeasurableError, reason_of
from landscape.objective.first_call import MISTAKES
from landscape.objective.folding import fold_batch_norms
from landscape.objective.objective import Objective
from landscape.runtime.devices import free_memory, is_out_of_memory

LOGGER = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# Graphs take at most this share of the free memory.
SHARE_OF_MEMORY = 0.4
# The largest distance of the gradient from the plain module's, relative to its norm, in units of
# rounding.
ROUNDINGS = 1e4


class LocalProducts:
    """Products that are computed in this process.

    Where memory runs out it continues with less: without kept graphs, then with halved batches.

    Args:
        objective: the mean loss.
        theta: the weights, of shape (P,); by default the objective's own.
        matrix: one of ``landscape.curvature.matrices.MATRICES``.
        batches: a part of the objective's sample; by default all of it.
        total_weight: what the mean divides by, by default the weights of the batches.
        budget: how many bytes of graphs may be kept, by default a share of the free memory.
        in_float64: whether exact products are taken in float64 where the model takes it.

    Raises:
        NotMeasurableError: the objective is in half precision.
    """

    def __init__(
        self,
        objective: Objective,
        theta: Tensor | None = None,
        *,
        matrix: str = "hessian",
        batches: Sequence[Batch] | None = None,
        total_weight: float = 0.0,
        budget: int | None = None,
        in_float64: bool = True,
    ) -> None:
        if objective.dtype not in (torch.float32, torch.float64):
            name = str(objective.dtype).removeprefix("torch.")
            raise NotMeasurableError(
                f"curvature takes weights in float32 or float64, got {name}; pass "
                "dtype=torch.float32 to the Objective"
            )
        self._objective = objective
        self._theta = theta
        self._make_graph = MATRICES[matrix]
        self._batches = list(objective.batches if batches is None else batches)
        self._total_weight = total_weight or sum(batch.weight for batch in self._batches)
        if budget is None:
            budget = int(SHARE_OF_MEMORY * free_memory(objective.device))
        self._budget = budget
        self._model: Callable[..., Any] | None = None  # chosen at the first product
        # Until it turns out not to take it.
        self._in_float64 = in_float64 and objective.dtype != torch.float64
        self._is_fast = True  # until an operation turns out not to support it
        self._graphs: dict[int, CurvatureGraph] = {}

    def __call__(self, requests: Sequence[ProductRequest], *, exact: bool = False) -> list[Tensor]:
        """The product for each request; all of them share the graph of each batch."""
        if exact and self._in_float64:
            try:
                return self._within_memory(lambda: self._multiply_in_float64(requests))
            except (*MISTAKES, InputError) as error:
                LOGGER.info(
                    f"the model does not take float64 ({reason_of(error)}): what certifies "
                    f"eigenpairs is rounded to {self._objective.dtype}"
                )
                self._in_float64 = False
        return self._retried(lambda: self._multiply(requests, exact))

    def gradient(self) -> Tensor:
        """The gradient of the loss, of shape (P,)."""
        return self._retried(self._gradient)

    def _retried(self, compute: Callable[[], Answer]) -> Answer:
        """The answer of ``compute``, repeated with less memory or the plain module if need be.

        The plain module is needed where the model itself takes derivatives: the operations that
        replace torch's have two, and such a model takes three.
        """
        while True:
            try:
                return self._within_memory(compute)
            except NotMeasurableError:
                if not self._is_fast:
                    raise
                self._use_plain_module()

    def _within_memory(self, compute: Callable[[], Answer]) -> Answer:
        """The answer of ``compute``, repeated with less memory while that runs out."""
        while True:
            try:
                return compute()
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self._back_off(error)

    def _gradient(self) -> Tensor:
        gradient = torch.zeros_like(self._objective.theta)
        with self._objective.second_derivatives(self._theta):
            for batch in self._batches:
                gradient += self._graph(batch, exact=True).gradient
        return gradient

    @property
    def num_kept(self) -> int:
        """How many batches have a graph that is kept."""
        return len(self._graphs)

    def _multiply(self, requests: Sequence[ProductRequest], exact: bool) -> list[Tensor]:
        with self._objective.second_derivatives(self._theta):
            if self._model is None and self._batches and not exact:
                self._choose()
            graphs = self._exact_graphs() if exact else self._fast_graphs()
            return multiply(requests, graphs, self._objective.layout, self._objective.dtype)

    def _multiply_in_float64(self, requests: Sequence[ProductRequest]) -> list[Tensor]:
        return float64_products(
            self._objective,
            self._theta,
            self._make_graph,
            self._batches,
            self._total_weight,
            requests,
        )

    def _exact_graphs(self) -> Iterator[tuple[CurvatureGraph, bool]]:
        for batch in self._batches:
            yield self._graph(batch, exact=True), False

    def _fast_graphs(self) -> Iterator[tuple[CurvatureGraph, bool]]:
        for number, batch in enumerate(self._batches):
            kept = self._graphs.get(number)
            yield (self._graph(batch), False) if kept is None else (kept, True)

    def _choose(self) -> None:
        """Choose the fast model if its gradient is the plain one's; keep the graphs that fit."""
        first = self._batches[0]
        if self._is_fast:
            self._model = self._fast_model()
            self._is_fast = self._agrees_with_plain(first)
        if not self._is_fast:
            self._model = self._objective.module
        if not self._budget:
            return
        total_bytes = 0
        sample_bytes = self._graph_bytes(first) / first.size
        for number, batch in enumerate(self._batches):
            total_bytes += int(sample_bytes * batch.size)
            if total_bytes > self._budget:
                break
            self._graphs[number] = self._graph(batch)

    def _agrees_with_plain(self, batch: Batch) -> bool:
        """Whether the model that was chosen gives the gradient of the plain module."""
        plain = self._graph(batch, exact=True).gradient
        try:
            error = torch.linalg.vector_norm(self._graph(batch).gradient - plain)
        except NotMeasurableError:
            return False
        except RuntimeError as refusal:  # an operation does not support it
            if is_out_of_memory(refusal):
                raise
            return False
        limit = ROUNDINGS * torch.finfo(plain.dtype).eps * torch.linalg.vector_norm(plain)
        return bool(error <= limit)

    def _fast_model(self) -> Callable[..., Any]:
        """The module with BatchNorms folded, but for a training step, which may use its parts."""
        module = self._objective.module
        folded = None if self._objective.criterion.step else fold_batch_norms(module)
        return folded or module

    def _use_plain_module(self) -> None:
        """Replace nothing from now on."""
        self._is_fast = False
        self._model = None
        self._graphs.clear()

    def _back_off(self, error: RuntimeError) -> None:
        """Use less memory from now on.

        Raises:
            NotMeasurableError: there is not enough memory for a single sample.
        """
        largest = max(batch.size for batch in self._batches)
        if self._graphs:
            LOGGER.info("out of memory: continuing without kept graphs")
        elif largest > 1 and not all(batch.is_whole for batch in self._batches):
            LOGGER.info(f"out of memory: continuing with batches of {(largest + 1) // 2}")
            self._batches = [
                batch.slice(start, stop) if stop - start < batch.size else batch
                for batch in self._batches
                for start, stop in _halves(batch, largest)
            ]
            self._batches = [batch for batch in self._batches if batch.weight > 0]
        else:
            raise NotMeasurableError(
                "there is not enough memory for the product with the smallest batch; "
                "take a smaller model or a device with more memory"
            ) from error
        self._graphs.clear()
        self._budget = 0
        self._model = None
        gc.collect()
        if self._objective.device.type == "cuda":
            torch.cuda.empty_cache()

    def _graph(self, batch: Batch, *, exact: bool = False) -> CurvatureGraph:
        model = self._objective.module if exact else self._model
        assert model is not None
        skipped = SkippedParameters()
        with SecondOrder(skipped) if self._is_fast and not exact else nullcontext():
            outputs = self._objective.criterion.call(model, batch)
        weight = batch.weight / self._total_weight
        return self._make_graph(self._objective, batch, outputs, weight, skipped)

    def _graph_bytes(self, batch: Batch) -> int:
        """How many bytes the graph of a batch takes."""
        storages: dict[int, int] = {}
        weights = self._objective.live_weights.untyped_storage().data_ptr()

        def note(tensor: Tensor) -> Tensor:
            if tensor.layout != torch.strided:
                return tensor
            storage = tensor.untyped_storage()
            if storage.data_ptr() != weights:
                storages[storage.data_ptr()] = storage.nbytes()
            return tensor.detach()  # an operation that saves its own result would be a cycle

        with saved_tensors_hooks(note, lambda tensor: tensor):
            self._graph(batch)
        return sum(storages.values())


def _halves(batch: Batch, largest: int) -> list[tuple[int, int]]:
    """Where to cut a batch so that no piece has over half of ``largest`` samples."""
    middle = (largest + 1) // 2
    if batch.size <= middle or batch.is_whole:
        return [(0, batch.size)]
    return [(0, middle), (middle, batch.size)]

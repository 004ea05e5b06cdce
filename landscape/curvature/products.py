"""Products of one objective's curvature at one theta, many of them, as fast as they can be had.

What all products share is done once: for each batch the forward and first backward pass are kept
as a graph, while memory lasts, and a product is one more backward pass through it (Pearlmutter,
1994). The passes run with BatchNorms folded into their convolutions and with convolutions whose
second derivatives are cheap (:mod:`landscape.autograd.second_order`). The same numbers as by the
plain module to rounding, with which they are compared where it matters: every reported eigenpair
is certified by that.
"""

import gc
import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from landscape.autograd.gradient_graph import CurvatureGraph
from landscape.autograd.second_order import SecondOrder
from landscape.autograd.skipped import SkippedParameters
from landscape.curvature.matrices import MATRICES
from landscape.data.batches import Batch
from landscape.errors import NotMeasurableError
from landscape.objective.folding import fold_batch_norms
from landscape.objective.model_call import call_model
from landscape.objective.objective import Objective
from landscape.parameters.groups import Group
from landscape.runtime.devices import free_memory, is_out_of_memory

LOGGER = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# Of the memory that is free, so much may be kept as graphs.
SHARE_OF_MEMORY = 0.4
# How far the gradient may be from the plain module's, relative to its norm, in units of rounding.
ROUNDINGS = 1e4


@dataclass(frozen=True)
class ProductRequest:
    """The product of a diagonal block, or of the whole matrix, with ``vectors`` (size, K)."""

    vectors: Tensor
    group: Group | None = None


class Products(Protocol):
    """Whoever answers requests for products over one sample."""

    def __call__(self, requests: Sequence[ProductRequest], *, exact: bool = False) -> list[Tensor]:
        """An answer of the vectors' shape to each request.

        ``exact``: by the plain module, nothing kept and nothing replaced.
        """

    def gradient(self) -> Tensor:
        """The gradient of the loss, of shape (P,)."""


class LocalProducts:
    """The products of one objective, at its own weights or at ``theta``, in this process.

    Args:
        objective: of whose loss they are.
        theta: where, of shape (P,).
        matrix: one of ``landscape.curvature.matrices.MATRICES``.
        batches: a part of the objective's sample in place of all of it.
        num_samples: what the mean is over; by default the samples of the batches.
        budget: how many bytes of graphs may be kept; by default a share of the free memory.

    Where memory runs out it goes on with less: nothing kept, then halves of the batches.
    """

    def __init__(
        self,
        objective: Objective,
        theta: Tensor | None = None,
        *,
        matrix: str = "hessian",
        batches: Sequence[Batch] | None = None,
        num_samples: int = 0,
        budget: int | None = None,
    ) -> None:
        self._objective = objective
        self._theta = theta
        self._make_graph = MATRICES[matrix]
        self._batches = list(objective.batches if batches is None else batches)
        self._num_samples = num_samples or sum(batch.size for batch in self._batches)
        if budget is None:
            budget = int(SHARE_OF_MEMORY * free_memory(objective.device))
        self._budget = budget
        self._model: Callable[..., Any] | None = None  # chosen with the first product
        self._is_fast = False
        self._graphs: dict[int, CurvatureGraph] = {}

    def __call__(self, requests: Sequence[ProductRequest], *, exact: bool = False) -> list[Tensor]:
        """All requests share the graph of each batch."""
        return self._with_what_memory_there_is(lambda: self._answer(requests, exact))

    def gradient(self) -> Tensor:
        """The gradient of the loss, of shape (P,)."""
        return self._with_what_memory_there_is(self._gradient)

    def _with_what_memory_there_is(self, ask: Callable[[], Answer]) -> Answer:
        while True:
            try:
                return ask()
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
        """How many batches have their graph kept."""
        return len(self._graphs)

    def _answer(self, requests: Sequence[ProductRequest], exact: bool) -> list[Tensor]:
        layout = self._objective.layout
        columns: list[Tensor] = []
        tensors: list[list[int] | None] = []
        for one in requests:
            if one.group is None:
                columns.append(one.vectors)
                tensors.append(None)
            else:
                columns.append(one.group.scatter(one.vectors, layout.size))
                tensors.append(one.group.tensors(layout))
        answers = [torch.zeros_like(one) for one in columns]
        last = len(requests) - 1
        with self._objective.second_derivatives(self._theta):
            if self._model is None and self._batches and not exact:
                self._choose()
            for number, batch in enumerate(self._batches):
                kept = None if exact else self._graphs.get(number)
                graph = self._graph(batch, exact=exact) if kept is None else kept
                for k, answer in enumerate(answers):
                    keep = kept is not None or k < last
                    answer += graph.products(columns[k], tensors[k], keep=keep)
        return [
            answer if one.group is None else one.group.gather(answer)
            for one, answer in zip(requests, answers, strict=True)
        ]

    def _choose(self) -> None:
        """Take the fast form if it gives the plain one's gradient; keep what graphs fit."""
        objective = self._objective
        first = self._batches[0]
        plain = self._graph(first, exact=True).gradient
        self._model, self._is_fast = fold_batch_norms(objective.module) or objective.module, True
        try:
            error = torch.linalg.vector_norm(self._graph(first).gradient - plain)
        except RuntimeError as refused:  # some operation will not have it
            if is_out_of_memory(refused):
                raise
            error = torch.tensor(float("inf"))
        limit = ROUNDINGS * torch.finfo(plain.dtype).eps * torch.linalg.vector_norm(plain)
        if not error <= limit:
            self._model, self._is_fast = objective.module, False
        taken = 0
        each = self._graph_bytes(first) / first.size
        for number, batch in enumerate(self._batches):
            taken += int(each * batch.size)
            if taken > self._budget:
                break
            self._graphs[number] = self._graph(batch)

    def _back_off(self, error: RuntimeError) -> None:
        """Ask for less the next time. Raises NotMeasurableError if one sample is too much."""
        largest = max(batch.size for batch in self._batches)
        if self._graphs:
            LOGGER.info("out of memory: going on without kept graphs")
        elif largest > 1:
            LOGGER.info(f"out of memory: going on with batches of {(largest + 1) // 2}")
            halves = [b.slice(*part) for b in self._batches for part in _halves(b, largest)]
            self._batches = halves
        else:
            raise NotMeasurableError(
                "there is not enough memory for the product with a single sample; "
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
            outputs = call_model(model, batch)
        weight = batch.size / self._num_samples
        return self._make_graph(self._objective, batch, outputs, weight, skipped)

    def _graph_bytes(self, batch: Batch) -> int:
        """What the graph of a batch keeps in memory."""
        storages: dict[int, int] = {}
        weights = self._objective.live_weights.untyped_storage().data_ptr()

        def note(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() != weights:
                storages[storage.data_ptr()] = storage.nbytes()
            return tensor

        with saved_tensors_hooks(note, lambda tensor: tensor):
            self._graph(batch)
        gc.collect()  # hooks make cycles of what an operation keeps of its own result
        return sum(storages.values())


def _halves(batch: Batch, largest: int) -> list[tuple[int, int]]:
    middle = (largest + 1) // 2
    if batch.size <= middle:
        return [(0, batch.size)]
    return [(0, middle), (middle, batch.size)]

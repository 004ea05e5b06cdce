"""Hessian-vector products at one theta, many of them, as fast as they can be had.

What all products share is done once: for each batch the forward and first backward pass are kept
as a graph, while memory lasts, and a product is one more backward pass through it (Pearlmutter,
1994). The passes run with BatchNorms folded into their convolutions and with convolutions whose
second derivatives are cheap (:mod:`landscape.curvature.second_order`). The same numbers as
``Objective.hessian_product`` to rounding, with which they are compared where it matters: every
reported eigenpair is certified by that plain product.
"""

import gc
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from landscape.curvature.second_order import SecondOrder
from landscape.data.batches import Batch
from landscape.devices import free_memory
from landscape.folding import fold_batch_norms
from landscape.gradient_graph import GradientGraph
from landscape.objective import Objective, call_model

# Of the memory that is free, so much may be kept as graphs.
SHARE_OF_MEMORY = 0.4
# How far the gradient may be from the plain module's, relative to its norm, in units of rounding.
ROUNDINGS = 1e4


class HessianProducts:
    """The products of one objective's Hessian, at its own weights or at ``theta``.

    ``budget`` is how many bytes of graphs may be kept; by default a share of the free memory.
    """

    def __init__(
        self, objective: Objective, theta: Tensor | None = None, budget: int | None = None
    ) -> None:
        self._objective = objective
        self._theta = theta
        if budget is None:
            budget = int(SHARE_OF_MEMORY * free_memory(objective.device))
        self._budget = budget
        self._model: Callable[..., Any] | None = None  # chosen with the first product
        self._is_fast = False
        self._graphs: dict[int, GradientGraph] = {}

    def __call__(self, vectors: Tensor, group: Sequence[int] | None = None) -> Tensor:
        """H times ``vectors`` of shape (P, K).

        With a ``group`` of tensors of the layout, by number, the product with the diagonal block
        of those; all groups share the graphs.
        """
        products = torch.zeros_like(vectors)
        objective = self._objective
        with objective.second_derivatives(self._theta):
            if self._model is None:
                self._choose()
            for number, batch in enumerate(objective.batches):
                kept = self._graphs.get(number)
                graph = self._graph(batch) if kept is None else kept
                products += graph.products(vectors, group, keep=kept is not None)
        return products

    @property
    def num_kept(self) -> int:
        """How many batches have their graph kept."""
        return len(self._graphs)

    def _choose(self) -> None:
        """Take the fast form if it gives the plain one's gradient; keep what graphs fit."""
        objective = self._objective
        first = objective.batches[0]
        self._model = objective.module
        plain = self._graph(first).gradient
        self._model, self._is_fast = fold_batch_norms(objective.module) or objective.module, True
        try:
            error = torch.linalg.vector_norm(self._graph(first).gradient - plain)
        except RuntimeError:  # some operation will not have it
            error = torch.tensor(float("inf"))
        limit = ROUNDINGS * torch.finfo(plain.dtype).eps * torch.linalg.vector_norm(plain)
        if not error <= limit:
            self._model, self._is_fast = objective.module, False
        taken = 0
        each = self._graph_bytes(first) / first.size
        for number, batch in enumerate(objective.batches):
            taken += int(each * batch.size)
            if taken > self._budget:
                break
            self._graphs[number] = self._graph(batch)

    def _graph(self, batch: Batch) -> GradientGraph:
        with SecondOrder() if self._is_fast else nullcontext():
            assert self._model is not None
            outputs = call_model(self._model, batch)
        return self._objective.gradient_graph(batch, outputs)

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

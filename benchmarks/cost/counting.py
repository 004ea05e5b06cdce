"""Counts of what a call does: floating-point operations, bytes of tensors, curvature products."""

import gc
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from landscape.curvature.forward_mode import sample_curvatures
from landscape.curvature.preactivation import PreactivationHessian
from landscape.curvature.products import LocalProducts
from landscape.curvature.requests import ProductRequest
from landscape.data.batches import Batch
from landscape.objective.objective import Objective
from landscape.objective.twin import Twin


class Meter(TorchDispatchMode):
    """The floating-point operations of what runs within this context, and its bytes of tensors.

    Operations are those of matrix products and convolutions, by torch's own formulas. Tensors from
    before are not among the bytes, nor is what an operation takes for itself meanwhile. Tensors on
    the device ``meta`` count as if they were there.

    Attributes:
        operations: a multiplication and an addition are two.
        current: the bytes that are there now.
        peak: the most that were there at one time.

    Example:
        >>> with Meter() as meter:
        ...     product = torch.ones(10, 20) @ torch.ones(20, 30)
        >>> meter.operations, meter.peak
        (12000, 4400)
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations = 0
        self.peak = 0
        self.current = 0
        self._made: dict[int, tuple[int, object]] = {}
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        for storage in _storages((*args, *kwargs.values())):
            key = storage._cdata
            if key not in self._made and key not in self._before:
                self._before[key] = weakref.ref(storage, partial(self._forget_before, key))
        outputs = func(*args, **kwargs)
        for storage in _storages(outputs):
            key = storage._cdata
            if key not in self._made and key not in self._before:
                gone = weakref.ref(storage, partial(self._forget_made, key))
                self._made[key] = storage.nbytes(), gone
                self.current += storage.nbytes()
        self.peak = max(self.peak, self.current)
        formula = _OPERATIONS.get(func._overloadpacket)
        if formula is not None:
            self.operations += int(formula(*args, **kwargs, out_val=outputs))
        return outputs

    def _forget_made(self, key: int, _: object) -> None:
        self.current -= self._made.pop(key)[0]

    def _forget_before(self, key: int, _: object) -> None:
        self._before.pop(key, None)


def _storages(values: Any) -> Iterator[torch.UntypedStorage]:
    if isinstance(values, Tensor):
        if values.layout == torch.strided:
            yield values.untyped_storage()
    elif isinstance(values, tuple | list):
        for value in values:
            yield from _storages(value)


def _linear_operations(rows: Tensor, weight: Tensor, *_: Any, **__: Any) -> int:
    return 2 * rows.numel() * len(weight)


def _convolution_backward_operations(
    gradient: Tensor, _: Tensor, weight: Tensor, *rest: Any, **__: Any
) -> int:
    """Each derivative takes what the convolution takes, in every number of groups."""
    wanted = rest[-1]
    return 2 * gradient.numel() * weight[0].numel() * sum(wanted[:2])


_OPERATIONS: dict[Any, Callable[..., Any]] = dict(flop_registry)
_OPERATIONS[torch.ops.aten.convolution_backward] = _convolution_backward_operations
if hasattr(torch.ops.mkldnn, "_linear_pointwise"):  # oneDNN's, which fast products use
    _OPERATIONS[torch.ops.mkldnn._linear_pointwise] = _linear_operations


@dataclass
class Calls:
    """How often was computed what depends on how fast something converges.

    A pass over one sample is 1. Of products, one vector and one sample is 1.

    Attributes:
        forwards: forward passes of the counted module, those of gradients included.
        gradients: gradients of the loss over the whole sample.
        twins: losses in float64 along a line, for second differences.
        whole: products of the whole matrix.
        blocks: products of its blocks, by their sizes.
        layers: products with Hessians of single samples by a layer's outputs, by their sizes.
        along: second derivatives along vectors, in forward mode.
        along_blocks: the same along vectors of the weights of a block alone.
    """

    forwards: int = 0
    gradients: int = 0
    twins: int = 0
    whole: int = 0
    blocks: Counter[int] = field(default_factory=Counter)
    layers: Counter[int] = field(default_factory=Counter)
    along: int = 0
    along_blocks: int = 0


@dataclass(frozen=True)
class Counts:
    """What a call did.

    Attributes:
        operations: floating-point operations of matrix products and convolutions.
        peak: bytes of tensors at their peak, beyond those from before the call.
        calls: how often was computed what depends on convergence.
        value: what the call returned.
    """

    operations: int
    peak: int
    calls: Calls
    value: Any


@contextmanager
def counted_calls(kind: type[nn.Module]) -> Iterator[Calls]:
    """Count calls within this context; forward passes are those of modules of a ``kind``."""
    calls = Calls()
    multiply, differentiate = LocalProducts.__call__, Objective.gradient
    twin_loss, multiply_layer = Twin.loss_at, PreactivationHessian.products

    def products(
        self: LocalProducts, requests: Sequence[ProductRequest], *, exact: bool = False
    ) -> list[Tensor]:
        samples = sum(batch.size for batch in self._batches)
        for request in requests:
            if request.group is None:
                calls.whole += samples * request.vectors.shape[1]
            else:
                calls.blocks[request.group.size] += samples * request.vectors.shape[1]
        return multiply(self, requests, exact=exact)

    def gradient(self: Objective, theta: Tensor | None = None) -> Tensor:
        calls.gradients += self.num_samples
        return differentiate(self, theta)

    def loss_at(self: Twin, batch: Batch, theta: Tensor) -> Tensor:
        calls.twins += batch.size
        return twin_loss(self, batch, theta)

    def layer_products(self: PreactivationHessian, vectors: Tensor) -> Tensor:
        calls.layers[self.size] += self.count
        return multiply_layer(self, vectors)

    def along(
        objective: Objective,
        vectors: Sequence[ProductRequest],
        batch: Batch,
        theta: Tensor | None = None,
        at_once: int = 1,
    ) -> Tensor | None:
        whole = sum(vector.group is None for vector in vectors)
        calls.along += batch.size * whole
        calls.along_blocks += batch.size * (len(vectors) - whole)
        forwards = calls.forwards
        curvatures = sample_curvatures(objective, vectors, batch, theta, at_once)
        calls.forwards = forwards  # a pass carries several vectors: these are counted
        return curvatures

    def forward(module: nn.Module, inputs: Any) -> None:
        if isinstance(module, kind):
            calls.forwards += _batch_size(inputs[0])

    hook = register_module_forward_pre_hook(forward)
    try:
        with (
            patch.object(LocalProducts, "__call__", products),
            patch.object(Objective, "gradient", gradient),
            patch.object(Twin, "loss_at", loss_at),
            patch.object(PreactivationHessian, "products", layer_products),
            patch("landscape.curvature.sampling.sample_curvatures", along),
        ):
            yield calls
    finally:
        hook.remove()


def _batch_size(inputs: Tensor) -> int:
    """The samples of a batch, also of one that vmap has taken apart."""
    while torch._C._functorch.is_functorch_wrapped_tensor(inputs):
        inputs = torch._C._functorch.get_unwrapped(inputs)
    return len(inputs)


def operations_of(call: Callable[[], Any]) -> int:
    """The floating-point operations of a call, with attention as in :func:`count`."""
    with sdpa_kernel(SDPBackend.MATH), Meter() as meter:
        call()
    return meter.operations


def count(call: Callable[[], Any], kind: type[nn.Module]) -> Counts:
    """Call, and count. Attention runs in its plain form, whose operations torch can count.

    Args:
        call: what is counted.
        kind: the class of the network, whose forward passes are counted.
    """
    gc.collect()
    with sdpa_kernel(SDPBackend.MATH), counted_calls(kind) as calls, Meter() as meter:
        value = call()
    return Counts(meter.operations, meter.peak, calls, value)

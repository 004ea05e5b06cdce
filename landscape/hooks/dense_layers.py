"""The dense layers h_k = W_k a_{k-1} around a network's activation functions.

They are identified in a forward pass: dense layers whose output an activation function reads, those
that read the output of one, and the last dense layer of all. Layers and activations are matched by
the memory addresses of tensors, so the names of modules do not matter.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from landscape.data.batches import Batch
from landscape.errors import NotMeasurableError
from landscape.hooks.activations import FUNCTIONS
from landscape.objective.objective import Objective

# The place of a dense layer: before an activation, after one, between two, or at the end.
ROLES = ("first", "second", "between", "head")
ACTIVATIONS = {*FUNCTIONS, torch.sigmoid, torch.sigmoid_, Tensor.sigmoid, Tensor.sigmoid_}
# x * sigmoid(x) is another function than the sigmoid in it.
MULTIPLICATIONS = frozenset({"mul", "mul_", "multiply", "__mul__", "__rmul__", "__imul__"})

Function = Callable[[Tensor], Tensor]
Observer = Callable[["DenseLayer", Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class DenseLayer:
    """A dense layer.

    Attributes:
        weight: the name of its weight.
        role: its place, one of :data:`ROLES`.
        activation: the activation function f that reads its output, if any.
    """

    weight: str
    role: str
    activation: Function | None = None

    @property
    def path(self) -> str:
        """The path of its module."""
        return self.weight.removesuffix(".weight")

    def slopes(self, h: Tensor) -> Tensor:
        """The slopes f'(h), of the shape of h: the diagonal of B_k; 1 without an activation."""
        if self.activation is None:
            return torch.ones_like(h)
        with torch.enable_grad():
            point = h.detach().requires_grad_()
            value = self.activation(point.clone())  # f may work in place
            (slopes,) = torch.autograd.grad(value.sum(), point)
        return slopes


def dense_layers(objective: Objective) -> tuple[list[DenseLayer], dict[str, str]]:
    """The dense layers of a model that have a place around activation functions.

    Layers are left out whose weight is used more than once, and those whose input's first
    dimension is not the samples.

    Args:
        objective: the model, and samples for a forward pass.

    Returns:
        The layers in the order of the forward pass, and the reason for each layer that is left
        out, by path.

    Raises:
        NotMeasurableError: if there is no such layer.
    """
    largest = max(objective.batches, key=lambda batch: batch.size)
    # Two batch sizes, so that no other dimension is mistaken for that of the samples.
    sizes = sorted({min(largest.size, 2), min(largest.size, 3)})
    searches = [_search(objective, largest.slice(0, size)) for size in sizes]
    layers: list[DenseLayer] = []
    left_out: dict[str, str] = {}
    for layer in searches[-1].layers():
        reason = next(filter(None, (search.fault(layer.weight) for search in searches)), "")
        if reason:
            left_out[layer.path] = reason
        else:
            layers.append(layer)
    if not layers:
        why = "; ".join(f"{path}: {reason}" for path, reason in left_out.items())
        raise NotMeasurableError(
            f"{type(objective.module).__name__} has no dense layer to measure; expected an "
            f"nn.Linear that is the last one or next to an activation function"
            f"{why and f' ({why})'}"
        )
    return layers, left_out


@contextmanager
def watch_dense(
    module: nn.Module, layers: Sequence[DenseLayer], observe: Observer
) -> Iterator[None]:
    """Call an observer for some dense layers in every forward pass within this context.

    Args:
        module: whose forward passes are observed.
        layers: which layers.
        observe: called as ``observe(layer, input, output)``; the tensor that it returns replaces
            the output.
    """
    by_weight = {id(module.get_parameter(layer.weight)): layer for layer in layers}
    with _Watcher(by_weight, observe):
        yield


class _Watcher(TorchFunctionMode):
    def __init__(self, layers: Mapping[int, DenseLayer], observe: Observer) -> None:
        super().__init__()
        self.layers = layers
        self.observe = observe

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        if func is F.linear:
            x, weight = _operands(args, kwargs or {})
            if id(weight) in self.layers:
                return self.observe(self.layers[id(weight)], x, output)
        return output


@dataclass
class _Trace:
    """A tensor with the version that it had; an unmodified view of it has the same version."""

    weight: str
    tensor: Tensor
    version: int


class _Search(TorchFunctionMode):
    """Records how the dense layers and activation functions of one forward pass connect."""

    def __init__(self, module: nn.Module, size: int) -> None:
        super().__init__()
        self.size = size
        self.names: dict[int, list[str]] = {}
        for name, parameter in module.named_parameters(remove_duplicate=False):
            self.names.setdefault(id(parameter), []).append(name)
        self.tied = {names[0] for names in self.names.values() if len(names) > 1}
        self.calls: Counter[str] = Counter()
        self.last = ""
        self.misplaced: set[str] = set()
        self.activations: dict[str, Function] = {}
        self.following: set[str] = set()
        # The outputs of dense layers, and of the activations after them, by memory address.
        self.outputs: dict[int, _Trace] = {}
        self.activated: dict[int, _Trace] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        source = None
        if func in ACTIVATIONS:
            x = args[0] if args else kwargs.get("input")
            source = _trace(self.outputs, x, is_complete=True)
        output = func(*args, **kwargs)
        if func is F.linear:
            self._dense(*_operands(args, kwargs), output)
        elif source is not None and source.weight not in self.activations:
            self.activations[source.weight] = _replay(func, args, kwargs)
            self.activated[_place(output)] = _Trace(source.weight, output, output._version)
        elif getattr(func, "__name__", "") in MULTIPLICATIONS:
            for factor in args:
                self._multiplied(factor)
        return output

    def layers(self) -> list[DenseLayer]:
        """The layers that have a role, in the order of their first call."""
        return [
            DenseLayer(name, role, self.activations.get(name))
            for name in self.calls
            if (role := self._role(name))
        ]

    def fault(self, name: str) -> str:
        """Why a layer can't be measured; empty if it can."""
        if self.calls[name] > 1 or name in self.tied:
            return "its weight is used more than once"
        if name in self.misplaced or not self.calls[name]:
            return "its input's first dimension is not the samples"
        return ""

    def _role(self, name: str) -> str:
        if name in self.activations:
            return "between" if name in self.following else "first"
        if name == self.last:
            return "head"
        return "second" if name in self.following else ""

    def _dense(self, x: Tensor, weight: Tensor, output: Tensor) -> None:
        if id(weight) not in self.names:
            return
        name = self.names[id(weight)][0]
        self.calls[name] += 1
        self.last = name
        if x.dim() < 2 or len(x) != self.size:
            self.misplaced.add(name)
        if _trace(self.activated, x) is not None:
            self.following.add(name)
        self.outputs[_place(output)] = _Trace(name, output, output._version)

    def _multiplied(self, factor: Any) -> None:
        trace = _trace(self.outputs, factor)
        if trace is not None:
            self.activations.pop(trace.weight, None)


def _search(objective: Objective, batch: Batch) -> _Search:
    search = _Search(objective.module, batch.size)
    with objective.second_derivatives(), search:
        objective.forward(batch)
    return search


def _trace(known: Mapping[int, _Trace], tensor: Any, *, is_complete: bool = False) -> _Trace | None:
    """The trace of the tensor that this one is a view of, if it is unmodified since.

    With ``is_complete`` only a view of all its entries counts: a view of some is a gate.
    """
    trace = known.get(_place(tensor)) if isinstance(tensor, Tensor) else None
    if trace is None or trace.version != tensor._version:
        return None
    return trace if not is_complete or trace.tensor.numel() == tensor.numel() else None


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _operands(args: Any, kwargs: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """The input and the weight in a call of ``F.linear``."""
    named = dict(zip(("input", "weight"), args, strict=False)) | dict(kwargs)
    return named["input"], named["weight"]


def _replay(func: Any, args: Any, kwargs: Mapping[str, Any]) -> Function:
    """A function that repeats the call with another input."""
    if args:
        rest = args[1:]
        return lambda x: func(x, *rest, **kwargs)
    options = {name: value for name, value in kwargs.items() if name != "input"}
    return lambda x: func(x, **options)

"""The dense layers h_k = W_k a_{k-1} around a network's activation functions.

Found in one forward pass: a dense layer whose output an activation function takes, one that takes
what such a function puts out, and the last one of all. Which belongs to which is told by where the
tensors lie in memory, so the names of modules do not matter.
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

# Where a dense layer stands: before an activation, after one, between two, or at the end.
ROLES = ("first", "second", "between", "head")
ACTIVATIONS = {*FUNCTIONS, torch.sigmoid, torch.sigmoid_, Tensor.sigmoid, Tensor.sigmoid_}
# x * sigmoid(x) is another function than the sigmoid in it.
MULTIPLICATIONS = frozenset({"mul", "mul_", "multiply", "__mul__", "__rmul__", "__imul__"})

Function = Callable[[Tensor], Tensor]
Observer = Callable[["DenseLayer", Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class DenseLayer:
    """A dense layer: the name of its weight, its place among :data:`ROLES`, and f if it has one."""

    weight: str
    role: str
    activation: Function | None = None

    @property
    def path(self) -> str:
        """What it is called: the path of its module."""
        return self.weight.removesuffix(".weight")

    def slopes(self, h: Tensor) -> Tensor:
        """f'(h), of the shape of h: the diagonal of B_k; ones without an activation."""
        if self.activation is None:
            return torch.ones_like(h)
        with torch.enable_grad():
            point = h.detach().requires_grad_()
            value = self.activation(point.clone())  # f may work in place
            (slopes,) = torch.autograd.grad(value.sum(), point)
        return slopes


def dense_layers(objective: Objective) -> tuple[list[DenseLayer], dict[str, str]]:
    """The layers in the order of the forward pass; and by path why others are left out.

    Left out are weights that are used more than once, and layers whose input's first dimension is
    not the samples. Raises NotMeasurableError if nothing is left.
    """
    largest = max(objective.batches, key=lambda batch: batch.size)
    # Two sizes, so that no other dimension passes for that of the samples.
    sizes = sorted({min(largest.size, 2), min(largest.size, 3)})
    searches = [_searched(objective, largest.slice(0, size)) for size in sizes]
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
            f"{type(objective.module).__name__} has no dense layer to measure: expected an "
            f"nn.Linear, the last one or one next to an activation function{why and f' ({why})'}"
        )
    return layers, left_out


@contextmanager
def watch_dense(
    module: nn.Module, layers: Sequence[DenseLayer], observe: Observer
) -> Iterator[None]:
    """Call ``observe(layer, input, output)`` for these layers in every forward pass.

    What it returns takes the place of the output.
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
    """A tensor that is kept, as it was: a view of it that nobody wrote to has its version."""

    weight: str
    tensor: Tensor
    version: int


class _Search(TorchFunctionMode):
    """What the dense layers and activation functions of one forward pass have to do."""

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
        # By where they lie: what dense layers put out, and the activation functions after them.
        self.outputs: dict[int, _Trace] = {}
        self.activated: dict[int, _Trace] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        source = None
        if func in ACTIVATIONS:
            x = args[0] if args else kwargs.get("input")
            source = _trace(self.outputs, x, whole=True)
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
        """Those that were found, in order of their first call."""
        return [
            DenseLayer(name, role, self.activations.get(name))
            for name in self.calls
            if (role := self._role(name))
        ]

    def fault(self, name: str) -> str:
        """Why a layer can't be measured, if it can't."""
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


def _searched(objective: Objective, batch: Batch) -> _Search:
    search = _Search(objective.module, batch.size)
    with objective.second_derivatives(), search:
        objective.forward(batch)
    return search


def _trace(known: Mapping[int, _Trace], tensor: Any, *, whole: bool = False) -> _Trace | None:
    """The tensor that this one is a view of, if neither has been written to since.

    With ``whole`` a view of all of it: a part is a gate.
    """
    trace = known.get(_place(tensor)) if isinstance(tensor, Tensor) else None
    if trace is None or trace.version != tensor._version:
        return None
    return trace if not whole or trace.tensor.numel() == tensor.numel() else None


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _operands(args: Any, kwargs: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """Input and weight of a call of ``F.linear``."""
    named = dict(zip(("input", "weight"), args, strict=False)) | dict(kwargs)
    return named["input"], named["weight"]


def _replay(func: Any, args: Any, kwargs: Mapping[str, Any]) -> Function:
    """The same call for another input."""
    if args:
        rest = args[1:]
        return lambda x: func(x, *rest, **kwargs)
    others = {name: value for name, value in kwargs.items() if name != "input"}
    return lambda x: func(x, **others)

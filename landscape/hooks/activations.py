"""What activation functions put out, layer by layer, during a forward pass.

Activation modules are watched by hooks. Activations called as functions (``F.relu(x)``, as many
hand-written networks do) are watched too, and named after the module that calls them.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.hooks.module_path import ModuleMode

# Modules of torch.nn.modules.activation that act on each neuron by itself, with a sign that
# means something.
MODULES = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.RReLU,
    nn.ELU,
    nn.SELU,
    nn.CELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Softplus,
    nn.Hardswish,
    nn.Tanh,
    nn.Hardtanh,
    nn.Threshold,
)
FUNCTIONS: dict[Any, str] = {
    F.relu: "relu",
    F.relu_: "relu",
    torch.relu: "relu",
    torch.relu_: "relu",
    Tensor.relu: "relu",
    Tensor.relu_: "relu",
    F.relu6: "relu6",
    F.leaky_relu: "leaky_relu",
    F.elu: "elu",
    F.selu: "selu",
    F.celu: "celu",
    F.gelu: "gelu",
    F.silu: "silu",
    F.mish: "mish",
    F.hardswish: "hardswish",
    F.softplus: "softplus",
    F.hardtanh: "hardtanh",
    F.rrelu: "rrelu",
    F.prelu: "prelu",
    F.threshold: "threshold",
    torch.tanh: "tanh",
    Tensor.tanh: "tanh",
}

Observer = Callable[[str, Tensor], None]


@contextmanager
def watch_activations(model: nn.Module, observe: Observer) -> Iterator[None]:
    """Call ``observe(layer, output)`` for every activation of every forward pass of ``model``.

    A layer is named by its module's path; where a module is called more than once a pass, the
    later calls get ``:2``, ``:3``, ... and an activation called as a function ``CALLER.relu``.
    """
    watcher = _Watcher(model, observe)
    with watcher, watcher.hooks():
        yield


@contextmanager
def watch_outputs(model: nn.Module, paths: Iterable[str], observe: Observer) -> Iterator[None]:
    """Call ``observe(path, output)`` whenever a module at one of ``paths`` has put out a tensor."""

    def hook(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def record(_module: nn.Module, _inputs: Any, output: Any) -> None:
            found = output[0] if isinstance(output, tuple | list) and output else output
            if isinstance(found, Tensor):
                observe(path, found.detach())

        return record

    handles = [model.get_submodule(path).register_forward_hook(hook(path)) for path in paths]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Watcher(ModuleMode):
    def __init__(self, model: nn.Module, observe: Observer) -> None:
        super().__init__(model)
        self.observe = observe
        self.inside_activation = 0

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        if func in FUNCTIONS and not self.inside_activation and isinstance(output, Tensor):
            self._report(".".join(filter(None, (self.path[-1], FUNCTIONS[func]))), output)
        return output

    def entered(self, module: nn.Module) -> None:
        if module is self.model:
            self.inside_activation = 0
        self.inside_activation += isinstance(module, MODULES)

    def left(self, name: str, module: nn.Module, output: Any) -> None:
        if isinstance(module, MODULES):
            self.inside_activation -= 1
            self._report(name, output)

    def _report(self, layer: str, output: Tensor) -> None:
        self.observe(self.numbered(layer), output.detach())

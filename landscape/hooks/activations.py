"""The outputs of activation functions, layer by layer, during a forward pass.

Activation modules are observed by hooks. Activations called as functions (``F.relu(x)``, as in
many hand-written networks) are observed too, and named after the module that calls them.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.hooks.module_path import ModuleMode

# Modules of torch.nn.modules.activation that act on each neuron separately and whose sign tells
# whether it is active.
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
    """Call an observer for every activation of every forward pass within this context.

    Args:
        model: whose forward passes are observed.
        observe: called as ``observe(layer, output)``. A layer is named by its module's path, an
            activation called as a function ``CALLER.relu``; where a module is called more than
            once in a pass, the later calls get ``:2``, ``:3``, ...

    Example:
        The share of active neurons by layer::

            def record(layer, output):
                print(layer, (output > 0).float().mean().item())

            with watch_activations(model, record):
                model(images)
    """
    watcher = _Watcher(model, observe)
    with watcher, watcher.hooks():
        yield


@contextmanager
def watch_outputs(model: nn.Module, paths: Iterable[str], observe: Observer) -> Iterator[None]:
    """Call an observer for every output of some modules within this context.

    Args:
        model: whose forward passes are observed.
        paths: the modules, as in ``model.named_modules()``.
        observe: called as ``observe(path, output)`` where a module returns a tensor, or a tuple
            or list whose first item is one.
    """

    def hook(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def record(_module: nn.Module, _inputs: Any, output: Any) -> None:
            tensor = output[0] if isinstance(output, tuple | list) and output else output
            if isinstance(tensor, Tensor):
                observe(path, tensor.detach())

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

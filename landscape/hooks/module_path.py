"""Which module of a model is running when a torch function is called in its forward pass."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode


class ModuleMode(TorchFunctionMode):
    """A mode that observes every call of a torch function and knows the path of the module.

    A subclass handles calls in ``__torch_function__`` and modules in :meth:`entered` and
    :meth:`left`. It has to be active together with :meth:`hooks`.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.path = [""]
        self._calls: dict[str, int] = defaultdict(int)

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Follow the modules of the model within this context."""
        handles = []
        for name, module in self.model.named_modules():
            if self.follows(module):
                enter, leave = self._module_hooks(name)
                handles.append(module.register_forward_pre_hook(enter))
                handles.append(module.register_forward_hook(leave))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def follows(self, module: nn.Module) -> bool:
        """Whether to follow a module; if not, its calls count as its parent's."""
        return True

    def entered(self, module: nn.Module) -> None:
        """Called before the forward pass of a module."""

    def left(self, name: str, module: nn.Module, output: Any) -> None:
        """Called after the forward pass of the module at path ``name``."""

    def numbered(self, name: str) -> str:
        """The name, with ``:2``, ``:3``, ... where it recurs within one pass of the model."""
        self._calls[name] += 1
        call = self._calls[name]
        return name if call == 1 else f"{name}:{call}"

    def _module_hooks(self, name: str) -> tuple[Callable[..., None], Callable[..., None]]:
        def enter(module: nn.Module, _inputs: Any) -> None:
            if module is self.model:
                self.path = [""]  # also after a pass that failed
                self._calls.clear()
            self.path.append(name)
            self.entered(module)

        def leave(module: nn.Module, _inputs: Any, output: Any) -> None:
            self.path.pop()
            self.left(name, module, output)

        return enter, leave

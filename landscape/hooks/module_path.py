"""Which module of a model is at work, while functions are called in its forward passes."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode


class ModuleMode(TorchFunctionMode):
    """A mode that sees every call of a torch function and knows the path of the module under way.

    A subclass says in ``__torch_function__`` what it does with calls, and with :meth:`entered` and
    :meth:`left` what with modules. It works within :meth:`hooks`.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.path = [""]
        self._calls: dict[str, int] = defaultdict(int)

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Follow the modules of the model; the hooks are taken off again afterwards."""
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
        """Whether a module counts, or what it does is taken for its parent's."""
        return True

    def entered(self, module: nn.Module) -> None:
        """A module begins."""

    def left(self, name: str, module: nn.Module, output: Any) -> None:
        """The module of this path is done; the path already is its parent's."""

    def numbered(self, name: str) -> str:
        """The name, with :2, :3, ... where it is asked for again within one pass of the model."""
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

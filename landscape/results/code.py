"""What functions, losses and networks compute, as hashes: the code of results' provenance.

Code is described as a mapping of its parts to hashes. A function of an installed library is
:data:`LIBRARY`, since provenance has the versions; what has no source is :data:`UNKNOWN`.
"""

import hashlib
import inspect
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
from torch import Tensor, nn

from landscape.results.hashing import hash_tensors

LIBRARY = "library"
UNKNOWN = "unknown"

_SETTINGS = "settings"
_TOOLKIT = ("torch", "landscape", "analyses")
_PLAIN = (type(None), bool, int, float, complex, str, bytes)
# What every module has besides what its class adds.
_OF_MODULES = frozenset(vars(nn.Module()))


def describe_function(function: Any) -> dict[str, str]:
    """The parts of a function, a partial, a method, a loss module or another callable object.

    Args:
        function: of which the source is hashed, and the values that it computes with: those of its
            closure, its defaults, the keywords of a partial, the attributes of an object, and the
            globals that it names.

    Returns:
        Hashes by part: the function's or class's name, ``settings``, and ``not known`` with the
        types of values that have no hash.
    """
    parts, values = _split(function)
    digest = _Digest()
    for value in values:
        digest.add(value)
    return {**parts, **digest.parts()}


def describe_network(network: nn.Module) -> dict[str, str]:
    """The parts of a network but for its weights: structure, classes, and plain attributes."""
    parts = {"structure": hashlib.sha256(repr(network).encode()).hexdigest()}
    digest = _Digest()
    for name, module in network.named_modules():
        parts |= {part: text for part, text in _class_of(module).items() if text != LIBRARY}
        added = {key: v for key, v in vars(module).items() if key not in _OF_MODULES}
        for key, value in added.items():
            if isinstance(value, Tensor):  # may be of an earlier pass
                digest.unknown.add("Tensor")
            elif isinstance(value, (*_PLAIN, tuple, list, dict, FunctionType, partial)):
                digest.add((name, key, value))
    return {**parts, **digest.parts()}


class _Digest:
    """A hash of values of any kind; ``unknown`` has the types of those that have none."""

    def __init__(self) -> None:
        self.unknown: set[str] = set()
        self._hash = hashlib.sha256()
        self._is_empty = True
        self._kept: dict[int, Any] = {}  # also keeps objects, so that no id is used twice

    def parts(self) -> dict[str, str]:
        """What was added, as parts of a description; nothing if nothing was."""
        parts = {} if self._is_empty else {_SETTINGS: self._hash.hexdigest()}
        return parts | ({"not known": ", ".join(sorted(self.unknown))} if self.unknown else {})

    def add(self, value: Any) -> None:
        """Add a value; of an object its class and its attributes."""
        self._is_empty = False
        if isinstance(value, _PLAIN):
            self._note(type(value).__name__, repr(value))
            return
        if id(value) in self._kept:
            self._note("again", str([*self._kept].index(id(value))))
            return
        self._kept[id(value)] = value
        if isinstance(value, Tensor):
            self._note("tensor", "" if value.is_meta else hash_tensors([value]))
        elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
            self._note(f"{value.dtype}{value.shape}", hashlib.sha256(value.tobytes()).hexdigest())
        elif isinstance(value, Mapping):
            self._add_all("mapping", (item for pair in value.items() for item in pair))
        elif isinstance(value, tuple | list):
            self._add_all(type(value).__name__, iter(value))
        elif isinstance(value, set | frozenset):
            self._add_all("set", iter(sorted(value, key=repr)))
        elif isinstance(value, ModuleType):
            self._note("module", value.__name__)
        elif isinstance(value, type):
            self._note("class", str(_source_of(value)))
        elif callable(value) or hasattr(value, "__dict__"):
            parts, values = _split(value)
            self._note("object", str(parts))
            self._add_all("values", values)
        else:
            self._note("type", type(value).__qualname__)
            self.unknown.add(type(value).__qualname__)

    def _add_all(self, kind: str, values: Iterator[Any]) -> None:
        self._note(kind, "")
        for value in values:
            self.add(value)
        self._note("end", "")

    def _note(self, kind: str, text: str) -> None:
        self._hash.update(f"{kind} {len(text)} {text}\n".encode())


def _split(function: Any) -> tuple[dict[str, str], Iterator[Any]]:
    """The source of a callable or another object, and the values that it computes with."""
    if isinstance(function, partial):
        parts, values = _split(function.func)
        return parts, iter([*values, function.args, function.keywords])
    if isinstance(function, MethodType):
        parts, values = _split(function.__func__)
        return parts, iter([*values, function.__self__])
    if isinstance(function, FunctionType):
        return _source_of(function), _values_of(function)
    if isinstance(function, nn.Module):
        added = {key: v for key, v in vars(function).items() if key not in _OF_MODULES}
        state = {**dict(function.named_parameters()), **dict(function.named_buffers())}
        return _class_of(function), iter([added, state, *function.children()])
    if hasattr(function, "__dict__"):
        return _class_of(function), iter([vars(function)])
    if callable(function) and _is_library(getattr(function, "__module__", None)):
        return _source_of(function), iter(())
    return {type(function).__qualname__: UNKNOWN}, iter(())


def _values_of(function: FunctionType) -> Iterator[Any]:
    """What a function computes with besides its arguments."""
    cells = function.__closure__ or ()
    for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not bound yet
            yield name
    if _is_library(function.__module__):
        return
    if function.__defaults__ or function.__kwdefaults__:
        yield function.__defaults__, function.__kwdefaults__
    for name in sorted(_names(function.__code__) & function.__globals__.keys()):
        value = function.__globals__[name]
        if not isinstance(value, ModuleType) and value is not function:
            yield name, value


def _names(code: CodeType) -> set[str]:
    """The global names and attributes in a function's code, and in functions within it."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _class_of(value: Any) -> dict[str, str]:
    """The sources of an object's class and of those that it inherits from."""
    parts: dict[str, str] = {}
    for base in type(value).__mro__[:-1]:
        parts |= _source_of(base)
        if _is_library(base.__module__):
            break
    return parts


def _source_of(function: Any) -> dict[str, str]:
    """The name of a function or class, with the hash of its source."""
    module = getattr(function, "__module__", None) or ""
    name = str(getattr(function, "__qualname__", type(function).__qualname__))
    if _is_library(module):
        return {f"{module}.{name}": LIBRARY}
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):  # made by exec, in a prompt, or not in Python
        code = getattr(function, "__code__", None)
        return {name: UNKNOWN if code is None else _hash_of_code(code)}
    if name.endswith("<lambda>"):  # a line may hold several
        source += _hash_of_code(function.__code__)
    return {name: hashlib.sha256(source.encode()).hexdigest()}


def _hash_of_code(code: CodeType) -> str:
    """The hash of what the interpreter runs."""
    constants = [
        _hash_of_code(each) if isinstance(each, CodeType) else repr(each) for each in code.co_consts
    ]
    text = repr((code.co_code, constants, code.co_names))
    return hashlib.sha256(text.encode()).hexdigest()


def _is_library(module: str | None) -> bool:
    """Whether a module is of Python or installed, so that its version says what it computes."""
    top = (module or "").partition(".")[0]
    if top in _TOOLKIT or top == "builtins":
        return True
    if top in sys.stdlib_module_names:
        return top != "__main__"
    file = getattr(sys.modules.get(top), "__file__", None)
    installed = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    return file is not None and any(Path(file).is_relative_to(place) for place in installed)

"""``FILE.py:FUNCTION``: a function from a user's own file."""

import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from landscape.errors import InputError
from landscape.runtime.optional_imports import with_torchvision


def is_user_function(name: str) -> bool:
    """Whether ``name`` has the form FILE.py:FUNCTION."""
    path, separator, function = name.rpartition(":")
    return bool(separator) and path.endswith(".py") and function.isidentifier()


def load_user_function(name: str) -> Callable[..., Any]:
    """Import the file and return the function; its folder stays importable, as for a script."""
    path_text, _, function = name.rpartition(":")
    path = Path(path_text).resolve()
    if not path.is_file():
        raise InputError(f"no such file: {path_text} (expected FILE.py:FUNCTION, got {name!r})")
    # A name of its own: the file may be called json.py.
    spec = importlib.util.spec_from_file_location(f"_landscape_user_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    sys.modules[spec.name] = module  # dataclasses look their module up there
    try:
        with_torchvision(partial(spec.loader.exec_module, module))
    except Exception as error:
        del sys.modules[spec.name]
        raise InputError(f"{path_text} can't be imported: {_describe(error)}") from error
    found = getattr(module, function, None)
    if not callable(found):
        raise InputError(f"{path_text} has no function {function!r}")
    return found


def call_user_function(name: str, arguments: Mapping[str, Any], *, strict: bool) -> Any:
    """Call FILE.py:FUNCTION with those of ``arguments`` it has parameters for.

    With ``strict`` an argument it has no parameter for is an InputError; so always is a required
    parameter that no argument fills, and an exception of the function's own.
    """
    function = load_user_function(name)
    parameters = inspect.signature(function).parameters.values()
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    known = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    unknown = sorted(set(arguments) - known)
    if strict and unknown and not takes_any:
        raise InputError(f"{name} takes no argument {', '.join(unknown)}")
    used = {k: v for k, v in arguments.items() if k in known or (strict and takes_any)}
    required = {p.name for p in parameters if p.name in known and p.default is p.empty}
    missing = sorted(required - set(used))
    if missing:
        raise InputError(
            f"{name} requires {', '.join(missing)}; available: {', '.join(arguments) or 'nothing'}"
        )
    try:
        return with_torchvision(partial(function, **used))
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{name} failed: {_describe(error)}") from error


def _describe(error: Exception) -> str:
    first_line = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first_line}"

"""Functions from a user's own file, named as ``FILE.py:FUNCTION``."""

import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

from landscape.errors import InputError
from landscape.runtime.optional_imports import with_torchvision


def is_user_function(name: str) -> bool:
    """Whether ``name`` has the form FILE.py:FUNCTION."""
    path, separator, function = name.rpartition(":")
    return bool(separator) and path.endswith(".py") and function.isidentifier()


def absolute_name(name: str) -> str:
    """The same name with an absolute path in FILE.py:FUNCTION, as a run remembers it."""
    if not is_user_function(name):
        return name
    path, _, function = name.rpartition(":")
    return f"{Path(path).resolve()}:{function}"


def load_user_function(name: str) -> Callable[..., Any]:
    """Import the file that ``name`` (FILE.py:FUNCTION) names and return the function.

    The folder of the file stays importable, as it would for a script.

    Raises:
        InputError: There is no such file or function, or the file can't be imported.
    """
    path_text, _, function = name.rpartition(":")
    path = Path(path_text).resolve()
    if not path.is_file():
        raise InputError(f"no such file: {path_text} (expected FILE.py:FUNCTION, got {name!r})")
    # A module name that nothing else has: the file may be called json.py.
    module_name = f"_landscape_user_{path.stem}"
    loader = _FromSource(module_name, str(path))
    spec = importlib.util.spec_from_file_location(module_name, path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    sys.modules[spec.name] = module  # dataclasses look their module up there
    try:
        with_torchvision(partial(loader.exec_module, module))
    except (Exception, SystemExit) as error:
        del sys.modules[spec.name]
        raise InputError(f"{path_text} can't be imported: {_describe(error)}") from error
    loaded = getattr(module, function, None)
    if not callable(loaded):
        raise InputError(f"{path_text} has no function {function!r}")
    return loaded


class _FromSource(SourceFileLoader):
    """Compiles what is in the file now, and leaves nothing beside it.

    Compiled code is taken for that of a file of the same size and second, which may be another.
    """

    def get_code(self, fullname: str) -> CodeType:
        """The compiled source."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def call_user_function(name: str, arguments: Mapping[str, Any], *, strict: bool) -> Any:
    """Call FILE.py:FUNCTION with those of ``arguments`` that it has parameters for.

    Args:
        name: FILE.py:FUNCTION.
        arguments: Keyword arguments by name.
        strict: Refuse arguments that the function has no parameter for, instead of leaving them
            out.

    Returns:
        What the function returns.

    Raises:
        InputError: A required parameter is missing, the function raised an exception, or, with
            ``strict``, an argument has no parameter.
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
    except (Exception, SystemExit) as error:
        raise InputError(f"{name} failed: {_describe(error)}") from error


def _describe(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error}), which would end the command"
    first_line = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first_line}"

"""Files that torch wrote: ``.pt``, ``.pth``, ``.ckpt``, ``.pth.tar``, ``.th``, ``.bin``."""

import pickle
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import torch

from landscape.checkpoints.foreign.archives import ZIP_ERRORS, check_archive, is_archive
from landscape.checkpoints.foreign.harmless import harmless_types
from landscape.checkpoints.foreign.kinds import Kind, damaged, describe_file, kind_of
from landscape.errors import InputError
from landscape.runtime.optional_imports import with_torchvision


def read_torch_file(path: Path, *, trust: bool = False) -> Any:
    """Read a torch file onto the CPU.

    Args:
        path: The file.
        trust: Load pickled objects of any type, which may run code; by default only tensors and
            types that hold plain values are loaded.

    Returns:
        What was saved: most often a dict. A TorchScript archive and a pickled module are modules.

    Raises:
        InputError: The file is missing, damaged or no torch file, or holds other objects. Damage is
            told by the checksums that torch.save writes, which torch.load does not read.
    """
    if not path.is_file():
        raise InputError(f"no such checkpoint: {path}")
    kind = kind_of(path)
    if kind not in (Kind.TORCH, Kind.TORCHSCRIPT, Kind.PICKLE):
        raise InputError(describe_file(path))
    if kind is not Kind.TORCH and not trust:
        raise InputError(
            f"{path} is {kind.value}, which may run code when it is read; --trust loads it: only "
            "for files you made yourself, or save model.state_dict() with torch.save"
        )
    if is_archive(path):  # those of torch before version 1.6 have no checksums
        try:
            check_archive(path)
        except ZIP_ERRORS as error:
            raise InputError(damaged(path)) from error
    try:
        with warnings.catch_warnings():  # torch.jit is deprecated, its archives are still there
            warnings.simplefilter("ignore")
            if kind is Kind.TORCHSCRIPT:
                return torch.jit.load(path, map_location="cpu")
            # An open file, since torch.load takes the format from a path's ending.
            with path.open("rb") as file:
                if kind is Kind.PICKLE:
                    return pickle.load(file)
                with torch.serialization.safe_globals(harmless_types()):
                    # What is trusted may import the user's own code, and that torchvision.
                    return with_torchvision(lambda: _load(file, trust=trust))
    except pickle.UnpicklingError as error:
        if "global" in str(error).lower() or "class" in str(error).lower():
            raise InputError(
                f"{path} holds pickled objects besides tensors ({_refused(path, str(error))}); "
                "--trust loads it, but runs any code that is in it: only for files you made "
                "yourself"
            ) from error
        raise InputError(damaged(path)) from error
    except (ModuleNotFoundError, AttributeError) as error:
        raise InputError(
            f"{path} holds objects whose code can't be found ({error}); install or import it, or "
            "save model.state_dict() alone"
        ) from error
    except Exception as error:  # torch raises RuntimeError, EOFError, OSError and others
        if trust and is_archive(path):  # whole, so that it was the code in it
            reason = (str(error).splitlines() or [""])[0]
            raise InputError(
                f"{path} can't be loaded: the objects in it raised {type(error).__name__}: {reason}"
            ) from error
        raise InputError(f"{damaged(path)}; --debug shows what torch said") from error


def _load(file: BinaryIO, *, trust: bool) -> Any:
    file.seek(0)  # it may be called again
    return torch.load(file, map_location="cpu", weights_only=not trust)


def _refused(path: Path, message: str) -> str:
    """The types that torch refuses to load, as far as they can be listed."""
    try:
        with torch.serialization.safe_globals(harmless_types()):
            names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception:  # an older file format, or an opcode that the reader does not know
        names = []
    if names:
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    words = message.split()
    for marker in ("GLOBAL", "class"):
        if marker in words[:-1]:
            return words[words.index(marker) + 1].strip(".,`'")
    return "of an unnamed type"

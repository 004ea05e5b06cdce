"""A run made ready to hand on: its settings and curves, and the weights alone, in safetensors."""

from pathlib import Path

import torch
from torch import Tensor

from landscape.checkpoints.foreign.safetensors_file import to_safetensors
from landscape.checkpoints.run import LAST, RELEASED_WEIGHTS, RunDirectory
from landscape.errors import InputError
from landscape.results.files import replacing
from landscape.results.lock import locked


def release_run(run: Path, folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """Copy a run without its optimizer state, as a run directory that every command reads.

    It does not say where the data were: another machine has them elsewhere (``--data-dir``).

    Args:
        run: The run directory.
        folder: Where config.json, metrics.csv and model.safetensors are written.
        dtype: What weights of floating point are rounded to. Half precision is half the size; the
            released network is the rounded one, so measure that one.

    Returns:
        The file of weights. Its metadata hold a checksum, which every reader here verifies.

    Raises:
        InputError: The run is not complete, or a weight is too large for ``dtype``.
        InUseError: Another process writes to ``folder``.

    Example:
        >>> release_run(Path("checkpoints/vit"), Path("shared/vit"), torch.float16)
        PosixPath('shared/vit/model.safetensors')
    """
    source = RunDirectory(run)
    config = source.read_config()
    config["data"] = {**config["data"], "data_dir": ""}
    state = source.load(LAST).get("model")
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise InputError(f"{run / LAST} holds no weights by name under model; train again")
    rounded = {name: _rounded(name, value, dtype) for name, value in state.items()}
    with locked(folder):
        target = RunDirectory(folder)
        target.sweep()
        target.write_config(config)
        target.write_metrics(source.read_metrics())
        with replacing(folder / RELEASED_WEIGHTS) as temporary:
            temporary.write_bytes(to_safetensors(rounded))
    return folder / RELEASED_WEIGHTS


def _rounded(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    if not value.is_floating_point():
        return value.contiguous()
    rounded = value.to(dtype).contiguous()
    if not rounded.isfinite().all():
        raise InputError(
            f"{name} does not fit into {dtype}: its largest size is {value.abs().max():g}"
        )
    return rounded

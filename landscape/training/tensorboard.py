"""Curves for TensorBoard: ``--tensorboard``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from landscape.errors import InputError


class TensorBoardLogger:
    """Writes the rows of metrics.csv as scalars.

    Args:
        folder: Where TensorBoard's files are.
        finished: How many epochs are finished; TensorBoard drops what was written after these.

    Raises:
        InputError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, finished: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise InputError(
                f"--tensorboard needs tensorboard, which can't be imported ({error}); install it "
                "with: pip install 'loss-landscape-toolkit[tensorboard]'"
            ) from error
        self._writer: Any = SummaryWriter(str(folder), purge_step=finished + 1)

    def log_dict(self, metrics: Mapping[str, float], step: int) -> None:
        """Add the metrics of an epoch."""
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

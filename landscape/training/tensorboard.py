"""Curves for TensorBoard."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from landscape.errors import InputError


class TensorBoardLogger:
    """Writes the rows of metrics.csv as scalars, where it is wanted."""

    def __init__(self, folder: Path, is_wanted: bool, finished: int) -> None:
        """``finished`` epochs are there already; what was written after them goes.

        Raises InputError where TensorBoard is not installed.
        """
        self._writer: Any = None
        if not is_wanted:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise InputError(
                f"--tensorboard needs tensorboard, which can't be imported ({error}); install it "
                "with: pip install 'loss-landscape-toolkit[tensorboard]'"
            ) from error
        self._writer = SummaryWriter(str(folder), purge_step=finished + 1)

    def write(self, row: Mapping[str, float]) -> None:
        """Add an epoch."""
        if self._writer is None:
            return
        for name, value in row.items():
            if name != "epoch":
                self._writer.add_scalar(name, value, int(row["epoch"]))
        self._writer.flush()

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()

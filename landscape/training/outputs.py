"""The files that a training writes into its run directory."""

import math
import time
from typing import Any

from landscape.checkpoints.run import BEST, EMA, LAST, RunDirectory
from landscape.runtime.metric_log import MetricLog
from landscape.training.scale.data_parallel import DataParallelGroup
from landscape.training.settings import TrainSettings
from landscape.training.state import TrainingState
from landscape.training.tensorboard import TensorBoardLogger


class Outputs:
    """Writes checkpoints and metrics. All ranks call each method; rank 0 writes.

    Args:
        run: The run directory.
        state: What is saved.
        settings: Of the training.
        group: The processes that train together.
        log: A logger that gets the metrics of each epoch, too.

    Raises:
        InputError: TensorBoard is wanted and not installed, or ``log`` is no logger.
    """

    def __init__(
        self,
        run: RunDirectory,
        state: TrainingState,
        settings: TrainSettings,
        group: DataParallelGroup,
        log: Any = None,
    ) -> None:
        self._run = run
        self._state = state
        self._settings = settings
        self._group = group
        self._saved_at = time.monotonic()
        self._logs = [MetricLog(log)]
        if group.ranks.is_first and settings.tensorboard:
            board = TensorBoardLogger(run.path / "tensorboard", state.position.epoch)
            self._logs.append(MetricLog(board))

    def start(self, resume: bool) -> None:
        """Remove what a killed process left behind, and keep the initial network if asked to."""
        if not self._group.ranks.is_first:
            return
        position = self._state.position
        self._run.sweep()
        if resume:
            self._run.write_metrics(position.rows)
        if position.epoch == 0 and self._settings.keeps(0):
            self._run.save_epoch(0, self._state.model.state_dict())

    def is_due(self) -> bool:
        """Whether the last save is so long ago that rank 0 wants to save within an epoch."""
        interval = 60 * self._settings.save_minutes
        is_first = self._group.ranks.is_first
        return is_first and 0 < interval <= time.monotonic() - self._saved_at

    def save(self) -> None:
        """Write last.pt."""
        self._group.average(self._state.position.records)
        if self._group.ranks.is_first:
            self._run.save(LAST, self._state.content())
        self._saved_at = time.monotonic()

    def finish_epoch(self) -> None:
        """Write all that belongs to the epoch that was just finished."""
        # last.pt comes after the others: a resumed run starts behind what it holds, and would not
        # write them again.
        if self._group.ranks.is_first:
            self._save_weights()
        self.save()
        if self._group.ranks.is_first:
            rows = self._state.position.rows
            self._run.write_metrics(rows)
            for log in self._logs:
                log.write(rows[-1])

    def _save_weights(self) -> None:
        """Write best.pt, if this epoch is the best, ema.pt and epochs/."""
        epoch, model = self._state.position.epoch, self._state.model
        *earlier, accuracy = [row["val_accuracy"] for row in self._state.position.rows]
        if accuracy > max(earlier, default=-math.inf):
            self._run.save(BEST, {"model": model.state_dict(), "epoch": epoch})
        if self._state.average is not None:
            average = self._state.average.model
            self._run.save(EMA, {"model": average.state_dict(), "epoch": epoch})
        if self._settings.keeps(epoch):
            self._run.save_epoch(epoch, model.state_dict())

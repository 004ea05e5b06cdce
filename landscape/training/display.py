"""The progress of a training: a bar on a terminal, and a few lines where there is none."""

import logging

import torch

from landscape.runtime.progress import is_live, track
from landscape.training.settings import TrainSettings
from landscape.training.state import Position, Row

LOGGER = logging.getLogger(__name__)

# The loss beside the bar is a mean over this many steps.
SHOWN_STEPS = 50
# So many lines say how a training is going, where there is no bar.
LINES = 4


class Display:
    """Shows how far a training is. ``bar`` has to be closed in the end."""

    def __init__(
        self, purpose: str, settings: TrainSettings, steps: int, position: Position
    ) -> None:
        self._settings = settings
        self.bar = track(
            None,
            purpose,
            total=settings.epochs * steps,
            done=position.epoch * steps + len(position.records),
            less="lower --epochs or --train-fraction, or take a smaller --model",
        )

    def show_steps(self, position: Position) -> None:
        """Show the mean loss of the last steps, which waits for the device, beside the bar."""
        if not is_live():
            return
        loss, error, *_ = torch.stack(position.records[-SHOWN_STEPS:]).mean(0).tolist()
        pace = len(position.records) * self._settings.batch_size / position.seconds
        self.bar.set_postfix_str(
            f"epoch {position.epoch + 1}, loss {loss:.3f}, accuracy {100 - 100 * error:.1f}%, "
            f"{pace:,.0f} images/s"
        )

    def show_epoch(self, row: Row) -> None:
        """Log the result of some of the epochs, if there is no bar."""
        epoch = int(row["epoch"])
        if not is_live() and epoch % max(1, self._settings.epochs // LINES) == 0:
            LOGGER.info(
                f"  epoch {epoch}: loss {row['train_loss']:.4f}, "
                f"val {row['val_accuracy']:.1f}%, {row['images_per_second']:,.0f} images/s"
            )

"""A tracker as a callback of Lightning."""

from importlib import import_module
from typing import Any

from landscape.errors import InputError
from landscape.tracking.protocol import MeasuresAt


def make_callback(tracker: MeasuresAt) -> Any:
    """A callback that lets ``tracker`` measure at the start and after steps or epochs.

    Raises:
        InputError: Lightning is not installed.
    """
    for name in ("lightning.pytorch", "pytorch_lightning"):
        try:
            lightning = import_module(name)
            break
        except ImportError:
            continue
    else:
        raise InputError("lightning is not installed: pip install lightning")

    class TrackerCallback(lightning.Callback):  # type: ignore[misc, name-defined]
        """Calls a tracker."""

        last = -1  # the last step; with accumulated gradients several batches belong to one

        def on_train_start(self, trainer: Any, module: Any) -> None:
            self._at(0 if trainer.global_step == 0 else None, trainer, module)
            self.last = trainer.global_step

        def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
            if tracker.unit == "step" and trainer.global_step != self.last:
                self.last = trainer.global_step
                self._at(self.last, trainer, module)

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            if tracker.unit == "epoch":
                self._at(trainer.current_epoch + 1, trainer, module)

        def _at(self, number: int | None, trainer: Any, module: Any) -> None:
            if number is not None and trainer.is_global_zero:
                optimizer = trainer.optimizers[0] if trainer.optimizers else None
                tracker.at(number, module, optimizer)

    return TrackerCallback()

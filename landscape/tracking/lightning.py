"""A tracker as a callback of Lightning."""

from importlib.util import find_spec
from typing import Any

from landscape.runtime.optional_imports import import_optional
from landscape.tracking.protocol import MeasuresAt


def make_callback(tracker: MeasuresAt) -> Any:
    """A callback that lets ``tracker`` measure at the start and after steps or epochs.

    Raises:
        InputError: Lightning is not installed.
    """
    name = "lightning.pytorch" if find_spec("lightning") else "pytorch_lightning"
    lightning = import_optional(
        name,
        needed_by="a callback of its Trainer",
        install="pip install 'loss-landscape-toolkit[lightning]'",
    )

    class TrackerCallback(lightning.Callback):  # type: ignore[misc, name-defined]
        """Calls a tracker."""

        last = -1  # the last step; with accumulated gradients several batches belong to one

        def on_train_start(self, trainer: Any, module: Any) -> None:
            if trainer.global_step == 0:
                self._at(0, trainer, module)
            self.last = trainer.global_step

        def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
            if tracker.unit == "step" and trainer.global_step != self.last:
                self.last = trainer.global_step
                self._at(self.last, trainer, module)

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            if tracker.unit == "epoch":
                self._at(trainer.current_epoch + 1, trainer, module)

        def _at(self, number: int, trainer: Any, module: Any) -> None:
            if trainer.is_global_zero:
                optimizer = trainer.optimizers[0] if trainer.optimizers else None
                tracker.at(number, module, optimizer)

    return TrackerCallback()

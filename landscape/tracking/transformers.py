"""A tracker as a callback of the Trainer of Hugging Face's transformers."""

from typing import Any

from landscape.runtime.optional_imports import import_optional
from landscape.tracking.protocol import MeasuresAt


def make_callback(tracker: MeasuresAt) -> Any:
    """A callback that lets ``tracker`` measure at the start and after steps or epochs.

    Raises:
        InputError: transformers is not installed.
    """
    transformers = import_optional(
        "transformers.trainer_callback",
        needed_by="a callback of its Trainer",
        install="pip install 'loss-landscape-toolkit[huggingface]'",
    )

    class TrackerCallback(transformers.TrainerCallback):  # type: ignore[misc, name-defined]
        """Calls a tracker."""

        def on_train_begin(self, _args: Any, state: Any, _control: Any, **others: Any) -> None:
            if state.global_step == 0:
                self._at(0, state, others)

        def on_step_end(self, _args: Any, state: Any, _control: Any, **others: Any) -> None:
            if tracker.unit == "step":
                self._at(state.global_step, state, others)

        def on_epoch_end(self, _args: Any, state: Any, _control: Any, **others: Any) -> None:
            if tracker.unit == "epoch":
                self._at(round(state.epoch), state, others)

        def _at(self, number: int, state: Any, others: dict[str, Any]) -> None:
            if state.is_world_process_zero:
                tracker.at(number, others["model"], others.get("optimizer"))

    return TrackerCallback()

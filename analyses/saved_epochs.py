"""The setting that names the saved epochs of a training, which several questions have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from analyses.drawing.numbers import epochs_unit
from landscape.results.provenance import Provenance
from landscape.runtime.options import option

if TYPE_CHECKING:
    from landscape.checkpoints.epochs import SavedEpochs
    from landscape.objective.objective import Objective


def epochs_option() -> Any:
    """The field ``epochs``, of type tuple[str, ...], and the flag ``--epochs``."""
    return option(
        (),
        "files or folders of the saved epochs, or a pattern of them in quotes, such as "
        "'run/**/epoch=*.ckpt', in the order of the epochs or steps that the names say; without it "
        "those of the run, or what lies beside another tool's CHECKPOINT under such a name",
        parse=str,
        nargs="+",
        metavar="PATTERN|FILE",
    )


def as_words(epochs: Any) -> tuple[str, ...]:
    """One pattern, as it may be given from Python, or several words, as a tuple."""
    if isinstance(epochs, str):
        return (epochs,) if epochs else ()
    return tuple(word for word in map(str, epochs) if word)


def find_saved_epochs(objective: Objective, settings: Any, *, quiet: bool = False) -> SavedEpochs:
    """The saved epochs that ``settings.epochs`` names, or else those of the objective's training.

    Raises:
        InputError: Nothing matches, or the names give no order.
    """
    from landscape.checkpoints.epochs import saved_epochs  # imports torch; settings need none

    checkpoint = objective.origin.get("checkpoint")
    words = as_words(settings.epochs)
    return saved_epochs(Path(checkpoint) if checkpoint else None, words, quiet=quiet)


def epoch_files(objective: Objective, settings: Any) -> list[Path]:
    """The files of the saved epochs."""
    return [epoch.path for epoch in find_saved_epochs(objective, settings, quiet=True).members]


class OfSavedEpochs(Protocol):
    """A result that was measured at the saved epochs of a training."""

    @property
    def provenance(self) -> Provenance:
        """Whose origin names the training, of a run of landscape-train."""

    @property
    def settings(self) -> Any:
        """Its settings, ``epochs`` among them."""


def what_is_counted(results: Sequence[OfSavedEpochs]) -> str:
    """The title of an axis of saved epochs: other tools number by epochs or by steps.

    Where the run itself says which, it is that.
    """
    is_of_runs = all(
        result.provenance.origin.get("training") and not result.settings.epochs
        for result in results
    )
    return epochs_unit(results) if is_of_runs else "epoch or step"

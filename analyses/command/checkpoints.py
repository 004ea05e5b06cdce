"""The checkpoints named on the command line, and their labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from landscape.checkpoints.run import run_of
from landscape.checkpoints.trained_models import is_function
from landscape.errors import InputError


@dataclass(frozen=True)
class GivenCheckpoint:
    """A checkpoint or result file under the label it is drawn with."""

    label: str
    path: Path


def parse_checkpoints(
    words: Sequence[str], label_of: Callable[[Path], str] | None = None
) -> list[GivenCheckpoint]:
    """Read CHECKPOINT or LABEL=CHECKPOINT words; ``label_of`` names those without a label.

    Labels are folder names; :func:`check_labels` checks that they are unique.
    """
    given = []
    for word in words:
        label, separator, path = word.partition("=")
        if not separator or Path(word).exists():
            label, path = "", word
        label = label or (label_of or default_label)(Path(path))
        if not label or "/" in label or label.startswith("."):
            raise InputError(
                f"{label!r} can't be a label, which is also a folder's name; "
                "give another as LABEL=CHECKPOINT"
            )
        given.append(GivenCheckpoint(label, Path(path)))
    return given


def check_labels(given: Sequence[GivenCheckpoint]) -> None:
    """Raise InputError if two have one label."""
    labels = [checkpoint.label for checkpoint in given]
    for label in labels:
        if labels.count(label) > 1:
            raise InputError(
                f"two checkpoints are labelled {label!r}; tell them apart as LABEL=CHECKPOINT"
            )


def default_label(path: Path) -> str:
    """The name that a checkpoint has where it is given none.

    It is the folder's name of a run, with the epoch for a file of its epochs/, or of a model; the
    name of a function; else the file's stem.
    """
    if is_function(path):
        return str(path).rpartition(":")[2]
    run = run_of(path)
    if run is None:
        return path.resolve().name if path.is_dir() else path.stem
    name = run.path.resolve().name
    return f"{name}-{path.stem}" if path.stem.isdecimal() and not path.is_dir() else name

"""The checkpoints named on the command line, and their labels."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from analyses.catalog import known_analyses
from analyses.drawing.options import FORMATS
from analyses.replicates import SEPARATOR, name_of
from landscape.checkpoints.epochs import matching_paths
from landscape.checkpoints.replicates import replicate_runs, seed_in
from landscape.checkpoints.run import RunDirectory, run_of
from landscape.checkpoints.trained_models import is_function
from landscape.errors import InputError
from landscape.runtime.streams import is_text, no_text

# Of a file or folder, in bytes, on all common file systems.
LONGEST_NAME = 255
# The kinds of files that lie beside the folders of the labels.
PAGES_AND_PICTURES = (*FORMATS, "html", "md", "json", "csv")

_DIGITS = re.compile(r"([0-9]+)")


@dataclass(frozen=True)
class GivenCheckpoint:
    """A checkpoint or result file under the label it is drawn with."""

    label: str
    path: Path


def parse_checkpoints(
    words: Sequence[str],
    label_of: Callable[[Path], str] | None = None,
    kind_of: Callable[[Path], str] = lambda _: "",
) -> list[GivenCheckpoint]:
    """Read CHECKPOINT or LABEL=CHECKPOINT words.

    A CHECKPOINT may be a pattern, or a folder that holds a run for each of several seeds. What has
    a label in common with others are replicates, and get labels GROUP/NAME. Labels are folder
    names; :func:`check_labels` checks that they are unique.

    Args:
        words: of the command line.
        label_of: names those without a label.
        kind_of: the analysis that a file is the result of; "" for a checkpoint. Results of several
            analyses under one label are of one network.

    Raises:
        InputError: a label can't be a folder's name, or a checkpoint is there twice under one.
    """
    label_of = label_of or default_label
    given: list[GivenCheckpoint] = []
    by_label: dict[str, list[Path]] = {}
    for word in words:
        label, separator, path = word.partition("=")
        if not separator or _exists(Path(word)):
            label, path = "", word
        for member in _expand(Path(path)):
            if label:
                by_label.setdefault(checked_label(label), []).append(member)
            if not is_text(str(member)):
                raise InputError(no_text(str(member)))
            given.append(GivenCheckpoint(label or checked_label(label_of(member)), member))
    names = {
        label: _replicate_names(label, paths, label_of, kind_of)
        for label, paths in by_label.items()
        if len(paths) > len({kind_of(path) for path in paths})
    }
    return [
        GivenCheckpoint(names.get(member.label, {}).get(member.path, member.label), member.path)
        for member in given
    ]


def _exists(path: Path) -> bool:
    """Whether a file is there; a name that is too long for one is none."""
    try:
        return path.exists()
    except OSError:
        return False


def _expand(path: Path) -> list[Path]:
    """The run of each seed that a folder holds, or what a pattern matches; else the path itself."""
    if is_function(path):
        return [path]
    if path.is_dir():
        replicates = {} if RunDirectory(path).exists() else replicate_runs(path)
        return [run.path for run in replicates.values()] or [path]
    if path.exists() or not any(character in str(path) for character in "*?["):
        return [path]
    return sorted(matching_paths(str(path)), key=_natural_order) or [path]


def _natural_order(path: Path) -> list[tuple[int, str]]:
    """A sorting key in which seed-10 comes after seed-9."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(str(path))
    ]


def checked_label(label: str) -> str:
    """The label, which is one folder's name or GROUP/NAME.

    Raises:
        InputError: it is neither, or that of a file that is written beside the folder.
    """
    if not is_text(label):
        raise InputError(no_text(label))
    parts = label.split(SEPARATOR)
    wrong = ""
    if len(parts) > 2 or any(not part or part.startswith(".") for part in parts):
        wrong = f"{label!r} can't be a label, which is also a folder's name"
    elif max(len(part.encode()) for part in parts) > LONGEST_NAME:
        wrong = (
            f"{label[:20]}... can't be a label: a folder's name has at most {LONGEST_NAME} bytes, "
            f"this has {len(label.encode())}"
        )
    elif is_file_beside_labels(parts[0]):
        wrong = f"{label!r} can't be a label: it is the name of a file that is written beside it"
    if wrong:
        raise InputError(f"{wrong}; give another as LABEL=CHECKPOINT")
    return label


def is_file_beside_labels(name: str) -> bool:
    """Whether ``name`` is one that pages and pictures have, which lie beside the labels' folders.

    Case does not matter, as on some file systems.
    """
    stem, _, suffix = name.lower().rpartition(".")
    analysis = re.split("[-_]", stem, maxsplit=1)[0]
    return suffix in PAGES_AND_PICTURES and analysis in {*known_analyses(), "report"}


def _replicate_names(
    label: str,
    paths: Sequence[Path],
    label_of: Callable[[Path], str],
    kind_of: Callable[[Path], str],
) -> dict[Path, str]:
    """Labels GROUP/NAME of replicates; NAME is what tells them apart.

    Raises:
        InputError: one is there twice, or the label is that of a single replicate.
    """
    for path in paths:
        if paths.count(path) > 1:
            raise InputError(f"{path} is given twice as {label!r}; a replicate is another training")
    if SEPARATOR in label:
        raise InputError(f"two checkpoints are labelled {label!r}; each replicate needs its own")
    labels = [label_of(path) for path in paths]
    names = [name_of(label) or label for label in labels]
    # Results of several analyses may be of one replicate.
    kinds = [kind_of(path) for path in paths]
    if len(set(zip(names, kinds, strict=True))) < len(names):
        folders = [path.resolve().parent.name for path in paths]
        is_telling = len(set(folders)) == len(folders)
        names = folders if is_telling else [str(k) for k in range(1, len(names) + 1)]
    return {path: f"{label}{SEPARATOR}{name}" for path, name in zip(paths, names, strict=True)}


def check_labels(given: Sequence[GivenCheckpoint]) -> None:
    """Raise InputError if two have one label."""
    labels = [checkpoint.label for checkpoint in given]
    for label in labels:
        group = label.partition(SEPARATOR)[0]
        if group != label and group in labels:
            raise InputError(
                f"{group!r} is the label of a network and of a group of replicates; give the "
                "network another as LABEL=CHECKPOINT"
            )
        if labels.count(label) > 1:
            raise InputError(
                f"two checkpoints are labelled {label!r}; tell them apart as LABEL=CHECKPOINT"
            )


def default_label(path: Path) -> str:
    """The name that a checkpoint has where it is given none.

    It is the folder's name of a run, with the epoch for a file of its epochs/, or of a model; the
    name of a function; else the file's stem. The run of a seed is a replicate: it is called by the
    folder that holds the runs of all seeds, and by its own.
    """
    if is_function(path):
        return str(path).rpartition(":")[2]
    run = run_of(path)
    if run is None:
        return path.resolve().name if path.is_dir() else path.stem
    folder = run.path.resolve()
    is_replicate = seed_in(folder.name) is not None and folder.parent.name
    name, end = (folder.parent.name, f"/{folder.name}") if is_replicate else (folder.name, "")
    return f"{name}-{path.stem}{end}" if path.stem.isdecimal() and not path.is_dir() else name + end

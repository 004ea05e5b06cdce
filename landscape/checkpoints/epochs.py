"""The saved epochs of a training, this project's or another tool's, in their natural order.

The number of an epoch or step is read from the name: ``epoch=3-val_loss=0.125.ckpt`` is epoch 3,
``checkpoint-500`` is step 500, ``ckpt_9.pt`` comes before ``ckpt_10.pt``.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from landscape.checkpoints.run import epochs_unit, run_of
from landscape.errors import InputError

LOGGER = logging.getLogger(__name__)

_SUFFIXES = re.compile(r"(\.(pt|pth|t7|ckpt|bin|tar|th|pkl|npz|safetensors|pytorch|model))+$", re.I)
# A number after its word: epoch=3, epoch_003, ep3, step-500, iter12; not within another word.
_NAMED = {
    unit: re.compile(rf"(?<![a-z])(?:{words})[=_\-. ]*(\d+)", re.IGNORECASE)
    for unit, words in (
        ("epoch", "epochs?|ep"),
        ("step", "global[_-]?step|steps?|iter(?:ation)?s?"),
        ("checkpoint", "checkpoint|ckpt"),
    )
}
# A whole number that is no part of a decimal one.
_INTEGER = re.compile(r"(?<![\d.])\d+(?!\.?\d)")


@dataclass(frozen=True)
class SavedEpoch:
    """A saved network of a training.

    Attributes:
        number: Of the finished epoch or step.
        path: The checkpoint.
    """

    number: int
    path: Path


@dataclass(frozen=True)
class SavedEpochs:
    """The saved networks of one training, in order.

    Attributes:
        members: The networks.
        unit: ``epoch``, ``step``, or ``checkpoint`` where the names don't say which it is.
    """

    members: tuple[SavedEpoch, ...]
    unit: str


def saved_epochs(
    checkpoint: Path | None, words: Sequence[str] = (), *, quiet: bool = False
) -> SavedEpochs:
    """Find the saved epochs of a training.

    Args:
        checkpoint: A checkpoint of the training. Without ``words`` its run is searched or, for
            another tool's file or folder, what lies beside it and is called the same but for the
            numbers.
        words: Files, folders, or patterns of them, in which ``**`` stands for any folders. What
            matches a pattern and says no number, such as last.ckpt, is left out.
        quiet: Do not say what is left out.

    Returns:
        The epochs; none where there are none.

    Raises:
        InputError: A word matches nothing, or the names don't give an order.
    """
    if words:
        paths: list[Path] = []
        for word in words:
            matches = [Path(word)] if Path(word).exists() else matching_paths(word)
            if not matches:
                raise InputError(f"--epochs {word!r} matches no files")
            paths += _numbered(matches, quiet)
        return order_epochs(paths)
    if checkpoint is None:
        return SavedEpochs((), "epoch")
    run = run_of(checkpoint)
    if run is not None:
        unit = epochs_unit(run.read_config()) if run.exists() else "epoch"
        return SavedEpochs(tuple(SavedEpoch(*pair) for pair in run.epochs()), unit)
    return order_epochs(_beside(checkpoint))


def matching_paths(pattern: str) -> list[Path]:
    """The files and folders that match a pattern, in the order of their names."""
    path = Path(pattern).expanduser()
    anchor = Path(path.anchor) if path.anchor else Path()
    parts = path.parts[1:] if path.anchor else path.parts
    return sorted(anchor.glob(str(Path(*parts)))) if parts else []


def order_epochs(paths: Sequence[Path]) -> SavedEpochs:
    """Put checkpoints in the order of the epochs or steps that their names say.

    Names are read together: the number that counts is the one that follows ``epoch``, else
    ``step``, else the last one that differs between them. Folders count where the files in them
    are called alike. Files without any number keep their order, and count from 0.

    Raises:
        InputError: Only some names have a number, or two have the same.
    """
    paths = list(dict.fromkeys(paths))
    if not paths:
        return SavedEpochs((), "epoch")
    texts = _telling_texts(paths)
    numbers, unit = _numbers(texts)
    if all(number is None for number in numbers):
        return SavedEpochs(tuple(SavedEpoch(k, path) for k, path in enumerate(paths)), unit)
    members: list[SavedEpoch] = []
    for number, path in zip(numbers, paths, strict=True):
        if number is None:
            raise InputError(
                f"the name of {path} says no epoch or step, those of others do; leave it out, "
                "or rename it, such as epoch=3.ckpt"
            )
        members.append(SavedEpoch(number, path))
    members.sort(key=lambda member: member.number)
    for first, second in pairwise(members):
        if first.number == second.number:
            raise InputError(
                f"{first.path} and {second.path} are both {unit} {first.number}; leave one out, "
                "or rename them"
            )
    if unit == "checkpoint" and all(map(_is_of_trainer, (member.path for member in members))):
        unit = "step"
    return SavedEpochs(tuple(members), unit)


def _numbered(paths: list[Path], quiet: bool) -> list[Path]:
    """The paths whose names say a number, if any does; the others are named in a message."""
    numbers, _ = _numbers(_telling_texts(paths))
    silent = [path.name for path, number in zip(paths, numbers, strict=True) if number is None]
    if not silent or len(silent) == len(paths):
        return paths
    if not quiet:
        LOGGER.info(f"left out, as the name says no epoch or step: {', '.join(silent)}")
    return [path for path, number in zip(paths, numbers, strict=True) if number is not None]


def _numbers(texts: Sequence[str]) -> tuple[list[int | None], str]:
    """The number in each text, and what it counts.

    It is that after a word, which some texts have; of several words one that tells all apart.
    """
    first: tuple[list[int | None], str] | None = None
    for unit, pattern in _NAMED.items():
        numbers = [_first(pattern, text) for text in texts]
        if not any(number is not None for number in numbers):
            continue
        if None not in numbers and len(set(numbers)) == len(numbers):
            return numbers, unit
        first = first or (numbers, unit)
    return first or (_differing_integers(texts), "checkpoint")


def _is_of_trainer(path: Path) -> bool:
    """Whether a checkpoint is one of Hugging Face's Trainer, which counts steps."""
    folder = path if path.is_dir() else path.parent
    return (folder / "trainer_state.json").is_file()


def _telling_texts(paths: Sequence[Path]) -> list[str]:
    """The part of each path in which the numbers are: its name, or that of a folder above it."""
    depth = 0
    columns = [list(reversed(path.absolute().parts)) for path in paths]
    shortest = min(map(len, columns))
    while depth < shortest - 1 and len({column[depth] for column in columns}) == 1:
        depth += 1
    names = [column[min(depth, len(column) - 1)] for column in columns]
    return [_SUFFIXES.sub("", name) for name in names]


def _first(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.search(text)
    return int(match[1]) if match else None


def _differing_integers(texts: Sequence[str]) -> list[int | None]:
    """The last whole number of each text that is not the same in all of them."""
    integers = [[int(number) for number in _INTEGER.findall(text)] for text in texts]
    longest = max(map(len, integers))
    for place in range(1, longest + 1):
        column = [numbers[-place] if len(numbers) >= place else None for numbers in integers]
        if None in column or len(set(column)) == len(column):
            return column
    return [numbers[-1] if numbers else None for numbers in integers]


def _beside(checkpoint: Path) -> list[Path]:
    """The checkpoints beside one whose name says an epoch or step, called the same otherwise."""
    if not checkpoint.exists():
        return []
    if not _says_number(checkpoint.name):
        folder = checkpoint.absolute().parent
        places = _beside(folder) if _says_number(folder.name) else []
        return [path for place in places if (path := place / checkpoint.name).is_file()]
    shape = _numberless(checkpoint.name)
    is_folder = checkpoint.is_dir()
    return [
        path
        for path in sorted(checkpoint.absolute().parent.iterdir())
        if _numberless(path.name) == shape and path.is_dir() == is_folder
    ]


def _says_number(name: str) -> bool:
    return any(pattern.search(name) for pattern in _NAMED.values())


def _numberless(name: str) -> str:
    return re.sub(r"\d+(\.\d+)?", "#", name)

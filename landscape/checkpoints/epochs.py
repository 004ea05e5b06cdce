"""The saved epochs of a training, this project's or another tool's, in their natural order.

The number of an epoch or step is read from the name: ``epoch=3-val_loss=0.125.ckpt`` is epoch 3,
``checkpoint-500`` is step 500, ``ckpt_9.pt`` comes before ``ckpt_10.pt``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from landscape.checkpoints.run import run_of
from landscape.errors import InputError
from landscape.models.pretrained_folder import WEIGHT_FILES

_SUFFIXES = re.compile(r"(\.(pt|pth|t7|ckpt|bin|tar|th|pkl|npz|safetensors|pytorch|model))+$", re.I)
# A number after its word: epoch=3, epoch_003, ep3, step-500, iter12; not within another word.
_NAMED = {
    "epoch": re.compile(r"(?<![a-z])(?:epochs?|ep|e)[=_\-. ]*(\d+)", re.I),
    "step": re.compile(
        r"(?<![a-z])(?:global[_-]?step|steps?|iter(?:ation)?s?)[=_\-. ]*(\d+)", re.I
    ),
}
_CHECKPOINT = re.compile(r"(?<![a-z])(?:checkpoint|ckpt)[=_\-. ]*(\d+)", re.I)
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

    def every(self, step: int) -> "SavedEpochs":
        """Every ``step``-th of them, from the first on."""
        return SavedEpochs(self.members[::step], self.unit)


def saved_epochs(checkpoint: Path | None, words: Sequence[str] = ()) -> SavedEpochs:
    """Find the saved epochs of a training.

    Args:
        checkpoint: A checkpoint of the training. Without ``words`` its run is searched or, for
            another tool's file or folder, what lies beside it and is called the same but for the
            numbers.
        words: Files, folders, or patterns of them, in which ``**`` stands for any folders.

    Returns:
        The epochs; none where there are none.

    Raises:
        InputError: A word matches nothing, or the names don't give an order.
    """
    if words:
        return order_epochs([path for word in words for path in _matches(word)])
    if checkpoint is None:
        return SavedEpochs((), "epoch")
    run = run_of(checkpoint)
    if run is not None:
        return SavedEpochs(tuple(SavedEpoch(*pair) for pair in run.epochs()), "epoch")
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
    numbers: list[int | None] = []
    for unit, pattern in (*_NAMED.items(), ("checkpoint", _CHECKPOINT)):
        numbers = [_first(pattern, text) for text in texts]
        if None not in numbers and len(set(numbers)) == len(numbers):
            break
    else:
        numbers, unit = _differing_integers(texts), "checkpoint"
    if all(number is None for number in numbers):
        return SavedEpochs(tuple(SavedEpoch(k, path) for k, path in enumerate(paths)), "checkpoint")
    for number, path in zip(numbers, paths, strict=True):
        if number is None:
            raise InputError(
                f"the name of {path} says no epoch or step, those of others do; leave it out, "
                "or rename it, such as epoch=3.ckpt"
            )
    known = [
        (number, path) for number, path in zip(numbers, paths, strict=True) if number is not None
    ]
    known.sort(key=lambda pair: pair[0])
    for (number, first), (following, second) in zip(known, known[1:], strict=False):
        if number == following:
            raise InputError(
                f"{first} and {second} are both {unit} {number}; leave one out, or rename them"
            )
    if unit == "checkpoint" and all(path.name.startswith("checkpoint-") and path.is_dir()
                                    for _, path in known):  # fmt: skip
        unit = "step"  # a Trainer's folders
    return SavedEpochs(tuple(SavedEpoch(*pair) for pair in known), unit)


def _matches(word: str) -> list[Path]:
    if Path(word).exists():
        return [Path(word)]
    paths = matching_paths(word)
    if not paths:
        raise InputError(f"--epochs {word!r} matches no files")
    # A folder's weights stand for the folder.
    return paths


def _telling_texts(paths: Sequence[Path]) -> list[str]:
    """The part of each path in which the numbers are: its name, or that of a folder above it."""
    depth = 0
    columns = [list(reversed(path.parts)) for path in paths]
    shortest = min(map(len, columns))
    while depth < shortest - 1 and len({column[depth] for column in columns}) == 1:
        depth += 1
    names = [column[min(depth, len(column) - 1)] for column in columns]
    return [_SUFFIXES.sub("", name) for name in names]


def _first(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return int(found[1]) if found else None


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
    if checkpoint.name in WEIGHT_FILES and _says_number(checkpoint.parent.name):
        return [
            path / checkpoint.name
            for path in _beside(checkpoint.parent)
            if (path / checkpoint.name).is_file()
        ]
    if not _says_number(checkpoint.name) or not checkpoint.exists():
        return []
    shape = _numberless(checkpoint.name)
    is_folder = checkpoint.is_dir()
    return [
        path
        for path in sorted(checkpoint.absolute().parent.iterdir())
        if _numberless(path.name) == shape and path.is_dir() == is_folder
    ]


def _says_number(name: str) -> bool:
    return any(pattern.search(name) for pattern in (*_NAMED.values(), _CHECKPOINT))


def _numberless(name: str) -> str:
    return re.sub(r"\d+(\.\d+)?", "#", name)

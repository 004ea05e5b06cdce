"""Evaluation sets besides the validation data, in the layouts of ImageNet-V2, -R, -C and -ReaL.

V2, R      DIR/CLASS/PICTURE, where CLASS is a class's name, as in train/, or its number
C          DIR/FAMILY/SEVERITY/CLASS/PICTURE; these pictures are cropped already
ReaL       FILE.json: for each validation picture, by file name, the list of right classes
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from landscape.data.resampling import PLAIN, Resampling
from landscape.data.samples import Normalization, Samples
from landscape.data.sources.imagefolder import FolderSamples, pictures_below
from landscape.errors import InputError


@dataclass(frozen=True)
class EvaluationSet:
    """Samples for evaluation.

    Attributes:
        name: of the set.
        samples: the n pictures.
        accepted: which answers are right, of shape (n, classes); a picture may have several.
        present: which classes occur, of shape (classes,); None where all do.
    """

    name: str
    samples: Samples
    accepted: Tensor
    present: Tensor | None = None


def read_sets(
    name: str, path: Path, validation: Samples, image_size: int, crop: float
) -> list[EvaluationSet]:
    """Read one evaluation set, or one for each corruption and severity.

    Args:
        name: of the set.
        path: the folder, or a ReaL file.
        validation: the classes, the normalisation, the resampling, and the pictures that a ReaL
            file is about.
        image_size: the side that pictures are resized to.
        crop: the share of the shorter side that is kept.

    Raises:
        InputError: if ``path`` is in none of the layouts.
    """
    if path.suffix == ".json":
        return [_relabelled(name, path, validation)]
    if not path.is_dir():
        raise InputError(f"{name}: no such folder: {path}")
    if tuple(validation.input_shape[:1]) != (3,):
        raise InputError(
            f"{name}: pictures are read in colour, and the data's inputs have shape "
            f"{tuple(validation.input_shape)}"
        )
    classes = list(validation.classes)
    normalization = getattr(validation, "normalization", None)
    resampling = getattr(validation, "resampling", PLAIN)
    place = partial(
        _folder_set,
        classes=classes,
        normalization=normalization,
        image_size=image_size,
        resampling=resampling,
    )
    folders = sorted(folder for folder in path.iterdir() if folder.is_dir())
    numbers = _class_numbers(folders, classes)
    if numbers is not None:
        return [place(name, folders, numbers, crop=crop)]
    sets = []
    for family in folders:
        for severity in sorted(folder for folder in family.iterdir() if folder.is_dir()):
            inner = sorted(folder for folder in severity.iterdir() if folder.is_dir())
            numbers = _class_numbers(inner, classes)
            if numbers is None:
                break
            title = f"{name}/{family.name}/{severity.name}"
            sets.append(place(title, inner, numbers, crop=1.0))
    if not sets:
        raise InputError(
            f"{name}: {path} holds neither class folders with the names of the training "
            f"data ({', '.join(classes[:3])}, ...) or their numbers, nor FAMILY/SEVERITY/CLASS"
        )
    return sets


def same_pictures(sets: Sequence[EvaluationSet]) -> bool:
    """Whether these are the same pictures in the same order, by class folder and file name."""

    def names(samples: Samples) -> list[tuple[str, str]]:
        paths = samples.paths if isinstance(samples, FolderSamples) else ()
        return [(path.parent.name, path.stem) for path in paths]

    first = names(sets[0].samples)
    return bool(first) and all(names(item.samples) == first for item in sets[1:])


def _class_numbers(folders: Sequence[Path], classes: Sequence[str]) -> list[int] | None:
    """The class number of each folder; None where the folders are not these classes."""
    if not folders:
        return None
    known = {name: number for number, name in enumerate(classes)}
    if all(folder.name in known for folder in folders):
        return [known[folder.name] for folder in folders]
    numbers = [int(folder.name) if folder.name.isdecimal() else -1 for folder in folders]
    return numbers if all(0 <= number < len(classes) for number in numbers) else None


def _folder_set(
    name: str,
    folders: Sequence[Path],
    numbers: Sequence[int],
    *,
    classes: Sequence[str],
    normalization: Normalization | None,
    image_size: int,
    crop: float,
    resampling: Resampling,
) -> EvaluationSet:
    paths: list[Path] = []
    targets: list[int] = []
    for folder, number in zip(folders, numbers, strict=True):
        pictures = pictures_below(folder)
        paths += pictures
        targets += [number] * len(pictures)
    if not paths:
        raise InputError(f"{name}: no pictures in {folders[0].parent}")
    if normalization is None:
        raise InputError(
            f"{name}: the training data have no normalisation of pictures; pass --mean and --std"
        )
    labels = torch.tensor(targets)
    samples = FolderSamples(
        paths, labels, tuple(classes), image_size, normalization, crop, resampling
    )
    present = torch.zeros(len(classes), dtype=torch.bool)
    present[labels] = True
    accepted = torch.zeros(len(paths), len(classes), dtype=torch.bool)
    accepted[torch.arange(len(paths)), labels] = True
    return EvaluationSet(name, samples, accepted, None if bool(present.all()) else present)


def _relabelled(name: str, path: Path, validation: Samples) -> EvaluationSet:
    """The set of a ReaL file (Beyer et al., 2020), without the pictures that have no label."""
    try:
        answers = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: {path} can't be read: {error}") from error
    if not isinstance(validation, FolderSamples):
        raise InputError(
            f"{name}: labels by file name need --data imagefolder with pictures that are decoded "
            "when they are fetched"
        )
    order = sorted(range(len(validation)), key=lambda k: validation.paths[k].name)
    if not isinstance(answers, list) or len(answers) != len(order):
        count = f"{len(answers)} pictures" if isinstance(answers, list) else "no list"
        raise InputError(
            f"{name}: {path} has to list the classes of every validation picture and has {count}, "
            f"the data have {len(order)}; take all of them"
        )
    accepted = torch.zeros(len(order), len(validation.classes), dtype=torch.bool)
    for k, right in zip(order, answers, strict=True):
        accepted[k, torch.tensor(right, dtype=torch.int64)] = True
    kept = accepted.any(1).nonzero().flatten()
    return EvaluationSet(name, validation.take(kept), accepted[kept])

"""Image folders in the layout of torchvision and timm: ROOT/SPLIT/CLASS/PICTURE.

Small sets are decoded once and kept as bytes; large ones are decoded when they are fetched.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from landscape.data.resampling import PLAIN, Resampling
from landscape.data.samples import Normalization, Samples, TensorSamples
from landscape.data.sources.decoding import decode_all, readable, shorter_side
from landscape.errors import InputError

EXTENSIONS = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif"}
MEAN, STD = (0.5,), (0.5,)  # the inputs of the paper's ViT and Mixer are in [-1, 1]
RESIDENT_BYTES = 4 * 2**30

# The folders of a split, in the order in which they are tried.
SPLIT_FOLDERS = {"train": ("train",), "test": ("val", "test", "validation")}


@dataclass(frozen=True)
class FolderSamples:
    """Pictures that are decoded when they are fetched.

    Attributes:
        paths: the files.
        targets: their class numbers.
        classes: the names of the classes.
        image_size: the side that pictures are resized to.
        normalization: of the pixels.
        crop: the share of the shorter side that is kept.
        resampling: how pictures are resized.
    """

    paths: Sequence[Path]
    targets: Tensor
    classes: tuple[str, ...]
    image_size: int
    normalization: Normalization
    crop: float = 1.0
    resampling: Resampling = PLAIN

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return (3, self.image_size, self.image_size)

    def __len__(self) -> int:
        return len(self.paths)

    def fetch(self, indices: Tensor, random_crops: Tensor | None = None) -> Tensor:
        """The pictures at ``indices``, decoded, cropped to the centre and normalised.

        Args:
            indices: of shape (n,).
            random_crops: the numbers of other crops, a row a sample, from
                :func:`landscape.data.augmentation.inception_crop.draw_crops`.
        """
        chosen = [self.paths[index] for index in indices.tolist()]
        pixels = decode_all(chosen, self.image_size, self.crop, random_crops, self.resampling)
        return self.normalization(pixels)

    def take(self, indices: Tensor) -> "FolderSamples":
        """The samples at ``indices``, with the same classes."""
        paths = [self.paths[index] for index in indices.tolist()]
        return replace(self, paths=paths, targets=self.targets[indices])


def image_folder(
    root: Path,
    split: str,
    image_size: int | None = None,
    normalization: Normalization | None = None,
    resident_bytes: int = RESIDENT_BYTES,
    crop: float = 1.0,
    skip_corrupt: bool = False,
    resampling: Resampling = PLAIN,
) -> Samples:
    """Load the pictures of a split, resized to one size.

    Args:
        root: the folder that contains the splits.
        split: ``train`` or ``test``.
        image_size: the side of the pictures; by default the shorter side of the first training
            picture.
        normalization: by default to [-1, 1].
        resident_bytes: pictures that take at most so much memory are decoded at once.
        crop: the share of the shorter side that is kept.
        skip_corrupt: whether to leave out pictures that can't be read, for which every picture is
            read once.
        resampling: how pictures are resized.

    Raises:
        InputError: for a folder without pictures, for splits whose classes differ, and for a
            picture that can't be read.
    """
    folder = _split_folder(root, split)
    classes = _class_names(folder)
    _check_same_classes(root, folder, classes)
    paths = [path for name in classes for path in pictures_below(folder / name)]
    if not paths:
        raise InputError(
            f"no pictures in {folder}: expected {folder}/CLASS/PICTURE "
            f"with a name ending in {', '.join(sorted(EXTENSIONS))}"
        )
    numbers = {name: number for number, name in enumerate(classes)}
    targets = torch.tensor([numbers[_class_of(path, folder)] for path in paths])
    size = image_size or shorter_side(_first_training_picture(root) or paths[0])
    normalization = normalization or Normalization(MEAN, STD)
    samples = FolderSamples(paths, targets, tuple(classes), size, normalization, crop, resampling)
    if skip_corrupt:
        samples = samples.take(readable(paths, root))
    if len(samples) * 3 * size * size > resident_bytes:
        return samples
    pixels = decode_all(samples.paths, size, crop, resampling=resampling)
    return TensorSamples(pixels, samples.targets, samples.classes, normalization, resampling)


def _split_folder(root: Path, split: str) -> Path:
    if not root.is_dir():
        raise InputError(f"no such folder: --data-dir {root}")
    for name in SPLIT_FOLDERS[split]:
        if (root / name).is_dir():
            return root / name
    expected = " or ".join(f"{name}/" for name in SPLIT_FOLDERS[split])
    folders = sorted(path.name + "/" for path in root.iterdir() if path.is_dir())
    raise InputError(
        f"{root} has no {expected} folder (it has: {', '.join(folders) or 'none'}); "
        f"expected {root}/train/CLASS"
    )


def _class_names(folder: Path) -> list[str]:
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if not names:
        raise InputError(f"{folder} has no class folders; expected {folder}/CLASS/PICTURE")
    return names


def _check_same_classes(root: Path, folder: Path, classes: list[str]) -> None:
    """Check that all splits have the same classes: numbers are those of sorted folder names."""
    for second in (path for names in SPLIT_FOLDERS.values() for path in (root / n for n in names)):
        if second == folder or not second.is_dir():
            continue
        differing = sorted(set(classes) ^ set(_class_names(second)))
        if differing:
            raise InputError(
                f"{folder} and {second} have different classes: {', '.join(differing[:5])} "
                "is in one only"
            )


def pictures_below(folder: Path) -> list[Path]:
    """Every picture file in ``folder`` and the folders in it, in order."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS)


def _class_of(path: Path, folder: Path) -> str:
    return path.relative_to(folder).parts[0]


def _first_training_picture(root: Path) -> Path | None:
    """The first training picture, whose size all splits get, as the network was made for it."""
    pictures = pictures_below(root / "train") if (root / "train").is_dir() else []
    return next(iter(pictures), None)

"""Image folders as torchvision and timm lay them out: ROOT/SPLIT/CLASS/PICTURE.

Small sets are decoded once and kept as bytes; large ones are decoded when they are asked for, by
threads (Pillow decodes outside the interpreter lock).
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from landscape.data.samples import Normalization, Samples, TensorSamples
from landscape.errors import InputError
from landscape.progress import track

EXTENSIONS = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif"}
MEAN, STD = (0.5,), (0.5,)  # what the paper's ViT and Mixer are fed: [-1, 1]
THREADS = 8
MANY = 1000
RESIDENT_BYTES = 4 * 2**30

# Where a split may lie, in the order they are tried.
SPLIT_FOLDERS = {"train": ("train",), "test": ("val", "test", "validation")}


@dataclass(frozen=True)
class FolderSamples:
    """Pictures that are decoded when they are asked for."""

    paths: Sequence[Path]
    targets: Tensor
    classes: tuple[str, ...]
    image_size: int
    normalization: Normalization

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return (3, self.image_size, self.image_size)

    def __len__(self) -> int:
        return len(self.paths)

    def fetch(self, indices: Tensor) -> Tensor:
        """The pictures at ``indices``, decoded, cropped to the centre and normalised."""
        chosen = [self.paths[index] for index in indices.tolist()]
        return self.normalization(decode_all(chosen, self.image_size))


def image_folder(
    root: Path,
    split: str,
    image_size: int | None = None,
    normalization: Normalization | None = None,
    resident_bytes: int = RESIDENT_BYTES,
) -> Samples:
    """The pictures of one split, all of one size.

    ``image_size`` defaults to the shorter side of the first training picture.

    Raises InputError for a folder without pictures, splits whose classes differ, and a picture
    that can't be read, with its path.
    """
    folder = _split_folder(root, split)
    classes = _class_names(folder)
    _check_same_classes(root, folder, classes)
    paths = [path for name in classes for path in _pictures(folder / name)]
    if not paths:
        raise InputError(
            f"no pictures in {folder}: expected {folder}/CLASS/PICTURE "
            f"with a name ending in {', '.join(sorted(EXTENSIONS))}"
        )
    numbers = {name: number for number, name in enumerate(classes)}
    targets = torch.tensor([numbers[_class_of(path, folder)] for path in paths])
    size = image_size or _shorter_side(_first_training_picture(root) or paths[0])
    samples = FolderSamples(
        paths, targets, tuple(classes), size, normalization or Normalization(MEAN, STD)
    )
    if len(paths) * 3 * size * size > resident_bytes:
        return samples
    pixels = decode_all(paths, size)
    return TensorSamples(pixels, targets, samples.classes, samples.normalization)


def decode(path: Path, image_size: int) -> Tensor:
    """One picture as bytes (3, size, size): the shorter side resized, then the centre cropped."""
    try:
        with Image.open(path) as picture:
            rgb = _to_rgb(picture)
    except Exception as error:  # decoders of damaged files fail in many ways
        raise InputError(f"unreadable picture {path}: {error}; repair or remove it") from error
    if rgb.size != (image_size, image_size):
        scale = image_size / min(rgb.size)
        width, height = (max(image_size, round(side * scale)) for side in rgb.size)
        rgb = rgb.resize((width, height), Image.Resampling.BICUBIC)
        left, top = (width - image_size) // 2, (height - image_size) // 2
        rgb = rgb.crop((left, top, left + image_size, top + image_size))
    return torch.from_numpy(np.array(rgb)).permute(2, 0, 1)


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
        grey = np.asarray(picture).astype(np.uint32) // 257
        picture = Image.fromarray(grey.astype(np.uint8))
    if "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return picture.convert("RGB")


def decode_all(paths: Sequence[Path], image_size: int) -> Tensor:
    """The pictures as bytes (n, 3, size, size), decoded by threads; a bar if there are many."""
    pixels = torch.empty(len(paths), 3, image_size, image_size, dtype=torch.uint8)
    with ThreadPoolExecutor(THREADS) as pool:
        decoded: Iterable[Tensor] = pool.map(partial(decode, image_size=image_size), paths)
        if len(paths) > MANY:
            decoded = track(decoded, "reading pictures", total=len(paths))
        for k, picture in enumerate(decoded):
            pixels[k] = picture
    return pixels


def _split_folder(root: Path, split: str) -> Path:
    if not root.is_dir():
        raise InputError(f"no such folder: --data-dir {root}")
    for name in SPLIT_FOLDERS[split]:
        if (root / name).is_dir():
            return root / name
    expected = " or ".join(f"{name}/" for name in SPLIT_FOLDERS[split])
    found = ", ".join(sorted(path.name + "/" for path in root.iterdir() if path.is_dir())) or "none"
    raise InputError(
        f"{root} has no {expected} folder (it has: {found}); expected {root}/train/CLASS"
    )


def _class_names(folder: Path) -> list[str]:
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if not names:
        raise InputError(f"{folder} has no class folders; expected {folder}/CLASS/PICTURE")
    return names


def _check_same_classes(root: Path, folder: Path, classes: list[str]) -> None:
    """The class numbers come from the sorted folder names, so all splits need the same."""
    for other in (path for names in SPLIT_FOLDERS.values() for path in (root / n for n in names)):
        if other == folder or not other.is_dir():
            continue
        differing = sorted(set(classes) ^ set(_class_names(other)))
        if differing:
            raise InputError(
                f"{folder} and {other} have different classes: {', '.join(differing[:5])} "
                "is in one only"
            )


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS)


def _class_of(path: Path, folder: Path) -> str:
    return path.relative_to(folder).parts[0]


def _first_training_picture(root: Path) -> Path | None:
    """Every split has the size of the training pictures, which the network was made for."""
    pictures = _pictures(root / "train") if (root / "train").is_dir() else []
    return next(iter(pictures), None)


def _shorter_side(path: Path) -> int:
    try:
        with Image.open(path) as picture:
            return min(picture.size)
    except Exception as error:
        raise InputError(f"unreadable picture {path}: {error}; repair or remove it") from error

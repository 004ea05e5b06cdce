"""The photographs: a few of CIFAR-10, chosen by their numbers, as a folder of pictures.

CIFAR-10 (Krizhevsky, 2009) is read as published (the archives or what they unpack to), or as an
image folder, packed or not: ``train/CLASS/NNNN.jpg`` and ``test/CLASS/NNNN.jpg``.
"""

import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from PIL import Image

from landscape.data.samples import TensorSamples
from landscape.data.sources.cifar import cifar
from landscape.errors import InputError
from landscape.results.files import make_directory

PUBLISHED = ("cifar-10-python.tar.gz", "cifar-10-binary.tar.gz")
PACKED_FOLDER = "cifar10-images.tar.xz"
NOTE = "source.txt"

# Which pictures of each class are taken of a split: the first and the last but one.
Ranges = dict[str, tuple[int, int]]


def prepare_photographs(source: Path, folders: Mapping[Path, Ranges]) -> str:
    """Put the chosen photographs into folders, unless they are there already.

    Args:
        source: Where CIFAR-10 is: the published archive, a folder of pictures, the ``.tar.xz`` of
            one, or a folder that contains any of these.
        folders: Each gets ``train/CLASS`` and ``test/CLASS``: the pictures of each class, by split.

    Returns:
        In words, where the pictures come from.

    Raises:
        InputError: There is no CIFAR-10 at ``source``.
    """
    missing = [folder for folder in folders if not (folder / NOTE).is_file()]
    if missing:
        with _unpacked(source) as place:
            for folder in missing:
                _fill(folder, place, folders[folder])
    return (next(iter(folders)) / NOTE).read_text().strip()


def _fill(folder: Path, place: Path, ranges: Ranges) -> None:
    """Copy into a folder, which is there when it is complete alone."""
    unfinished = folder.with_name(f"{folder.name}.part")
    for leftover in (folder, unfinished):  # of a run that was killed while it copied
        shutil.rmtree(leftover, ignore_errors=True)
    origin = _copy(place, make_directory(unfinished), ranges)
    (unfinished / NOTE).write_text(origin + "\n")
    unfinished.replace(folder)


def _copy(place: Path, folder: Path, ranges: Ranges) -> str:
    is_folder = (place / "train").is_dir()
    for split, (first, last) in ranges.items():
        if is_folder:
            for kind in sorted(path for path in (place / split).iterdir() if path.is_dir()):
                target = make_directory(folder / split / kind.name)
                for picture in sorted(kind.iterdir())[first:last]:
                    shutil.copyfile(picture, target / picture.name)
            continue
        samples = cifar(place, "cifar10", split)
        assert isinstance(samples, TensorSamples)
        for number, kind_name in enumerate(samples.classes):
            chosen = torch.nonzero(samples.targets == number).flatten()[first:last]
            target = make_directory(folder / split / kind_name)
            for index in chosen.tolist():
                pixels = samples.inputs[index].permute(1, 2, 0).numpy()
                Image.fromarray(pixels).save(target / f"{index:05d}.png")
    return "JPEG pictures of CIFAR-10" if is_folder else "CIFAR-10 as published"


@contextmanager
def _unpacked(source: Path) -> Iterator[Path]:
    """The folder of pictures or the published data at ``source``."""
    packed = source if source.name.endswith(".tar.xz") else source / PACKED_FOLDER
    is_published = source.is_file() or any((source / name).exists() for name in PUBLISHED)
    if packed.is_file():
        with TemporaryDirectory() as folder, tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
            yield Path(folder)
    elif source.is_dir() or is_published:
        yield source
    else:
        raise InputError(
            f"there is no CIFAR-10 at {source}: pass --data-dir with the published "
            f"{PUBLISHED[0]}, or a folder with train/CLASS/ and test/CLASS/ in it"
        )

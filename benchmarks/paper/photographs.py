"""The photographs: a few of CIFAR-10, chosen by their numbers, as a folder of pictures.

CIFAR-10 (Krizhevsky, 2009) is read as published (the archives or what they unpack to), or as an
image folder, packed or not: ``train/CLASS/NNNN.jpg`` and ``test/CLASS/NNNN.jpg``.
"""

import io
import shutil
import tarfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

import torch
from PIL import Image

from landscape.data.samples import TensorSamples
from landscape.data.sources.cifar import cifar
from landscape.errors import InputError
from landscape.results.files import make_directory

PACKED_FOLDER = "cifar10-images.tar.xz"
SPLITS = ("train", "test")
NOTE = "source.txt"

# Which pictures of each class are taken of a split: the first and the last but one.
Ranges = Mapping[str, tuple[int, int]]
# By split and class: the names of the pictures' files, and what reads each.
Pictures = Mapping[tuple[str, str], Mapping[str, Callable[[], bytes]]]


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
        origin, pictures = _find(source)
        for folder in missing:
            _fill(folder, pictures, folders[folder], origin)
    return (next(iter(folders)) / NOTE).read_text().strip()


def _fill(folder: Path, pictures: Pictures, ranges: Ranges, origin: str) -> None:
    """Copy into a folder, which is there when it is complete alone."""
    unfinished = folder.with_name(f"{folder.name}.part")
    for leftover in (folder, unfinished):  # of a run that was killed while it copied
        shutil.rmtree(leftover, ignore_errors=True)
    for (split, kind), by_name in pictures.items():
        target = make_directory(unfinished / split / kind)
        first, last = ranges[split]
        for name in sorted(by_name)[first:last]:
            (target / name).write_bytes(by_name[name]())
    (unfinished / NOTE).write_text(origin + "\n")
    unfinished.replace(folder)


def _find(source: Path) -> tuple[str, Pictures]:
    """In words what is at a place, and its pictures."""
    packed = source if source.name.endswith(".tar.xz") else source / PACKED_FOLDER
    if packed.is_file():
        return "JPEG pictures of CIFAR-10", _in_archive(packed)
    if (source / "train").is_dir():
        return "JPEG pictures of CIFAR-10", _in_folder(source)
    if not source.exists():
        raise InputError(
            f"there is no CIFAR-10 at {source}: pass --data-dir with cifar-10-python.tar.gz as "
            "published, or a folder with train/CLASS/ and test/CLASS/ in it"
        )
    return "CIFAR-10 as published", _as_published(source)


def _in_archive(archive: Path) -> Pictures:
    pictures: dict[tuple[str, str], dict[str, Callable[[], bytes]]] = defaultdict(dict)
    with tarfile.open(archive) as members:
        for member in members:
            *_, split, kind, name = ("", "", *PurePosixPath(member.name).parts)
            content = members.extractfile(member) if split in SPLITS else None
            if content is not None:
                pictures[split, kind][name] = partial(bytes, content.read())
    return pictures


def _in_folder(folder: Path) -> Pictures:
    return {
        (split, kind.name): {file.name: file.read_bytes for file in kind.iterdir()}
        for split in SPLITS
        for kind in (folder / split).iterdir()
        if kind.is_dir()
    }


def _as_published(place: Path) -> Pictures:
    pictures: dict[tuple[str, str], dict[str, Callable[[], bytes]]] = {}
    for split in SPLITS:
        samples = cifar(place, "cifar10", split)
        assert isinstance(samples, TensorSamples)
        for number, kind in enumerate(samples.classes):
            of_kind = torch.nonzero(samples.targets == number).flatten().tolist()
            pictures[split, kind] = {
                f"{index:05d}.png": partial(_as_png, samples, index) for index in of_kind
            }
    return pictures


def _as_png(samples: TensorSamples, index: int) -> bytes:
    written = io.BytesIO()
    Image.fromarray(samples.inputs[index].permute(1, 2, 0).numpy()).save(written, "PNG")
    return written.getvalue()

"""CIFAR-10 and CIFAR-100 in their published form: the archives, or the folders they unpack to.

The data are those of Krizhevsky (2009), Learning multiple layers of features from tiny images; the
layouts are those of https://www.cs.toronto.edu/~kriz/cifar.html. A picture is 3,072 bytes: red,
green and blue, each row by row.
"""

import gzip
import tarfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from numpy.typing import NDArray

from landscape.data.samples import Normalization, Samples, TensorSamples
from landscape.data.sources.byte_pickles import ByteArray, unpickle
from landscape.data.sources.imagefolder import image_folder
from landscape.errors import InputError

SIDE = 32
PIXELS = 3 * SIDE * SIDE
CHUNK = 1 << 20


@dataclass(frozen=True)
class Release:
    """A form in which a data set is published: Python pickles, or plain bytes in .bin files."""

    archive: str
    folder: str
    class_names: str
    suffix: str = ""


@dataclass(frozen=True)
class DataSet:
    """The properties of one of the two data sets.

    ``normalization`` is that of the training pixels; the last of the ``label_bytes`` bytes before a
    picture is its class.
    """

    title: str
    num_classes: int
    normalization: Normalization
    label_key: bytes
    names_key: bytes
    label_bytes: int
    splits: Mapping[str, tuple[str, ...]]
    releases: tuple[Release, Release]

    def batches(self, release: Release, split: str) -> list[str]:
        """The files that hold the pictures of a split."""
        return [batch + release.suffix for batch in self.splits[split]]

    def files(self, release: Release, split: str) -> list[str]:
        """All files that a split is read from."""
        return [*self.batches(release, split), release.class_names]

    def release_of(self, files: Collection[str], split: str) -> Release | None:
        """The release that ``files`` are of, if any."""
        return next((r for r in self.releases if set(files) & set(self.files(r, split))), None)


CIFAR10 = DataSet(
    title="CIFAR-10",
    num_classes=10,
    normalization=Normalization((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    label_key=b"labels",
    names_key=b"label_names",
    label_bytes=1,
    splits={"train": tuple(f"data_batch_{k}" for k in range(1, 6)), "test": ("test_batch",)},
    releases=(
        Release("cifar-10-python.tar.gz", "cifar-10-batches-py", "batches.meta"),
        Release("cifar-10-binary.tar.gz", "cifar-10-batches-bin", "batches.meta.txt", ".bin"),
    ),
)
CIFAR100 = DataSet(
    title="CIFAR-100",
    num_classes=100,
    normalization=Normalization((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    label_key=b"fine_labels",
    names_key=b"fine_label_names",
    label_bytes=2,
    splits={"train": ("train",), "test": ("test",)},
    releases=(
        Release("cifar-100-python.tar.gz", "cifar-100-python", "meta"),
        Release("cifar-100-binary.tar.gz", "cifar-100-binary", "fine_label_names.txt", ".bin"),
    ),
)
DATA_SETS = {"cifar10": CIFAR10, "cifar100": CIFAR100}


def cifar(
    folder: Path, name: str, split: str, normalization: Normalization | None = None
) -> Samples:
    """Load a split of CIFAR-10 or CIFAR-100, whose pictures (3, 32, 32) are kept as bytes.

    Args:
        folder: a published archive, the folder it unpacks to, or a folder that contains either;
            else a folder of pictures that contains train/.
        name: ``cifar10``, or ``cifar100`` with its fine classes.
        split: ``train`` or ``test``.
        normalization: by default that of the training pixels.

    Raises:
        InputError: for missing, incomplete or damaged data.
    """
    if not folder.exists():
        raise InputError(f"no such folder: --data-dir {folder}")
    data_set = DATA_SETS[name]
    place = _find(folder, [data_set], split)
    if place is None and (folder / "train").is_dir():
        return image_folder(folder, split, SIDE, normalization or data_set.normalization)
    place = place or _find(folder, DATA_SETS.values(), split) or folder
    contents = _read(place, split)
    release = data_set.release_of(contents, split)
    if release is None:
        raise InputError(_not_found(place, contents, data_set, split))
    files = data_set.files(release, split)
    missing = [file for file in files if file not in contents]
    if missing:
        raise InputError(
            f"{place} has no {', '.join(missing)}, expected {', '.join(files)}; "
            f"get {release.archive} again"
        )
    with _naming(f"{release.class_names} of {place}"):
        classes = _class_names(contents[release.class_names], data_set, release)
    pixels, labels = [], []
    for file in data_set.batches(release, split):
        with _naming(f"{file} of {place}"):
            batch = _batch(contents[file], data_set, release)
        pixels.append(batch[0])
        labels.append(batch[1])
    return TensorSamples(
        inputs=torch.from_numpy(np.concatenate(pixels).reshape(-1, 3, SIDE, SIDE)),
        targets=torch.from_numpy(np.concatenate(labels)),
        classes=classes,
        normalization=normalization or data_set.normalization,
    )


def _find(folder: Path, data_sets: Iterable[DataSet], split: str) -> Path | None:
    """The folder or the archive with the data; a folder is preferred, as it is read faster."""
    if folder.is_file():
        return folder
    archives = []
    for data_set in data_sets:
        for release in data_set.releases:
            for place in (folder, folder / release.folder):
                if any((place / file).is_file() for file in data_set.files(release, split)):
                    return place
            archives.append(folder / release.archive)
    return next((archive for archive in archives if archive.is_file()), None)


def _read(place: Path, split: str) -> dict[str, bytes]:
    """The contents of the files of a split by name, for every release: archives get renamed."""
    wanted = {
        file
        for data_set in DATA_SETS.values()
        for release in data_set.releases
        for file in data_set.files(release, split)
    }
    contents = {}
    if place.is_dir():
        for file in wanted:
            if (place / file).is_file():
                with _naming(f"{file} of {place}"):
                    contents[file] = (place / file).read_bytes()
        return contents
    if not place.is_file():  # opening a pipe would wait for a writer
        raise InputError(f"--data-dir {place} is no folder and no regular file; pass one of these")
    with (
        _naming(f"the .tar.gz archive {place}"),
        gzip.open(place) as stream,
        tarfile.open(fileobj=stream, mode="r:") as archive,
    ):
        for member in archive:
            file = PurePosixPath(member.name).name
            if file in wanted and (opened := archive.extractfile(member)):
                contents[file] = opened.read()
        while stream.read(CHUNK):  # gzip checks the checksum at the end of the stream
            pass
    return contents


def _not_found(place: Path, files: Collection[str], data_set: DataSet, split: str) -> str:
    for name, candidate in DATA_SETS.items():
        if candidate.release_of(files, split):
            return (
                f"{place} holds {candidate.title}, expected {data_set.title}; "
                f"pass --data {name}, or the --data-dir of {data_set.title}"
            )
    archives = " or ".join(release.archive for release in data_set.releases)
    folders = " or ".join(release.folder for release in data_set.releases)
    return (
        f"{place} holds no {data_set.title} {split} data; pass as --data-dir an archive "
        f"({archives}), the folder it unpacks to ({folders}), a folder that holds either, "
        "or a folder with train/CLASS/PICTURE"
    )


@contextmanager
def _naming(file: str) -> Iterator[None]:
    """Raise errors within this context as an InputError that names the file."""
    try:
        yield
    except Exception as error:  # damaged pickles raise errors of many types
        reason = " ".join(str(error).split())  # pickle's messages may have two lines
        raise InputError(f"{file} can't be read: {reason}; get it again") from error


def _class_names(raw: bytes, data_set: DataSet, release: Release) -> tuple[str, ...]:
    names = raw.split() if release.suffix else unpickle(raw, data_set.names_key)[0]
    if len(names) != data_set.num_classes:
        raise ValueError(f"expected {data_set.num_classes} class names, got {len(names)}")
    return tuple(name.decode() for name in names)


def _batch(
    raw: bytes, data_set: DataSet, release: Release
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The pixels (n, 3072) and the classes (n,) in a file."""
    if release.suffix:
        width = data_set.label_bytes + PIXELS
        if not raw or len(raw) % width:
            raise ValueError(f"expected a multiple of {width} bytes, got {len(raw)}")
        rows = np.frombuffer(raw, np.uint8).reshape(-1, width)
        pixels, labels = rows[:, data_set.label_bytes :], rows[:, data_set.label_bytes - 1]
    else:
        array, numbers = unpickle(raw, b"data", data_set.label_key)
        if not isinstance(array, ByteArray):
            raise ValueError(f"expected an array as data, got {type(array).__name__}")
        pixels, labels = array.values, np.asarray(numbers)
    n = labels.size
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        raise ValueError(f"expected a list of class numbers, got {labels.dtype} {labels.shape}")
    if pixels.shape != (n, PIXELS):
        raise ValueError(f"expected pixels ({n}, {PIXELS}), a row a label, got {pixels.shape}")
    low, high = labels.min(), labels.max()
    if low < 0 or high >= data_set.num_classes:
        raise ValueError(
            f"expected classes 0 to {data_set.num_classes - 1}, got some from {low} to {high}"
        )
    return pixels, labels.astype(np.int64)

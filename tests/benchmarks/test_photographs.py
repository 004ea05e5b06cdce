"""The photographs of the miniature: the same ones, whatever CIFAR-10 is packed as."""

import tarfile

import numpy as np
import pytest
from PIL import Image

from benchmarks.paper.photographs import prepare_photographs
from landscape.errors import InputError

RANGES = {"train": (0, 2), "test": (1, 3)}


@pytest.fixture
def pictures(tmp_path):
    """Two classes of four pictures each, in both splits; a picture's grey says which it is."""
    folder = tmp_path / "pictures"
    for s, split in enumerate(("train", "test")):
        for k, kind in enumerate(("cat", "dog")):
            (folder / split / kind).mkdir(parents=True)
            for n in range(4):
                grey = np.full((32, 32, 3), 100 * s + 50 * k + 10 * n, np.uint8)
                Image.fromarray(grey).save(folder / split / kind / f"{n:04d}.png")
    return folder


def greys(folder):
    """The grey of every chosen picture, by its split and class."""
    return {
        (kind.parent.name, kind.name): [
            int(np.asarray(Image.open(file))[0, 0, 0]) for file in sorted(kind.iterdir())
        ]
        for kind in folder.glob("*/*")
        if kind.is_dir()
    }


CHOSEN = {
    ("train", "cat"): [0, 10],
    ("train", "dog"): [50, 60],
    ("test", "cat"): [110, 120],
    ("test", "dog"): [160, 170],
}


def test_a_folder_of_pictures(pictures, tmp_path):
    origin = prepare_photographs(pictures, {tmp_path / "chosen": RANGES})
    assert greys(tmp_path / "chosen") == CHOSEN
    assert origin == "JPEG pictures of CIFAR-10"
    # The second time nothing is read.
    assert prepare_photographs(tmp_path / "absent", {tmp_path / "chosen": RANGES}) == origin


@pytest.mark.parametrize("names_the_file", [False, True])
def test_a_packed_folder(pictures, tmp_path, names_the_file):
    packed = tmp_path / "packed" / "cifar10-images.tar.xz"
    packed.parent.mkdir()
    with tarfile.open(packed, "w:xz") as archive:
        for split in ("train", "test"):
            archive.add(pictures / split, split)
    prepare_photographs(packed if names_the_file else packed.parent, {tmp_path / "chosen": RANGES})
    assert greys(tmp_path / "chosen") == CHOSEN


def test_what_a_killed_copy_has_left_is_replaced(pictures, tmp_path):
    (tmp_path / "chosen" / "train" / "bird").mkdir(parents=True)
    (tmp_path / "chosen.part" / "train" / "frog").mkdir(parents=True)
    prepare_photographs(pictures, {tmp_path / "chosen": RANGES})
    assert greys(tmp_path / "chosen") == CHOSEN
    assert not (tmp_path / "chosen.part").exists()


def test_no_cifar10(tmp_path):
    with pytest.raises(InputError, match="there is no CIFAR-10 at .*absent: pass --data-dir"):
        prepare_photographs(tmp_path / "absent", {tmp_path / "chosen": RANGES})
    assert list(tmp_path.iterdir()) == []

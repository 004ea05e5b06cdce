"""The photographs of the miniature: the same ones, whatever CIFAR-10 is packed as."""

import tarfile

import numpy as np
import pytest
from PIL import Image

from benchmarks.paper.photographs import prepare_photographs
from landscape.errors import InputError
from tests.landscape.data.sources import test_cifar as published

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


@pytest.mark.parametrize("form", ["python", "binary"])
def test_the_published_files(tmp_path, form):
    """Each batch has one picture of the first class, its second."""
    for number, place in enumerate(published.layouts(tmp_path, "cifar10", form)):
        folder = tmp_path / f"chosen-{number}"
        ranges = {"train": (1, 3), "test": (0, 1)}
        assert prepare_photographs(place, {folder: ranges}) == "CIFAR-10 as published"
        files = sorted((folder / "train" / "a").iterdir())
        assert [file.name for file in files] == ["00004.png", "00007.png"]
        for file, batch in zip(files, ("data_batch_2", "data_batch_3"), strict=True):
            expected = published.pictures(batch)[1].reshape(3, 32, 32).transpose(1, 2, 0)
            assert np.array_equal(np.asarray(Image.open(file)), expected)
        assert [file.name for file in (folder / "test" / "a").iterdir()] == ["00001.png"]


def test_what_a_killed_copy_has_left_is_replaced(pictures, tmp_path):
    (tmp_path / "chosen" / "train" / "bird").mkdir(parents=True)
    (tmp_path / "chosen.part" / "train" / "frog").mkdir(parents=True)
    prepare_photographs(pictures, {tmp_path / "chosen": RANGES})
    assert greys(tmp_path / "chosen") == CHOSEN
    assert not (tmp_path / "chosen.part").exists()


def test_no_cifar10(tmp_path):
    with pytest.raises(InputError, match=r"there is no CIFAR-10 at .*absent: pass --data-dir"):
        prepare_photographs(tmp_path / "absent", {tmp_path / "chosen": RANGES})
    assert list(tmp_path.iterdir()) == []

import os
import pickle
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from landscape.data.samples import Normalization
from landscape.data.sources.cifar import cifar
from landscape.errors import InputError

# The archive, the folder it unpacks to, and the file of class names in it.
RELEASES = {
    ("cifar10", "python"): ("cifar-10-python.tar.gz", "cifar-10-batches-py", "batches.meta"),
    ("cifar10", "binary"): ("cifar-10-binary.tar.gz", "cifar-10-batches-bin", "batches.meta.txt"),
    ("cifar100", "python"): ("cifar-100-python.tar.gz", "cifar-100-python", "meta"),
    ("cifar100", "binary"): ("cifar-100-binary.tar.gz", "cifar-100-binary", "fine_label_names.txt"),
}
SUFFIX = {"python": "", "binary": ".bin"}
BATCHES = {
    "cifar10": {"train": [f"data_batch_{k}" for k in range(1, 6)], "test": ["test_batch"]},
    "cifar100": {"train": ["train"], "test": ["test"]},
}
CLASSES = {"cifar10": [*"abcdefghij"], "cifar100": [f"c{k}" for k in range(100)]}
NORMALIZATIONS = {
    "cifar10": Normalization((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": Normalization((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
}
# What Python 2 wrote before three pictures; the class numbers come after them.
HEAD = (
    b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    b"(K\x01K\x03M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xff"
    b"J\xff\xff\xff\xffK\x00tb\x89T\x00\x24\x00\x00"
)
BLACK = HEAD + bytes(9216) + b"tbU\x06labels]("


def pictures(batch):
    """Three pictures, as they are published: (3, 3072)."""
    return np.random.default_rng([*batch.encode()]).integers(0, 256, (3, 3072), np.uint8)


def labels(name, batch):
    return [sum(batch.encode()) % 10, 0, len(CLASSES[name]) - 1]


def batch_file(name, form, batch):
    numbers = labels(name, batch)
    if form == "binary":
        before = [[19, n] if name == "cifar100" else [n] for n in numbers]  # 19: a coarse class
        return np.hstack([before, pictures(batch)]).astype(np.uint8).tobytes()
    key = b"U\x06labels" if name == "cifar10" else b"U\x0bfine_labels"
    after = b"".join(b"K%c" % n for n in numbers)
    return HEAD + pictures(batch).tobytes() + b"tb" + key + b"](" + after + b"eu."


def unpacked(root, name, form):
    _, folder, names = RELEASES[name, form]
    place, classes = root / folder, [c.encode() for c in CLASSES[name]]
    key = b"label_names" if name == "cifar10" else b"fine_label_names"
    place.mkdir(parents=True)
    content = b"\n".join(classes) + b"\n\n" if form == "binary" else pickle.dumps({key: classes}, 2)
    (place / names).write_bytes(content)
    for batch in sum(BATCHES[name].values(), []):
        (place / (batch + SUFFIX[form])).write_bytes(batch_file(name, form, batch))
    return place


def archive(folder, name, form):
    """An archive of ``folder``, two levels above it."""
    path = folder.parents[1] / RELEASES[name, form][0]
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder, folder.name)
    return path


def layouts(root, name, form):
    folder = unpacked(root / "source", name, form)
    path = archive(folder, name, form)
    return path, root, folder, folder.parent, Path(shutil.copy(path, root / "mine.tgz"))


def refused(folder, name="cifar10", split="train"):
    with pytest.raises(InputError) as caught:
        cifar(folder, name, split)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(("name", "form"), RELEASES)
def test_every_layout_gives_the_published_pictures_in_their_order(tmp_path, name, form, split):
    batches = BATCHES[name][split]
    published = np.concatenate([pictures(batch) for batch in batches])
    channel, row, column = np.indices((3, 32, 32))
    expected = torch.from_numpy(published[:, 1024 * channel + 32 * row + column])
    halves = Normalization((0.5,), (0.25,))
    for place in layouts(tmp_path, name, form):
        samples = cifar(place, name, split)
        assert samples.inputs.dtype == torch.uint8
        assert torch.equal(samples.inputs, expected)
        assert samples.targets.dtype == torch.int64
        assert samples.targets.tolist() == [n for batch in batches for n in labels(name, batch)]
        assert samples.classes == tuple(CLASSES[name])
        assert samples.normalization == NORMALIZATIONS[name]
        assert cifar(place, name, split, halves).normalization == halves


@pytest.mark.parametrize(("protocol", "order"), [(2, "C"), (4, "C"), (2, "F")])
def test_pickles_of_python_3(tmp_path, protocol, order):
    folder = unpacked(tmp_path, "cifar10", "python")
    batch = {b"data": np.asarray(pictures("a"), order=order), b"labels": [3, 2, 1]}
    (folder / "test_batch").write_bytes(pickle.dumps(batch, protocol))
    samples = cifar(folder, "cifar10", "test")
    assert samples.inputs.flatten(1).tolist() == pictures("a").tolist()


def test_a_folder_of_pictures(tmp_path):
    for split in ("train", "test"):
        (tmp_path / split / "cat").mkdir(parents=True)
        Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / split / "cat" / "0.png")
    samples = cifar(tmp_path, "cifar10", "test")
    assert samples.input_shape == (3, 32, 32)
    assert samples.normalization == NORMALIZATIONS["cifar10"]
    archive(unpacked(tmp_path / "source", "cifar10", "python"), "cifar10", "python")
    assert len(cifar(tmp_path, "cifar10", "train")) == 15  # what is published comes first


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    class Touch:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    folder = unpacked(tmp_path, "cifar10", "python")
    for file in ("test_batch", "batches.meta"):
        (folder / file).write_bytes(pickle.dumps({b"data": Touch(), b"label_names": Touch()}))
        assert f"{file} of {folder} can't be read: expected arrays" in refused(folder, split="test")
    (folder / "batches.meta").write_bytes(pickle.dumps(np.zeros(3, dtype=object), 2))
    assert "expected an array of bytes (u1), got 'O8'" in refused(folder)
    assert not (tmp_path / "ran").exists()
    pickle.loads((folder / "test_batch").read_bytes())
    assert (tmp_path / "ran").exists()  # it does run where it is not refused


@pytest.mark.parametrize(("name", "form"), RELEASES)
def test_a_file_that_is_missing_is_named(tmp_path, name, form):
    for k, file in enumerate((BATCHES[name]["train"][-1] + SUFFIX[form], RELEASES[name, form][2])):
        folder = unpacked(tmp_path / str(k) / "source", name, form)
        (folder / file).unlink()
        for place in (folder, archive(folder, name, form)):
            assert f"{place} has no {file}, expected " in refused(place, name)


def test_damaged_archives(tmp_path):
    path = archive(unpacked(tmp_path / "source", "cifar10", "python"), "cifar10", "python")
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1  # among the pixels, where only the checksum tells
    for damaged in (b"", b"no archive", whole[:-5], whole[: len(whole) // 2], whole[:40], flipped):
        path.write_bytes(damaged)
        assert f"the .tar.gz archive {path} can't be read: " in refused(path)


@pytest.mark.parametrize(
    ("name", "form", "file", "content", "message"),
    [
        ("cifar10", "binary", "test_batch.bin", b"1" * 3074, "expected a multiple of 3073 bytes"),
        ("cifar100", "binary", "test.bin", b"", "expected a multiple of 3074 bytes, got 0"),
        ("cifar10", "binary", "test_batch.bin", b"\x0a" * 3073, "expected classes 0 to 9, got"),
        ("cifar10", "binary", "batches.meta.txt", b"a b", "expected 10 class names, got 2"),
        ("cifar10", "python", "test_batch", HEAD, "pickle data was truncated"),
        ("cifar10", "python", "test_batch", BLACK + b"K\x01eu.", "expected pixels (1, 3072)"),
        ("cifar10", "python", "test_batch", BLACK + b"](K\x01eeu.", "expected a list of class"),
        ("cifar10", "python", "test_batch", BLACK + 3 * b"J\0\0\0\xf0" + b"eu.", "expected class"),
        ("cifar100", "python", "meta", pickle.dumps({}), "expected a dict with fine_label_names"),
        ("cifar10", "python", "test_batch", b"}(U\x04dataNU\x06labelsNu.", "expected an array"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, form, file, content, message):
    folder = unpacked(tmp_path, name, form)
    (folder / file).write_bytes(content)
    expected = f"{file} of {folder} can't be read: {message}"
    assert refused(folder, name, "test").startswith(expected)


@pytest.mark.parametrize(("name", "form"), RELEASES)
def test_the_other_data_set(tmp_path, name, form):
    other_name = "cifar100" if name == "cifar10" else "cifar10"
    for place in layouts(tmp_path, name, form):
        assert f"pass --data {name}, or the --data-dir" in refused(place, other_name)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "data")
    with pytest.raises(InputError, match="is no folder and no regular file"):
        cifar(tmp_path / "data", "cifar10", "train")


def test_nothing_there(tmp_path):
    assert refused(tmp_path / "x") == f"no such folder: --data-dir {tmp_path / 'x'}"
    for expected in ("cifar-10-binary.tar.gz", "unpacks to (cifar-10-b", "holds either", "train/"):
        assert expected in refused(tmp_path)

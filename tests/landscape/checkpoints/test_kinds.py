"""What a file that can't be read really is, in one true line."""

import gzip
import io
import json
import pickle
import tarfile
import zipfile

import h5py
import numpy as np
import pytest
import torch

from landscape.checkpoints.contents import read_contents
from landscape.checkpoints.foreign.kinds import Kind, kind_of
from landscape.errors import InputError


def tar_bytes():
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model.pt"))
    return stream.getvalue()


def zip_bytes(*names):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return stream.getvalue()


def npy_bytes():
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    return stream.getvalue()


FILES = {
    "empty.pt": (b"", r"is truncated: it is empty \(0 bytes\)"),
    "page.pth": (b"<!DOCTYPE html><html><body>404</body></html>", r"is a web page \(HTML\)"),
    "page2.pth": (b"\n  <html lang=en>login</html>", "is a web page"),
    "denied.bin": (b"<?xml version='1.0'?><Error>AccessDenied</Error>", "is a web page"),
    "pointer.safetensors": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        "is a Git LFS pointer of 70 bytes.*git lfs pull",
    ),
    "error.bin": (b'{"error": "Repository not found"}', "is JSON text.*Repository not found"),
    "readme.pt": (b"The weights are elsewhere.\n", "is a text, not weights.*The weights are else"),
    "llama.gguf": (b"GGUF\x03\x00\x00\x00" + bytes(60), r"is a GGUF file"),
    "array.npy": (npy_bytes(), r"is a single array of numpy"),
    "model.onnx": (b"\x08\x08\x12\x07pytorch", "is an ONNX graph"),
    "model.tflite": (b"\x1c\0\0\0TFL3" + bytes(60), "is a TensorFlow Lite model"),
    "graph.pb": (b"\x0a\x0b\xff\xfe" * 20, "is a TensorFlow graph"),
    "flax_model.msgpack": (b"\x81\xa6params\x80\xff", "is a Flax checkpoint"),
    "model.pth.gz": (gzip.compress(b"weights"), "is compressed with gzip"),
    "model.pth.tar": (tar_bytes(), "is a tar archive"),
    "some.zip": (zip_bytes("a.pt", "b.pt"), r"is a zip archive \(a.pt, b.pt\)"),
    "model.keras": (zip_bytes("config.json", "model.weights.h5"), "is a Keras model"),
    "picture.pt": (b"\x89PNG\r\n\x1a\n", "is a picture"),
    "noise.pt": (np.random.default_rng(0).bytes(1000), "is truncated or not a checkpoint of a kno"),
    "zeros.pt": (bytes(100), "is truncated or not a checkpoint of a known format"),
    "half.pt": (zip_bytes("archive/data.pkl")[:-30], "is truncated: an archive of 101 bytes"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("trust", [False, True])
def test_what_it_is(tmp_path, name, trust):
    content, words = FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read_contents(tmp_path / name, trust=trust)
    text = str(caught.value)
    assert text.startswith(str(tmp_path / name))
    assert "\n" not in text
    # An option of torch.load that nobody at our command line can set.
    assert "weights_only" not in text


def test_keras_weights(tmp_path):
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file["dense/kernel:0"] = np.zeros((2, 2))
    with pytest.raises(InputError, match="is an HDF5 file, such as Keras writes"):
        read_contents(tmp_path / "weights.h5")


def test_kinds_by_content(tmp_path):
    torch.save({}, tmp_path / "a")
    torch.save({}, tmp_path / "b", _use_new_zipfile_serialization=False)
    (tmp_path / "c").write_bytes(pickle.dumps({"weight": [1.0]}))
    (tmp_path / "d").write_text(json.dumps({"weight_map": {"w": "x"}}))
    kinds = {"a": Kind.TORCH, "b": Kind.TORCH, "c": Kind.PICKLE, "d": Kind.INDEX}
    assert {name: kind_of(tmp_path / name) for name in kinds} == kinds

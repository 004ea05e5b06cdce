"""What a file really is, by its content: the formats that are read, and a sentence for others."""

import json
import string
import zipfile
from enum import Enum
from pathlib import Path

from landscape.checkpoints.foreign.archives import ZIP_ERRORS, is_archive

_TORCH_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # torch.save before version 1.6
_PICKLES = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))
_BINARY = {
    b"GGUF": "a GGUF file (llama.cpp), whose weights are mostly quantised; use the original "
    "floating-point weights (.safetensors or .bin)",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file, such as Keras writes; its layers have other layouts than "
    "torch's, so save the weights from torch",
    b"\x93NUMPY": "a single array of numpy (.npy) without the names of the weights; save "
    "model.state_dict()",
    b"\x1f\x8b": "compressed with gzip; unpack it first (gunzip or tar xf)",
    b"BZh": "compressed with bzip2; unpack it first",
    b"\xfd7zXZ\x00": "compressed with xz; unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; unpack it first",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive; unpack it first",
    b"Rar!": "a RAR archive; unpack it first",
    b"%PDF": "a PDF document, not weights; give the checkpoint itself",
    b"\x89PNG": "a picture, not weights; give the checkpoint itself",
    b"\xff\xd8\xff": "a picture, not weights; give the checkpoint itself",
}
_SUFFIXES = {
    ".onnx": "an ONNX graph, in which weights may be renamed; save model.state_dict() from torch",
    ".pb": "a TensorFlow graph; save the weights from torch",
    ".tflite": "a TensorFlow Lite model; save the weights from torch",
    ".msgpack": "a Flax checkpoint; convert it to torch first",
    ".index": "a part of a TensorFlow checkpoint; convert it to torch first",
}
_LONGEST_HEADER = 100_000_000  # bytes; the limit of the safetensors format


class Kind(Enum):
    """The formats that can hold weights."""

    TORCH = "a torch file"
    TORCHSCRIPT = "a TorchScript archive"
    PICKLE = "a plain pickle"
    SAFETENSORS = "a safetensors file"
    NPZ = "an .npz file"
    INDEX = "an index of shards"
    OTHER = "another file"


def kind_of(path: Path) -> Kind:
    """The format of a file, by its content and not by its name."""
    head = _head(path)
    if is_archive(path) and head.startswith(b"PK"):
        names = _members(path)
        if any(name.endswith("/constants.pkl") for name in names):
            return Kind.TORCHSCRIPT
        if any(name.endswith("data.pkl") for name in names):
            return Kind.TORCH
        return Kind.NPZ if names and all(n.endswith(".npy") for n in names) else Kind.OTHER
    if head.startswith(_TORCH_LEGACY):
        return Kind.TORCH
    length = int.from_bytes(head[:8], "little")
    if head[8:9] == b"{" and 2 <= length <= min(_LONGEST_HEADER, path.stat().st_size):
        return Kind.SAFETENSORS
    if head.startswith(_PICKLES):
        return Kind.PICKLE
    if head.lstrip().startswith(b"{") and "weight_map" in (_json(path) or {}):
        return Kind.INDEX
    return Kind.OTHER


def describe_file(path: Path) -> str:
    """One sentence about a file that can't be read: what it is, and what to do."""
    size, head = path.stat().st_size, _head(path)
    text = head.lstrip().lower()
    if size == 0:
        return f"{path} is truncated: it is empty (0 bytes); copy, download or save it again"
    if head.startswith(b"version https://git-lfs"):
        return (
            f"{path} is a Git LFS pointer of {size} bytes that stands for the weights; fetch them "
            "with git lfs pull"
        )
    if text.startswith((b"<!doctype html", b"<html", b"<?xml", b"<head", b"<body")):
        return (
            f"{path} is a web page (HTML), not weights; the download went wrong (a login or an "
            "error page): download the file itself"
        )
    if text.startswith((b"{", b"[")) and (content := _json(path)) is not None:
        return (
            f"{path} is JSON text, not weights (it says: {_brief(json.dumps(content))}); give the "
            "file of the weights"
        )
    for start, words in _BINARY.items():
        if head.startswith(start):
            return f"{path} is {words}"
    if head[257:262] == b"ustar":
        return f"{path} is a tar archive; unpack it first (tar xf)"
    if head[4:8] == b"TFL3":
        return f"{path} is {_SUFFIXES['.tflite']}"
    if head.startswith(b"PK"):
        return _describe_zip(path, size)
    if path.suffix in _SUFFIXES:
        return f"{path} is {_SUFFIXES[path.suffix]}"
    if path.suffix == ".safetensors":
        return (
            f"{path} is truncated or not a safetensors file: its {size:,} bytes hold no whole "
            "header; copy or download it again"
        )
    if all(chr(byte) in string.printable for byte in head):
        return (
            f"{path} is a text, not weights (it says: {_brief(head.decode())}); give the file of "
            "the weights"
        )
    return damaged(path, "checkpoint of a known format")


def damaged(path: Path, expected: str = "torch checkpoint") -> str:
    """The sentence about a file that can't be read as what it was ``expected`` to be."""
    return (
        f"{path} is truncated or not a {expected} ({path.stat().st_size:,} bytes that start "
        f"with {_head(path)[:4].hex(' ')}); copy, download or save it again"
    )


def _describe_zip(path: Path, size: int) -> str:
    if not is_archive(path):
        return (
            f"{path} is truncated: an archive of {size:,} bytes without its end; copy, download or "
            "save it again"
        )
    names = _members(path)
    if "model.weights.h5" in names:
        return f"{path} is a Keras model; save the weights from torch"
    shown = [ascii(name[:60])[1:-1] for name in names[:3]]
    inside = f" ({', '.join(shown)}{', ...' if len(names) > 3 else ''})" if names else ""
    return f"{path} is a zip archive{inside}, not a checkpoint; unpack it first"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(512)


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except ZIP_ERRORS:
        return []


def _json(path: Path) -> dict[str, object] | list[object] | None:
    """The content of a JSON file of moderate size; None if it is none."""
    if path.stat().st_size > _LONGEST_HEADER:
        return None
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict | list) else None


def _brief(text: str, limit: int = 60) -> str:
    words = " ".join(text.split())
    return words if len(words) <= limit else f"{words[:limit]}..."

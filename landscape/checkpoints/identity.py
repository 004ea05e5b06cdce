"""The content of checkpoints as hashes, to tell whether a question is the same as before."""

from pathlib import Path

from landscape.checkpoints.contents import files_of
from landscape.checkpoints.epochs import matching_paths
from landscape.checkpoints.foreign.shards import weights_in
from landscape.checkpoints.run import weights_file
from landscape.checkpoints.trained_models import (
    hash_weights,
    is_function,
    load_second,
)
from landscape.models.catalog import ModelSpec
from landscape.results.files import sha256


def hash_checkpoints(
    word: str, spec: ModelSpec | None = None, *, trust: bool = False
) -> dict[str, str]:
    """The hash of everything that a word of the command line names, by file.

    Args:
        word: A file, a run directory, a folder of weights, a pattern of any of these, or
            FILE.py:FUNCTION, which is called for the weights that it returns.
        spec: What the network was made from that these are compared with.
        trust: As for :func:`~landscape.checkpoints.load.load_checkpoint`.
    """
    path = Path(word)
    if is_function(path):
        return {word: hash_weights(load_second(path, spec, trust=trust))}
    hashes = {}
    for place in [path] if path.exists() else matching_paths(word):
        for file in _files(place):
            if file.is_file():
                hashes[str(file)] = sha256(file)
    return hashes


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return files_of(path)
    weights = weights_file(path) or weights_in(path)
    return [] if weights is None else files_of(weights)

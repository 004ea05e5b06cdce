"""The gallery: released networks of one seed with their results, small enough to be committed."""

import shutil
from pathlib import Path

from analyses.catalog import known_analyses
from analyses.slices.result import Slice
from benchmarks.paper.plan import RELEASED, Scale
from landscape.errors import InputError
from landscape.results.files import make_directory, sha256

CHECKPOINTS, RESULTS = Path("checkpoints/gallery"), Path("figures/gallery")
MOST_BYTES = 6_000_000
# Attention results hold photographs, which are not ours to hand on.
LEFT_OUT = frozenset({"attention"})


def fill_gallery(scale: Scale, checkpoints: Path = CHECKPOINTS, results: Path = RESULTS) -> None:
    """Copy the released networks with their hashes, and what was measured on them.

    Raises:
        InputError: The networks are larger than what may be committed.
    """
    sums = []
    for label in RELEASED:
        source, target = scale.released / label, make_directory(checkpoints / label)
        for file in sorted(source.iterdir()):
            shutil.copyfile(file, target / file.name)
        sums += [
            f"{sha256(file)}  {label}/{file.name}\n"
            for file in sorted(target.glob("*.safetensors"))
        ]
        for stored in sorted((scale.released_figures / label).glob("*.h5")):
            if stored.stem not in LEFT_OUT:
                _copy_result(stored, make_directory(results / label) / stored.name)
    (checkpoints / "SHA256SUMS").write_text("".join(sums))
    size = sum(file.stat().st_size for file in checkpoints.rglob("*.safetensors"))
    if size > MOST_BYTES:
        raise InputError(f"{checkpoints} holds {size:,} bytes of weights, at most {MOST_BYTES:,}")


def _copy_result(stored: Path, target: Path) -> None:
    """Copy a result and its headline.

    A surface is copied without its directions, which are many times larger, and which are drawn
    again from the seed wherever it is measured again.
    """
    result = known_analyses()[stored.stem].result_type.load(stored)
    if isinstance(result, Slice):
        result = result.without_vectors()
    result.save(target)
    result.write_json(target.with_suffix(".json"))

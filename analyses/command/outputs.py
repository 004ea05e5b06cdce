"""The files that a command is going to write, and a user's own in their place."""

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from analyses.catalog import known_analyses
from analyses.command.requests import Request
from analyses.drawing.options import EXPORTS, FORMATS
from analyses.generated import was_generated
from landscape.errors import InputError


def refuse_files_of_others(
    arguments: argparse.Namespace, names: Sequence[str], requests: Sequence[Request]
) -> None:
    """Check that what would be overwritten was written by this program; ``--force`` overwrites all.

    Args:
        arguments: the parsed command line.
        names: the analyses that it asks for.
        requests: of the checkpoints.

    Raises:
        InputError: a file is a user's own, or lies where a label's folder has to be.
    """
    folder: Path = arguments.output_dir
    for request in requests:
        place = folder / request.label
        for path in (place, place.parent):
            if path != folder and path.exists() and not path.is_dir():
                raise InputError(
                    f"{path} is a file, where the folder of {request.label!r} has to be; move it, "
                    "or give another label as LABEL=CHECKPOINT"
                )
    if arguments.force or not folder.is_dir():
        return
    analyses = frozenset(known_analyses())
    for path in _overwritten(arguments, names, requests):
        if path.is_dir():
            raise InputError(f"{path} is a folder, where a file is written; move it")
        if not was_generated(path, analyses):
            raise InputError(
                f"{path} is there, and was not written by landscape-plot; move it, choose another "
                "--output-dir, or pass --force to overwrite it and measure again"
            )


def _overwritten(
    arguments: argparse.Namespace, names: Sequence[str], requests: Sequence[Request]
) -> Iterator[Path]:
    """The files and folders that are there under the names of what is written."""
    folder, formats = arguments.output_dir, set(arguments.format)
    for request in requests:
        if request.stored is None:
            kinds = ["h5", "json", *({*EXPORTS, "csv"} & formats)]
            for name in request.settings:
                yield from _present(folder / request.label / f"{name}.{kind}" for kind in kinds)
    if not formats:
        return
    page = arguments.analysis
    yield from _present(folder / f"{page}.{kind}" for kind in ("html", "md", "json", "csv"))
    pictures = formats & {*FORMATS} | ({"png"} if arguments.preview else set())
    pattern = re.compile(f"({'|'.join(map(re.escape, names))})([-_].*)?")
    for path in sorted(folder.iterdir()):
        is_ours = pattern.fullmatch(path.stem)
        is_picture = path.suffix[1:] in pictures and is_ours
        is_scene = "interactive" in formats and path.name in {f"{name}_3d.html" for name in names}
        # An image that a PGF picture includes.
        is_in_pgf = "pgf" in formats and is_ours and re.search(r"-img\d+\.png$", path.name)
        if is_picture or is_scene or is_in_pgf:
            yield path


def _present(paths: Iterator[Path]) -> Iterator[Path]:
    return (path for path in paths if path.exists())

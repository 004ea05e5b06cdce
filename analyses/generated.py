"""How files that this program wrote are told from a user's own of the same name.

Pictures and pages carry a mark. Files of numbers are known by what they hold.
"""

import json
from pathlib import Path

from landscape.errors import InputError
from landscape.results.hdf5.read import read_outline
from landscape.results.hdf5.seal import is_sealed

# PNG has it as Software, PDF, SVG and PGF as Creator, HTML as generator, Markdown and VTK in a
# comment.
MARK = "landscape-plot of loss-landscape-toolkit"

# Files of earlier versions lack the last.
CSV_COLUMNS = ("analysis", "network", "run", "seed", "quantity", "value", "error", "unit")


def was_generated(path: Path, analyses: frozenset[str]) -> bool:
    """Whether a file is one of ours; False for one that can't be read.

    Args:
        path: the file.
        analyses: the names of all analyses.
    """
    try:
        if path.suffix == ".h5":
            with path.open("rb") as file:
                if is_sealed(file):  # also a damaged one
                    return True
            return read_outline(path).attributes.get("analysis") in analyses
        if path.suffix == ".csv":
            return path.read_text(encoding="utf-8").startswith(",".join(CSV_COLUMNS[:-1]))
        if path.suffix == ".json":
            return _holds_numbers(json.loads(path.read_bytes()), analyses)
        return MARK.encode() in path.read_bytes()
    except (InputError, OSError, ValueError):
        return False


def _holds_numbers(content: object, analyses: frozenset[str]) -> bool:
    """Whether the content of a JSON file is that of a result, or of several by analysis."""
    if not isinstance(content, dict):
        return False
    is_result = {"label", "analysis", "settings", "provenance"} <= content.keys()
    return is_result or (bool(content) and content.keys() <= {*analyses, "paper"})

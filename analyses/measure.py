"""Ask an objective one question, once: an answer that is on disk already is not computed again."""

from pathlib import Path
from typing import Any

from analyses.table import ANALYSES, RESULTS
from landscape.errors import InputError
from landscape.objective import Objective
from landscape.options import to_plain
from landscape.progress import message
from landscape.results import Result

# What has to be the same for a stored result to be the answer, and how a difference is told.
PROVENANCE = {
    "weights_sha256": "other weights",
    "sample_sha256": "another sample",
    "precision": "another precision",
}
ORIGIN = {
    "model": "another model",
    "model_args": "other model arguments",
    "split": "another split",
    "loss": "another loss",
}


def find_stored(name: str, objective: Objective, settings: Any, folder: Path) -> Result | None:
    """The result of analysis ``name`` that ``folder`` holds, if it holds one.

    Raises InputError if it answers another question.
    """
    stored = folder / f"{name}.h5"
    if not stored.exists():
        return None
    result = RESULTS[name].load(stored)
    changed = _differences(result, objective, settings)
    directions = getattr(settings, "directions", "")
    if directions and Path(directions).stat().st_mtime > stored.stat().st_mtime:
        changed.append(f"{directions} has changed since")
    if changed:
        raise InputError(
            f"{stored} was measured differently ({'; '.join(changed)}); --force measures it again, "
            "or choose another --output-dir"
        )
    return result


def measure(
    name: str, objective: Objective, settings: Any, folder: Path, *, force: bool = False
) -> Result:
    """The result of analysis ``name``, with its .h5 and .json in ``folder``.

    It is computed if the folder has none, or with ``force``.
    """
    label = objective.origin.get("label", "model")
    result = None if force else find_stored(name, objective, settings, folder)
    if result is None:
        message(f"{label}: measuring {name}")
        result = ANALYSES[name].compute(objective, settings)
        result.save(folder / f"{name}.h5")
    else:
        message(f"{label}: {name} is already measured")
    result.write_json(folder / f"{name}.json")
    return result


def _differences(stored: Result, objective: Objective, settings: Any) -> list[str]:
    """What is not the same between a stored result and the one that is asked for."""
    before, after = to_plain(stored.settings), to_plain(settings)
    asked, made = objective.provenance(0.0), stored.provenance
    return [
        *(
            f"{key} {before.get(key)}, now {after[key]}"
            for key in after
            if before[key] != after[key]
        ),
        *(told for key, told in PROVENANCE.items() if getattr(made, key) != getattr(asked, key)),
        *(told for key, told in ORIGIN.items() if made.origin.get(key) != asked.origin.get(key)),
    ]

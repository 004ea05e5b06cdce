"""Ask an objective one question, once: an answer that is on disk already is not computed again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from analyses.preview import PartialFile, Watchers
from analyses.table import ANALYSES, RESULTS
from landscape.checkpoints.run import LAST
from landscape.files import put_aside, sha256, sweep
from landscape.objective import Objective
from landscape.progress import message
from landscape.question import differences, question_of
from landscape.results import Result, is_complete
from landscape.slices.survey import remove_journals
from landscape.work import Work


def measure(
    name: str, objective: Objective, settings: Any, work: Work, *, force: bool = False
) -> Result | None:
    """The result of analysis ``name``, with its .h5 and .json in the folder of ``work``.

    It is computed if the folder has none, or with ``force``. One that answers another question is
    kept under another name. Among several ranks the first one reads and writes; the others return
    None.
    """
    label = objective.origin.get("label", "model")
    folder, ranks = work.folder, work.ranks
    assert folder is not None
    found = None
    objective.origin["files"] = _hash_files(settings)
    journal = folder / f"{name}.journal"
    if ranks.is_first:
        for path in (folder / f"{name}.h5", folder / f"{name}.json", journal):
            sweep(path)
        if not force:
            found = find_stored(name, objective, settings, folder)
        if force or found is not None:  # of a run that was killed right after it had saved
            remove_journals(journal)
    if ranks.share(f"stored/{name}/{label}", found is not None):
        message(f"{label}: {name} is already measured")
    elif ranks.is_first or name in SHARED:
        message(f"{label}: measuring {name}")
        watch = Watchers(PartialFile(folder / f"{name}.h5"), work.watch)
        found = ANALYSES[name].compute(objective, settings, replace(work, watch=watch))
        if ranks.is_first:
            found.save(folder / f"{name}.h5")
            remove_journals(journal)
    if not ranks.is_first or found is None:
        return None
    found.write_json(folder / f"{name}.json")
    return found


# The settings that name files.
FILES = ("directions", "toward_x", "toward_y", "reference")
# The analyses whose work all ranks share; the others are computed by the first one.
SLICES = ("surface", "line", "interpolate", "trajectory")
SHARED = (*SLICES, "hessian", "components")


def find_stored(name: str, objective: Objective, settings: Any, folder: Path) -> Result | None:
    """The result of analysis ``name`` in ``folder``, if it answers this question.

    One that does not is renamed, with a message that says what has changed.
    """
    stored = folder / f"{name}.h5"
    if not stored.exists() or not is_complete(stored):
        return None
    result = RESULTS[name].load(stored)
    before = question_of(result.settings, result.provenance)
    changed = differences(before, question_of(settings, objective.provenance(0.0)))
    if not changed:
        return result
    aside = put_aside(stored)
    beside = folder / f"{name}.json"
    if beside.exists():
        beside.rename(aside.with_suffix(".json"))
    message(f"{stored} was measured differently ({'; '.join(changed)}): kept as {aside.name}")
    return None


def _hash_files(settings: Any) -> dict[str, str]:
    """The content of the files that directions, trajectories and other weights come from."""
    names = [getattr(settings, name, "") for name in FILES]
    paths = [Path(name) / LAST if Path(name).is_dir() else Path(name) for name in names if name]
    if getattr(settings, "epochs", ""):
        pattern = Path(settings.epochs)
        paths += sorted(pattern.parent.glob(pattern.name))
    return {str(path): sha256(path) for path in paths if path.is_file()}

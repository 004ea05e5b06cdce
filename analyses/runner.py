"""Measure one analysis of one objective, once: a result that is on disk is not computed again."""

import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from analyses.analysis import Analysis
from analyses.run_context import RunContext
from analyses.watchers import PartialFile, Watchers
from landscape.checkpoints.identity import hash_checkpoints
from landscape.checkpoints.trained_models import is_function
from landscape.errors import LandscapeError
from landscape.models.catalog import ModelSpec
from landscape.objective.objective import Objective
from landscape.results.files import make_directory, put_aside, sweep_folder
from landscape.results.fingerprint import differences, fingerprint
from landscape.results.journal import remove_journals
from landscape.results.lock import locked
from landscape.results.result import Result, is_complete
from landscape.runtime.user_sources import hash_user_files

LOGGER = logging.getLogger(__name__)


def measure(
    analysis: Analysis[Any, Any],
    objective: Objective,
    settings: Any,
    context: RunContext,
    *,
    force: bool = False,
) -> Result | None:
    """The result of an analysis, with its .h5 and .json in the folder of ``context``.

    It is computed if the folder has none, or with ``force``. One that answers another question is
    kept under another name. Among several ranks the first one reads and writes; the others return
    None. No other process measures the same analysis in the folder meanwhile.

    Raises:
        InUseError: another process measures the same analysis in the folder, which has no result
            yet, or would be replaced by ``force``.
    """
    name, label = analysis.name, objective.label or "model"
    folder, ranks = context.folder, context.ranks
    assert folder is not None
    objective = objective.with_origin(
        files=_hash_files(analysis, settings, objective),
        code={**(objective.origin.get("code") or {}), **_hash_code(analysis, settings)},
    )
    result = None
    if ranks.is_first and not force:
        result, _ = _read_stored(analysis, objective, settings, folder)
    is_stored = ranks.broadcast(f"stored/{name}/{label}", result is not None)
    with ExitStack() as lock:
        try:
            lock.enter_context(locked(folder, name, ranks))
        except LandscapeError:
            # A result can be drawn while another process measures something else in its place,
            # and from a folder that can't be written to.
            if not is_stored:
                raise
            LOGGER.info(f"{label}: {name} is already measured")
            return result
        return _measure_alone(analysis, objective, settings, context, result, force=force)


def _measure_alone(
    analysis: Analysis[Any, Any],
    objective: Objective,
    settings: Any,
    context: RunContext,
    result: Result | None,
    *,
    force: bool,
) -> Result | None:
    """What :func:`measure` does under the lock, with the ``result`` that was there before."""
    name, label = analysis.name, objective.label or "model"
    folder, ranks = context.folder, context.ranks
    assert folder is not None
    journal = folder / f"{name}.journal"
    if ranks.is_first:
        sweep_folder(folder, re.compile(rf"{name}\.(h5|json|journal(\.\d+)?)").fullmatch)
        if result is None and not force:
            result = find_stored(analysis, objective, settings, folder)
        if force or result is not None:  # left by a run that was killed right after it had saved
            remove_journals(journal)
    if ranks.broadcast(f"found/{name}/{label}", result is not None):
        LOGGER.info(f"{label}: {name} is already measured")
    elif ranks.is_first or analysis.is_distributed:
        make_directory(folder)  # on every rank's machine
        note = getattr(settings, "cost_note", "")
        LOGGER.info(f"{label}: measuring {name}" + (f": {note}" if note else ""))
        watch = Watchers(PartialFile(folder / f"{name}.h5"), context.watch)
        result = analysis.compute(objective, settings, replace(context, watch=watch))
        if ranks.is_first:
            result.save(folder / f"{name}.h5")
            remove_journals(journal)
    if not ranks.is_first or result is None:
        return None
    result.write_json(folder / f"{name}.json")
    return result


def find_stored(
    analysis: Analysis[Any, Any], objective: Objective, settings: Any, folder: Path
) -> Result | None:
    """The result of an analysis in ``folder``, if it answers the same question.

    One that does not is renamed, with a message that says what has changed.
    """
    result, changed = _read_stored(analysis, objective, settings, folder)
    if not changed:
        return result
    stored = folder / f"{analysis.name}.h5"
    aside = put_aside(stored)
    beside = folder / f"{analysis.name}.json"
    if beside.exists():
        beside.rename(aside.with_suffix(".json"))
    LOGGER.info(f"{stored} was measured differently ({'; '.join(changed)}): kept as {aside.name}")
    return None


def _read_stored(
    analysis: Analysis[Any, Any], objective: Objective, settings: Any, folder: Path
) -> tuple[Result | None, list[str]]:
    """The result in ``folder``, if it is finished and answers the same question.

    Returns:
        The result or None, and in words how the question of a finished one differs.
    """
    stored = folder / f"{analysis.name}.h5"
    if not stored.exists() or not is_complete(stored):
        return None, []
    result: Result = analysis.result_type.load(stored)
    if analysis.answered_by is not None:
        settings = analysis.answered_by(settings, result.settings)
    before = fingerprint(result.settings, result.provenance)
    changed = differences(before, fingerprint(settings, objective.provenance(0.0)))
    return (None, changed) if changed else (result, [])


def _hash_files(
    analysis: Analysis[Any, Any], settings: Any, objective: Objective
) -> dict[str, str]:
    """The content of the files that the settings name, and of others that the analysis reads."""
    origin = objective.origin
    spec = ModelSpec(str(origin.get("model") or ""), dict(origin.get("model_args") or {}))
    trust = bool(origin.get("trusted"))
    hashes: dict[str, str] = {}
    for _, word in _words(analysis, settings):
        hashes |= hash_checkpoints(word, spec, trust=trust)
    for file in analysis.reads(objective, settings) if analysis.reads else ():
        hashes |= hash_checkpoints(str(file), spec, trust=trust)
    return hashes


def _hash_code(analysis: Analysis[Any, Any], settings: Any) -> dict[str, dict[str, str]]:
    """The content of the user's own files that make the models which the settings name."""
    return {
        f"{field} {word}": hash_user_files(word)
        for field, word in _words(analysis, settings)
        if is_function(Path(word))
    }


def _words(analysis: Analysis[Any, Any], settings: Any) -> Iterator[tuple[str, str]]:
    """The settings that name files, each with a word that it has."""
    for field in analysis.file_settings:
        value = getattr(settings, field, "")
        for word in (value,) if isinstance(value, str) else value:
            if word:
                yield field, word

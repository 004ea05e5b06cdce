"""What a command line asks for: of each checkpoint some analyses with their settings."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from analyses.analysis import Takes
from analyses.catalog import known_analyses
from analyses.command.checkpoints import (
    GivenCheckpoint,
    check_labels,
    checked_label,
    parse_checkpoints,
)
from analyses.command.failures import Failures
from analyses.command.reader import CheckpointReader, check_exists
from analyses.command.stored import analysis_of, is_result_file, label_of, read_result
from analyses.command.without_vectors import without_vectors
from analyses.replicates import SEPARATOR, group_of
from landscape.checkpoints.epochs import saved_epochs
from landscape.errors import InputError
from landscape.models.pretrained_folder import PREFIX
from landscape.objective.objective import Objective
from landscape.results.result import Result
from landscape.runtime.user_files import is_user_function


@dataclass(frozen=True)
class Request:
    """The analyses that are asked of one checkpoint, with their settings.

    ``stored`` is a result that is there already, in place of a checkpoint.
    """

    label: str
    given: GivenCheckpoint
    settings: Mapping[str, Any]
    stored: Result | None = None


def read_requests(
    arguments: argparse.Namespace,
    settings: Mapping[str, Any],
    reader: CheckpointReader,
    failures: Failures,
) -> list[Request]:
    """Every request of the command line, in its order.

    Each checkpoint of several is read once here, so that what is wrong with the last is said before
    the first is measured.

    Args:
        arguments: the parsed command line.
        settings: of every analysis that is asked for, by its name.
        reader: reads checkpoints and their data.
        failures: gets those that are there and can't be used, beside others that can.

    Raises:
        InputError: for words, labels and files that can't be used, where one of several is not
            there, or if none can be used.
    """
    given = parse_checkpoints(_words(arguments), label_of, analysis_of)
    are_files = [is_result_file(checkpoint.path) for checkpoint in given]
    files, checkpoints = (
        [
            checkpoint
            for checkpoint, is_file in zip(given, are_files, strict=True)
            if is_file == kind
        ]
        for kind in (True, False)
    )
    is_report = arguments.analysis == "report"
    check_labels(checkpoints if is_report else given)
    wanted = "" if is_report else arguments.analysis
    stored = [Request(file.label, file, {}, _read(file, wanted)) for file in files]
    _check_once(stored)
    failures.keeps = failures.keeps and len(given) * len(settings) > 1
    takes = {known_analyses()[name].takes for name in settings}
    if takes != {Takes.RUN}:
        for checkpoint in checkpoints:
            reader.check_names(checkpoint)
    if takes == {Takes.RUN}:
        measured = _run_requests(checkpoints, settings, failures)
    elif takes == {Takes.PAIR}:
        measured = _pair_requests(checkpoints, settings, reader, failures)
    else:
        single = {
            name: chosen
            for name, chosen in settings.items()
            if known_analyses()[name].takes is not Takes.PAIR
        }
        requests = [Request(checkpoint.label, checkpoint, single) for checkpoint in checkpoints]
        measured = _with_references(requests, reader, failures)
    if not (stored or measured):
        failures.raise_any(is_all=True)
    place = {checkpoint: number for number, checkpoint in enumerate(given)}
    return sorted([*stored, *measured], key=lambda request: place[request.given])


def _read(file: GivenCheckpoint, wanted: str) -> Result:
    """The result in a file, as pictures need it; one of a run is written again, with all of it."""
    result = read_result(file, wanted)
    is_written = wanted and known_analyses()[result.analysis].takes is Takes.RUN
    return result if is_written else without_vectors(result)


def _words(arguments: argparse.Namespace) -> Sequence[str]:
    """The CHECKPOINT words; without any, a model that comes with its weights.

    Or the last of the saved epochs, where these were named.
    """
    words: Sequence[str] = arguments.checkpoints
    if words:
        return words
    if getattr(arguments, "epochs", ()):
        return [str(saved_epochs(None, arguments.epochs, quiet=True).members[-1].path)]
    model = arguments.model or ""
    if model.startswith(PREFIX) or is_user_function(model):
        return [model.removeprefix(PREFIX)]
    named = f"--model {model} has no weights of its own; " if model else ""
    raise InputError(
        f"{named}name a CHECKPOINT: a run directory, a checkpoint file with --model, a folder of "
        "Hugging Face, or FILE.py:FUNCTION that returns a trained model"
    )


def split_of(name: str, settings: Mapping[str, Any], reader: CheckpointReader) -> str:
    """The split that an analysis is measured on: the one asked for, or the one it is about."""
    is_chosen = len(settings) == 1 and reader.is_split_given
    split = known_analyses()[name].split
    return split if split and not is_chosen else reader.split


def make_objective(request: Request, name: str, reader: CheckpointReader) -> Objective:
    """The objective of one analysis of a request, labelled as the request is."""
    objective = reader.objective(request.given, split_of(name, request.settings, reader))
    return objective.with_origin(label=request.label)


def _run_requests(
    checkpoints: Sequence[GivenCheckpoint], settings: Mapping[str, Any], failures: Failures
) -> list[Request]:
    """Requests for an analysis that takes a run directory: they are answered at once."""
    ((name, chosen),) = settings.items()
    requests = []
    for given in checkpoints:
        check_exists(given)
        with failures.kept(given.label, [name]):
            result = known_analyses()[name].compute_run(given.path, given.label, chosen)
            requests.append(Request(given.label, given, settings, result))
    return requests


def _pair_requests(
    checkpoints: Sequence[GivenCheckpoint],
    settings: Mapping[str, Any],
    reader: CheckpointReader,
    failures: Failures,
) -> list[Request]:
    """The first checkpoint with each of the others."""
    if not checkpoints:
        return []
    names = " and ".join(settings)
    if len(checkpoints) < 2:
        raise InputError(f"{names} takes two or more checkpoints: the first with each other one")
    first, *second_checkpoints = checkpoints
    reader.check_words(checkpoints)
    requests = []
    for second in second_checkpoints:
        label = checked_label(f"{first.label}-to-{second.label}".replace(SEPARATOR, "-"))
        toward = {name: _toward(name, chosen, second.path) for name, chosen in settings.items()}
        with failures.kept(label, list(settings)):
            reader.check(second)
            reader.release(second)
            requests.append(Request(label, first, toward))
    return requests


def _toward(name: str, settings: Any, path: Path) -> Any:
    """The settings of an analysis of pairs with ``path`` as the second checkpoint."""
    return replace(settings, **{known_analyses()[name].second_checkpoint: str(path)})


def _with_references(
    requests: Sequence[Request], reader: CheckpointReader, failures: Failures
) -> list[Request]:
    """The same requests; those that compare take the first checkpoint of the same architecture.

    Requests of checkpoints that can't be read are left out, and among the failures.
    """
    reader.check_words([request.given for request in requests])
    if len(requests) < 2:
        return list(requests)
    first_paths: dict[str, Path] = {}
    architectures: dict[str, str] = {}
    completed = []
    for request in requests:
        split = split_of(next(iter(request.settings)), request.settings, reader)
        architecture = ""
        with failures.kept(request.label, list(request.settings)):
            architecture = reader.check(request.given, split)
        if not architecture:
            continue
        if architectures.setdefault(group_of(request.label), architecture) != architecture:
            raise InputError(
                f"{request.given.path} is of another architecture than the other replicates of "
                f"{group_of(request.label)!r}; give it another label as LABEL=CHECKPOINT"
            )
        path = request.given.path
        first = first_paths.setdefault(architecture, path)
        settings = {
            name: _with_reference(name, chosen, first) if first != path else chosen
            for name, chosen in request.settings.items()
        }
        completed.append(replace(request, settings=settings))
    return completed


def _with_reference(name: str, settings: Any, path: Path) -> Any:
    field = known_analyses()[name].reference
    if not field or getattr(settings, field):
        return settings
    return replace(settings, **{field: str(path)})


def _check_once(requests: Sequence[Request]) -> None:
    """Raise InputError if two stored results are of one analysis under one label."""
    seen = set()
    for request in requests:
        assert request.stored is not None
        key = request.label, request.stored.analysis
        if key in seen:
            raise InputError(
                f"two results of {key[1]} are labelled {key[0]!r}; tell them apart as LABEL=FILE"
            )
        seen.add(key)

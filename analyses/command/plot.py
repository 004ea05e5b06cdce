"""``landscape-plot``, read from top to bottom: what is asked, the measurements, the pictures."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from analyses.analysis import Analysis, Takes
from analyses.catalog import known_analyses
from analyses.command.failures import Failures
from analyses.command.outputs import refuse_files_of_others
from analyses.command.pages import draw_pages
from analyses.command.preview import PAGE, Preview
from analyses.command.reader import CheckpointReader
from analyses.command.repetition import plot_command
from analyses.command.requests import Request, make_objective, read_requests, split_of
from analyses.command.settings import MeasurementSettings
from analyses.command.without_vectors import without_vectors
from analyses.drawing.options import PageOptions, PlotOptions
from analyses.drawing.style import user_style
from analyses.drawing.user_style import read_page_style
from analyses.replicates import replicate_labels
from analyses.report.page import write_rows
from analyses.report.paper.summary import summarise
from analyses.run_context import RunContext
from analyses.runner import measure
from analyses.watchers import Watchers
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from landscape.results.files import make_directory, sweep, unused_directories_removed
from landscape.results.lock import locked
from landscape.results.result import Result
from landscape.runtime.console import show
from landscape.runtime.distributed import Ranks, join_ranks
from landscape.runtime.options import given_options, read_options
from landscape.runtime.progress import show_messages


@dataclass
class Measured:
    """What a command has measured: results by analysis, and why others could not be had."""

    results: dict[str, list[Result]]
    failures: Failures

    def relabelled(self, labels: Mapping[str, str]) -> "Measured":
        """The same under new ``labels``, by the old ones; those that are not there stay."""
        results = {
            name: [replace(entry, label=labels.get(entry.label, entry.label)) for entry in members]
            for name, members in self.results.items()
        }
        return Measured(results, self.failures.relabelled(labels))


def plot(arguments: argparse.Namespace) -> None:
    """Do what a command line asks for."""
    with user_style(read_page_style(read_options(arguments, PageOptions))):
        _plot(arguments)


def _plot(arguments: argparse.Namespace) -> None:
    ranks = join_ranks()
    if not ranks.is_first:
        show_messages(quiet=True)
    is_report = arguments.analysis == "report"
    names = list(arguments.only) if is_report else [arguments.analysis]
    settings = {name: _settings(name, arguments) for name in names}
    _check_precision(arguments, names)
    options = read_options(arguments, PlotOptions)
    reader = CheckpointReader(arguments)
    # Where several processes work together, one can't leave the others alone with the work.
    failures = Failures(debug=arguments.debug, keeps=ranks.world_size == 1)
    requests = read_requests(arguments, settings, reader, failures)
    refuse_files_of_others(arguments, names, requests)
    measured = Measured({name: [] for name in names}, failures)
    with unused_directories_removed(arguments.output_dir):
        make_directory(arguments.output_dir)
        for request in requests:
            if request.stored is None:
                _measure(request, arguments, measured, reader, ranks, options)
                reader.release(request.given)
            else:
                _take_stored(request, request.stored, arguments, measured, ranks)
        if not ranks.is_first:
            return
        if not any(measured.results.values()):
            failures.raise_any(is_all=True)
            raise InputError("nothing could be measured; the messages above say why")
        measured = measured.relabelled(replicate_labels(measured.results))
        _show(measured, arguments, options)
        measured.failures.raise_any()


def _settings(name: str, arguments: argparse.Namespace) -> Any:
    """The settings of an analysis from the flags, or in a report its defaults if it wants them."""
    analysis = known_analyses()[name]
    if arguments.analysis == "report" and analysis.has_defaults_in_report:
        return analysis.settings(seed=read_options(arguments, MeasurementSettings).seed)
    settings = read_options(arguments, analysis.settings)
    if arguments.analysis == "report" and analysis.on_screen is not None:
        return analysis.on_screen(settings, given_options(arguments, analysis.settings))
    return settings


def _check_precision(arguments: argparse.Namespace, names: Sequence[str]) -> None:
    precision = getattr(arguments, "precision", "fp32")
    precisions = {name: analysis.precisions for name, analysis in known_analyses().items()}
    for name in names:
        if precision not in precisions[name]:
            able = [other for other, accepted in precisions.items() if precision in accepted]
            raise InputError(
                f"--precision {precision} is for {', '.join(able)}; {name} takes "
                f"{' or '.join(precisions[name])}"
            )


def _measure(
    request: Request,
    arguments: argparse.Namespace,
    measured: Measured,
    reader: CheckpointReader,
    ranks: Ranks,
    options: PlotOptions,
) -> None:
    """Add the results of one request, and reasons for those that can't be had."""
    folder: Path = arguments.output_dir
    objectives: dict[str, Objective | None] = {}
    known: dict[str, Result] = {}
    splits = {name: split_of(name, request.settings, reader) for name in request.settings}
    for name, settings in request.settings.items():
        analysis = known_analyses()[name]
        is_expected = partial(_is_expected, analysis, arguments)
        split = splits[name]
        if split not in objectives:
            objectives[split] = None
            alike = [other for other in splits if splits[other] == split]
            with measured.failures.kept(request.label, alike, is_expected):
                objectives[split] = make_objective(request, name, reader)
        objective = objectives[split]
        if objective is None:
            continue
        preview = Preview(partial(analysis.draw, options=options), folder, measured.results[name])
        watch = Watchers(preview) if arguments.preview else None
        with measured.failures.kept(request.label, [name], is_expected):
            context = RunContext(
                folder / request.label,
                ranks,
                watch,
                {key: known[key] for key in analysis.adapts if key in known},
            )
            result = measure(analysis, objective, settings, context, force=arguments.force)
            if result is not None:
                known[name] = result
                measured.results[name].append(without_vectors(result))
                _show_files(result, folder / request.label, arguments.format)


def _is_expected(
    analysis: Analysis[Any, Any], arguments: argparse.Namespace, error: Exception
) -> bool:
    """Whether a report goes without an analysis that does not apply to a network or its data."""
    does_not_apply = isinstance(error, NotMeasurableError) or (
        isinstance(error, InputError) and bool(analysis.split)
    )
    return bool(arguments.analysis == "report" and does_not_apply)


def _take_stored(
    request: Request,
    result: Result,
    arguments: argparse.Namespace,
    measured: Measured,
    ranks: Ranks,
) -> None:
    """Add a result that is there; one that was read from a run gets its files."""
    measured.results.setdefault(result.analysis, []).append(without_vectors(result))
    is_of_run = known_analyses()[result.analysis].takes is Takes.RUN
    if is_of_run and ranks.is_first and arguments.analysis != "report":
        folder = arguments.output_dir / request.label
        with locked(folder, result.analysis):
            for suffix in ("h5", "json"):
                sweep(folder / f"{result.analysis}.{suffix}")
            result.save(folder / f"{result.analysis}.h5")
            result.write_json(folder / f"{result.analysis}.json")
        _show_files(result, folder, arguments.format)


def _show_files(result: Result, folder: Path, formats: Sequence[str]) -> None:
    """Print the paths of a result's files, beside which its numbers are written as CSV."""
    for kind in ("h5", "json"):
        show(folder / f"{result.analysis}.{kind}")
    if "csv" in formats:
        path = folder / f"{result.analysis}.csv"
        show(write_rows({result.analysis: [result]}, path))
        sweep(path)


def _show(measured: Measured, arguments: argparse.Namespace, options: PlotOptions) -> None:
    """Draw the results and write the pages that were asked for."""
    results, summary = measured.results, None
    if arguments.analysis == "report":
        ordered = {name: results[name] for name in known_analyses() if name in results}
        sections = [name for name, members in ordered.items() if members]
        summary = summarise(ordered, measured.failures.reasons, partial(plot_command, arguments))
        results = {
            name: [
                result.beside([other for other in sections if other != name]) for result in members
            ]
            for name, members in ordered.items()
        }
    if not arguments.format:
        return
    # One process after the other, so that pages and pictures are of the same results.
    with locked(arguments.output_dir, PAGE, waits=True):
        for path in draw_pages(results, arguments, options, summary, measured.failures):
            sweep(path)
            show(path)

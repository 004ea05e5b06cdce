"""``landscape-plot``, read from top to bottom: what is asked, the measurements, the pictures."""

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from analyses.analysis import Takes
from analyses.catalog import known_analyses
from analyses.command.outputs import refuse_files_of_others
from analyses.command.preview import Preview
from analyses.command.reader import CheckpointReader
from analyses.command.repetition import plot_command
from analyses.command.requests import Request, make_objective, read_requests, split_of
from analyses.command.settings import MeasurementSettings
from analyses.drawing.options import PlotOptions
from analyses.drawing.pictures import Picture, save_pictures
from analyses.drawing.style import styled
from analyses.formats.export import export
from analyses.replicates import replicate_labels
from analyses.report.page import write_markdown, write_numbers, write_page, write_rows
from analyses.report.paper.summary import Summary, summarise
from analyses.run_context import RunContext
from analyses.runner import measure
from analyses.watchers import Watchers
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from landscape.results.files import make_directory, unused_directories_removed
from landscape.results.result import Result
from landscape.runtime.console import show
from landscape.runtime.distributed import Ranks, join_ranks
from landscape.runtime.options import read_options
from landscape.runtime.progress import show_messages

LOGGER = logging.getLogger(__name__)


@dataclass
class Measured:
    """What a command has measured: results by analysis, and why others could not be had.

    ``reasons`` are by label and analysis.
    """

    results: dict[str, list[Result]]
    reasons: dict[tuple[str, str], str] = field(default_factory=dict)

    def relabelled(self, labels: Mapping[str, str]) -> "Measured":
        """The same under new ``labels``, by the old ones; those that are not there stay."""
        return Measured(
            {
                name: [
                    replace(entry, label=labels.get(entry.label, entry.label)) for entry in members
                ]
                for name, members in self.results.items()
            },
            {
                (labels.get(label, label), analysis): reason
                for (label, analysis), reason in self.reasons.items()
            },
        )


def plot(arguments: argparse.Namespace) -> None:
    """Do what a command line asks for."""
    ranks = join_ranks()
    if not ranks.is_first:
        show_messages(quiet=True)
    is_report = arguments.analysis == "report"
    names = list(arguments.only) if is_report else [arguments.analysis]
    settings = {name: _settings(name, arguments) for name in names}
    _check_precision(arguments, names)
    options = read_options(arguments, PlotOptions)
    reader = CheckpointReader(arguments)
    requests = read_requests(arguments, settings, reader)
    refuse_files_of_others(arguments, names, requests)
    measured = Measured({name: [] for name in names})
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
            raise InputError("nothing could be measured; the messages above say why")
        _show(measured, arguments, options)


def _settings(name: str, arguments: argparse.Namespace) -> Any:
    """The settings of an analysis from the flags, or in a report its defaults if it wants them."""
    analysis = known_analyses()[name]
    if arguments.analysis == "report" and analysis.has_defaults_in_report:
        return analysis.settings(seed=read_options(arguments, MeasurementSettings).seed)
    return read_options(arguments, analysis.settings)


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
    """Add the results of one request; a report keeps reasons for those that can't be had."""
    folder: Path = arguments.output_dir
    objectives: dict[str, Objective] = {}
    known: dict[str, Result] = {}
    for name, settings in request.settings.items():
        analysis = known_analyses()[name]
        preview = Preview(partial(analysis.draw, options=options), folder, measured.results[name])
        watch = Watchers(preview) if arguments.preview else None
        try:
            split = split_of(name, request.settings, reader)
            if split not in objectives:
                objectives[split] = make_objective(request, name, reader)
            context = RunContext(
                make_directory(folder / request.label),
                ranks,
                watch,
                {key: known[key] for key in analysis.adapts if key in known},
            )
            result = measure(analysis, objectives[split], settings, context, force=arguments.force)
        except InputError as error:
            is_expected = isinstance(error, NotMeasurableError) or bool(analysis.split)
            if arguments.analysis != "report" or not is_expected:
                raise
            measured.reasons[request.label, name] = str(error)
            LOGGER.info(f"{request.label}: no {name}: {error}")
            continue
        if result is not None:
            known[name] = result
            measured.results[name].append(result)
            _show_files(result, folder / request.label)


def _take_stored(
    request: Request,
    result: Result,
    arguments: argparse.Namespace,
    measured: Measured,
    ranks: Ranks,
) -> None:
    """Add a result that is there; one that was read from a run gets its files."""
    measured.results.setdefault(result.analysis, []).append(result)
    is_of_run = known_analyses()[result.analysis].takes is Takes.RUN
    if is_of_run and ranks.is_first and arguments.analysis != "report":
        folder = make_directory(arguments.output_dir / request.label)
        result.save(folder / f"{result.analysis}.h5")
        result.write_json(folder / f"{result.analysis}.json")
        _show_files(result, folder)


def _show_files(result: Result, folder: Path) -> None:
    show(folder / f"{result.analysis}.h5")
    show(folder / f"{result.analysis}.json")


def _show(measured: Measured, arguments: argparse.Namespace, options: PlotOptions) -> None:
    """Draw the results and write the pages that were asked for."""
    measured = measured.relabelled(replicate_labels(measured.results))
    results, summary = measured.results, None
    if arguments.analysis == "report":
        ordered = {name: results[name] for name in known_analyses() if name in results}
        sections = [name for name, members in ordered.items() if members]
        summary = summarise(ordered, measured.reasons, partial(plot_command, arguments))
        results = {
            name: [
                result.beside([other for other in sections if other != name]) for result in members
            ]
            for name, members in ordered.items()
        }
    if arguments.format:
        _draw(results, arguments, options, summary)


def _draw(
    results: dict[str, list[Result]],
    arguments: argparse.Namespace,
    options: PlotOptions,
    summary: Summary | None,
) -> None:
    name, folder, formats = arguments.analysis, arguments.output_dir, set(arguments.format)
    with styled():
        pictures = {
            key: {
                stem: Picture(figure)
                for stem, figure in known_analyses()[key].draw(members, options).items()
            }
            for key, members in results.items()
            if members
        }
        for drawn in pictures.values():
            for path in save_pictures(drawn, folder, arguments.format):
                show(path)
        if "html" in formats or name == "report":
            show(write_page(results, pictures, folder / f"{name}.html", summary, options))
        if {"html", "md"} & formats or name == "report":
            show(write_numbers(results, folder / f"{name}.json", summary))
            show(write_rows(results, folder / f"{name}.csv", summary))
        if "md" in formats:
            show(write_markdown(results, pictures, folder / f"{name}.md", summary))
    for members in results.values():
        for path in export(members, folder, arguments.format, options):
            show(path)

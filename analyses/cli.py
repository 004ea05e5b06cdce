"""The command ``landscape-plot``: measure checkpoints and draw them side by side."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from analyses.arguments import build_parser
from analyses.curves import Curves
from analyses.export import export
from analyses.measure import SLICES, measure
from analyses.paper.missing import plot_command
from analyses.paper.summary import Summary, summarise
from analyses.preview import Preview, Watchers
from analyses.questions import Question, read_questions
from analyses.report import without_repetition, write_markdown, write_numbers, write_page
from analyses.style import Look, save_figures, styled
from analyses.subjects import SubjectSettings
from analyses.table import ANALYSES, HELD_OUT
from landscape.console import run_command, show
from landscape.distributed import Ranks, join_ranks
from landscape.errors import InputError, NotMeasurableError
from landscape.files import make_directory
from landscape.objective import Objective
from landscape.options import read_options
from landscape.progress import be_quiet, message
from landscape.results import Result
from landscape.work import Work


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return run_command(
        _plot_command,
        build_parser(),
        argv,
        when_interrupted="what is finished is kept; the same command goes on from there",
    )


def _plot_command(arguments: argparse.Namespace) -> None:
    ranks = join_ranks()
    if not ranks.is_first:
        be_quiet(True)
    is_report = arguments.analysis == "report"
    names = list(arguments.only) if is_report else [arguments.analysis]
    settings = {name: read_options(arguments, ANALYSES[name].Settings) for name in names}
    if is_report and "trajectory" in names:  # the flags lay a plane of random directions
        settings["trajectory"] = ANALYSES["trajectory"].Settings(
            seed=read_options(arguments, SubjectSettings).seed
        )
    _check_precision(arguments, names)
    look = read_options(arguments, Look)
    folder = make_directory(arguments.output_dir)
    questions = read_questions(arguments, settings)
    results: dict[str, list[Result]] = {name: [] for name in names}
    reasons: dict[tuple[str, str], str] = {}
    for question in questions:
        if question.maker is not None:
            _measure(question, arguments, results, reasons, ranks, look)
            continue
        assert question.stored is not None
        if isinstance(question.stored, Curves) and ranks.is_first and not is_report:
            _write(question.stored, make_directory(folder / question.label))
        results.setdefault(question.stored.analysis, []).append(question.stored)
    if not ranks.is_first:
        return
    if not any(results.values()):
        raise InputError("nothing could be measured; the messages above say why")
    summary = None
    if is_report:
        ordered = {name: results[name] for name in ANALYSES if name in results}
        results = without_repetition(ordered)
        summary = summarise(ordered, reasons, partial(plot_command, arguments))
    _draw(results, arguments, folder, look, summary)


def _measure(
    question: Question,
    arguments: argparse.Namespace,
    results: dict[str, list[Result]],
    reasons: dict[tuple[str, str], str],
    ranks: Ranks,
    look: Look,
) -> None:
    """Add what is asked of one checkpoint to ``results``; a report keeps reasons for the rest."""
    folder = arguments.output_dir
    objectives: dict[str, Objective] = {}
    known: dict[str, Result] = {}
    for name, asked in question.settings.items():
        preview = Preview(partial(ANALYSES[name].draw, look=look), folder, results[name])
        watch = Watchers(preview) if arguments.preview else None
        try:
            split = question.split(name)
            if split not in objectives:
                objectives[split] = question.objective(name, verify=True)
            work = Work(make_directory(folder / question.label), ranks, watch, known)
            result = measure(name, objectives[split], asked, work, force=arguments.force)
        except InputError as error:
            is_expected = isinstance(error, NotMeasurableError) or name in HELD_OUT
            if arguments.analysis != "report" or not is_expected:
                raise
            reasons[question.label, name] = str(error)
            message(f"{question.label}: no {name}: {error}")
            continue
        if result is not None:
            known[name] = result
            results[name].append(result)
            _show_files(name, folder / question.label)


def _write(result: Result, folder: Path) -> None:
    result.save(folder / f"{result.analysis}.h5")
    result.write_json(folder / f"{result.analysis}.json")
    _show_files(result.analysis, folder)


def _show_files(name: str, folder: Path) -> None:
    show(folder / f"{name}.h5")
    show(folder / f"{name}.json")


def _check_precision(arguments: argparse.Namespace, names: Sequence[str]) -> None:
    precision = getattr(arguments, "precision", "fp32")
    others = [name for name in names if name not in SLICES]
    if precision in ("tf32", "bf16", "auto") and others:
        raise InputError(
            f"--precision {precision} is for {', '.join(SLICES)}; {others[0]} takes fp32 or fp64"
        )


def _draw(
    results: dict[str, list[Result]],
    arguments: argparse.Namespace,
    folder: Path,
    look: Look,
    summary: Summary | None,
) -> None:
    name = arguments.analysis
    if not arguments.format:
        return
    with styled():
        figures = {
            name: ANALYSES[name].draw(found, look) for name, found in results.items() if found
        }
        for drawn in figures.values():
            for path in save_figures(drawn, folder, arguments.format):
                show(path)
        if "html" in arguments.format or name == "report":
            show(write_page(results, figures, folder / f"{name}.html", summary))
        if {"html", "md"} & set(arguments.format) or name == "report":
            show(write_numbers(results, folder / f"{name}.json", summary))
        if "md" in arguments.format:
            show(write_markdown(results, figures, folder / f"{name}.md", summary))
    for found in results.values():
        for path in export(found, folder, arguments.format, look):
            show(path)

"""Pictures and pages of what a command has measured."""

import argparse
import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from analyses.catalog import known_analyses
from analyses.command.failures import Failures
from analyses.drawing.options import PlotOptions
from analyses.drawing.pictures import Picture, save_pictures
from analyses.drawing.style import styled
from analyses.formats.export import export
from analyses.report.page import Tables, write_markdown, write_numbers, write_page, write_rows
from analyses.report.paper.summary import Summary
from landscape.results.result import Result


@dataclass
class Section:
    """The pictures and tables of an analysis; empty where they could not be made."""

    pictures: dict[str, Picture] = field(default_factory=dict)
    tables: Tables = field(default_factory=dict)
    paths: list[Path] = field(default_factory=list)


def draw_pages(
    results: Mapping[str, Sequence[Result]],
    arguments: argparse.Namespace,
    options: PlotOptions,
    summary: Summary | None,
    failures: Failures,
) -> Iterator[Path]:
    """Write pictures and pages.

    Args:
        results: by analysis.
        arguments: the command line.
        options: the scale and range of losses.
        summary: what a report says of the paper's numbers.
        failures: where errors in the pictures and tables of one analysis are kept, so that the
            others are shown.

    Yields:
        The paths of the files.
    """
    name, folder, formats = arguments.analysis, arguments.output_dir, set(arguments.format)
    has_page = "html" in formats or name == "report"
    with styled(), _left_out_of_garbage_collection():
        sections = {}
        for key, members in results.items():
            if members:
                sections[key] = _section(key, members, arguments, options, failures, has_page)
                yield from sections[key].paths
                gc.collect()  # a figure and its axes refer to each other
        pictures = {key: section.pictures for key, section in sections.items()}
        tables = {key: section.tables for key, section in sections.items()}
        failed = failures.shared_reasons()
        if has_page:
            path = folder / f"{name}.html"
            yield write_page(results, pictures, path, summary, options, failed, tables)
        if {"html", "md", "csv"} & formats or name == "report":
            yield write_numbers(results, folder / f"{name}.json", summary, failed)
            yield write_rows(results, folder / f"{name}.csv", summary)
        if "md" in formats:
            path = folder / f"{name}.md"
            yield write_markdown(results, pictures, path, summary, failed, tables)
    for members in results.values():
        yield from export(members, folder, arguments.format, options)


def _section(
    name: str,
    results: Sequence[Result],
    arguments: argparse.Namespace,
    options: PlotOptions,
    failures: Failures,
    has_page: bool,
) -> Section:
    """Draw and tabulate the results of one analysis; figures are released once they are files."""
    analysis = known_analyses()[name]
    labels = [result.label for result in results]
    section = Section()
    with failures.kept_of_all(labels, name):
        section.tables = analysis.tabulate(results)
    with failures.kept_of_all(labels, name):
        pictures = {
            stem: Picture(figure) for stem, figure in analysis.draw(results, options).items()
        }
        section.paths = save_pictures(pictures, arguments.output_dir, arguments.format)
        for picture in pictures.values():
            if has_page:
                picture.render("png")
            picture.release()
        section.pictures = pictures
    return section


@contextmanager
def _left_out_of_garbage_collection() -> Iterator[None]:
    """Let the collector pass over what exists by now, which may be thousands of results.

    Not where the process has frozen objects itself: ``gc.unfreeze`` would release those, too.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()

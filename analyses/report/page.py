"""One page a person can read: every table and picture of a set of results.

As HTML in one file that needs no other and no network, as Markdown beside the pictures, and the
numbers as JSON.
"""

from __future__ import annotations

import base64
import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from analyses.catalog import known_analyses
from analyses.drawing.crowds import is_crowd, some_of
from analyses.drawing.numbers import number
from analyses.drawing.options import PlotOptions
from analyses.drawing.pictures import Picture
from analyses.formats.pages import POLICY, render, write_text
from analyses.generated import CSV_COLUMNS
from analyses.headline_numbers import headline_entries
from analyses.replicates import by_group, group_of, seed_of
from analyses.report.failed import SharedReason
from analyses.report.paper.figures import SURFACES, numbered_figures, surface_scenes_of
from analyses.report.paper.summary import Summary
from analyses.report.paper.surface_tiles import SurfaceTiles, surface_tiles
from landscape.results.files import replacing
from landscape.results.provenance import now, versions
from landscape.results.result import Result, plain

# By analysis: the results, and the pictures by their file names.
Results = Mapping[str, Sequence[Result]]
Pictures = Mapping[str, Mapping[str, Picture]]
# Of one analysis, by caption.
Tables = dict[str, list[dict[str, str]]]


def write_page(
    results: Results,
    pictures: Pictures,
    path: Path,
    summary: Summary | None = None,
    options: PlotOptions | None = None,
    failed: Sequence[SharedReason] = (),
    tables: Mapping[str, Tables] | None = None,
) -> Path:
    """Write the HTML page.

    With a ``summary`` the surfaces, a few numbers and the verdict on each of the paper's claims
    come first, then its tables and figures, with surfaces that can be turned.
    The ``options`` are the scale of these surfaces. What ``failed`` is listed. The ``tables`` by
    analysis are made here unless they are given. An analysis without pictures is not among those
    that the page begins with.
    """
    shown: dict[str, Any] = {}
    if summary is not None:
        drawn = {name: members for name, members in results.items() if pictures.get(name)}
        tiles = surface_tiles(drawn, options)
        shown["tiles"] = _encoded_tiles(tiles) if tiles else None
        shown["scenes"] = surface_scenes_of(drawn, options)
    return _write(
        "report.html.j2", results, pictures, path, summary, tables, failed=failed, **shown
    )


def write_markdown(
    results: Results,
    pictures: Pictures,
    path: Path,
    summary: Summary | None = None,
    failed: Sequence[SharedReason] = (),
    tables: Mapping[str, Tables] | None = None,
) -> Path:
    """Write the same as Markdown; it shows the PNG files of the pictures that lie beside it."""
    return _write("report.md.j2", results, pictures, path, summary, tables, failed=failed)


def write_numbers(
    results: Results,
    path: Path,
    summary: Summary | None = None,
    failed: Sequence[SharedReason] = (),
) -> Path:
    """Write the headline numbers of all results as JSON: by analysis, then by label.

    What the paper would make of them is under ``paper``, and what failed, if anything, under
    ``failed``.
    """
    content: dict[str, Any] = {
        name: {
            result.label: {**result.headline(), "num_samples": result.provenance.num_samples}
            for result in measured
        }
        for name, measured in results.items()
        if measured
    }
    if summary is not None:
        content["paper"] = summary.plain()
    if failed:
        content["failed"] = [asdict(entry) for entry in failed]
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(plain(content), indent=2, allow_nan=False) + "\n")
    return path


def write_rows(results: Results, path: Path, summary: Summary | None = None) -> Path:
    """Write the headline numbers of all results as CSV, a row for each number and run.

    They have the names of :mod:`analyses.headline_numbers`, such as ``eigenvalues[0]`` and
    ``lambda_max.eigenvalue``. The numbers of the paper's tables follow under the analysis they are
    from.
    """
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as lines,
    ):
        writer = csv.writer(lines)
        writer.writerow(CSV_COLUMNS)
        for name, measured in results.items():
            for result in measured:
                place = (name, group_of(result.label), result.label, seed_of(result))
                for entry in headline_entries(result):
                    if entry.number is not None:
                        has_error = entry.error is not None and not math.isnan(entry.error)
                        error = entry.error if has_error else ""
                        writer.writerow((*place, entry.name, entry.value, error, entry.unit))
        for title, run, measurement in summary.numbers() if summary else ():
            place = (measurement.source, group_of(run.label), run.label, run.seed)
            writer.writerow((*place, title, measurement.value, measurement.error, ""))
    return path


def _write(
    template: str,
    results: Results,
    pictures: Pictures,
    path: Path,
    summary: Summary | None,
    tables: Mapping[str, Tables] | None,
    **shown: Any,
) -> Path:
    is_page = template.endswith(".html.j2")
    sections = [
        _section(name, measured, pictures[name], tables[name] if tables else None, is_page)
        for name, measured in results.items()
        if measured
    ]
    # A checkpoint may lack some results; every one has a row.
    networks = {result.label: result for measured in results.values() for result in measured}
    text = render(
        template,
        title=sections[0]["title"] if len(sections) == 1 else "Loss-landscape report",
        sections=sections,
        subjects=[_subject(result) for result in networks.values()],
        created=now(),
        versions=versions(),
        paper=summary,
        numbered=numbered_figures(sections) if summary else {},
        surfaces=SURFACES,
        policy=POLICY,
        some_of=some_of,
        **shown,
    )
    return write_text(text, path)


def _section(
    name: str,
    results: Sequence[Result],
    pictures: Mapping[str, Picture],
    tables: Tables | None,
    is_page: bool,
) -> dict[str, Any]:
    """What the templates need of one analysis."""
    analysis = known_analyses()[name]
    labels = some_of([result.label for result in results])
    return {
        "name": name,
        "title": analysis.title,
        "is_crowd": is_crowd(len(by_group(results))),
        "reading": analysis.reading.get("", ""),
        "tables": analysis.tabulate(results) if tables is None else tables,
        "pictures": {
            key: {
                "name": key,
                "alt": f"{key}: {analysis.title} of {labels}",
                "reading": analysis.reading.get(key, ""),
                "note": picture.note,
                "data": _encoded(picture) if is_page else "",
            }
            for key, picture in pictures.items()
        },
    }


def _subject(result: Result) -> dict[str, str]:
    """A checkpoint's row in the table of what was measured."""
    made = result.provenance
    origin = made.origin
    return {
        "checkpoint": result.label,
        "model": str(origin.get("model", "")),
        "parameters": f"{made.num_parameters:,}",
        "trained": _training(origin.get("training")),
        "validation accuracy, %": (
            number(origin["validation_accuracy"]) if "validation_accuracy" in origin else "–"
        ),
        "data": f"{origin.get('data', '')}, {origin.get('split', '')} split",
        "samples": f"{made.num_samples:,} of {origin.get('samples_available', made.num_samples):,}",
        "precision": made.precision,
        "device": made.device,
        "weights": f"{origin.get('checkpoint_sha256', made.weights_sha256)[:12]}…",
    }


def _training(settings: Mapping[str, Any] | None) -> str:
    if not settings or not settings.get("opt"):
        return "elsewhere"
    words = [settings["opt"], f"SAM ρ = {settings['rho']:g}" if settings.get("rho") else "no SAM"]
    if settings.get("epochs"):  # a Tracker does not know how many there will be
        words.append(f"{settings['epochs']} epochs")
    return ", ".join(words)


def _encoded_tiles(tiles: SurfaceTiles) -> dict[str, Any]:
    """What the template needs of the surfaces that the page begins with."""
    return {
        "columns": tiles.columns,
        "is_paired": tiles.is_paired,
        "left_out": tiles.left_out,
        "bar": _encoded(tiles.bar),
        "members": [{"label": t.label, "data": _encoded(t.picture)} for t in tiles.tiles],
    }


def _encoded(picture: Picture) -> str:
    return base64.b64encode(picture.render("png")).decode("ascii")

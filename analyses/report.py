"""One page a person can read: every table and picture of a set of results.

As HTML in one file that needs no other and no network, as Markdown beside the pictures, and the
numbers as JSON.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyses.component_curvature import NO_COMPONENTS
from analyses.export import surface_scenes
from analyses.hessian_result import Spectrum
from analyses.interactive import Scenes, has_plotly
from analyses.lettering import fit_names
from analyses.pages import POLICY, render
from analyses.paper.missing import FIGURES
from analyses.paper.summary import Summary
from analyses.style import number
from analyses.surface import Surface
from analyses.table import ANALYSES
from landscape.files import replacing
from landscape.provenance import now, versions
from landscape.results import Result, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Figures = Mapping[str, "Figure"]
Found = Mapping[str, Sequence[Result]]


def without_repetition(results: Mapping[str, list[Result]]) -> dict[str, list[Result]]:
    """Spectra without their components where these have a section of their own."""
    found = dict(results)
    if found.get("components") and found.get("hessian"):
        found["hessian"] = [
            replace(one, components=NO_COMPONENTS) if isinstance(one, Spectrum) else one
            for one in found["hessian"]
        ]
    return found


def write_page(
    results: Found, figures: Mapping[str, Figures], path: Path, summary: Summary | None = None
) -> Path:
    """Write the HTML page for results and figures by analysis.

    With a ``summary`` the paper's claims, tables and figures come first, with surfaces that can be
    turned where plotly is installed.
    """
    return _write("report.html.j2", results, figures, path, summary)


def write_markdown(
    results: Found, figures: Mapping[str, Figures], path: Path, summary: Summary | None = None
) -> Path:
    """Write the same as Markdown; it shows the PNG files of the pictures that lie beside it."""
    return _write("report.md.j2", results, figures, path, summary)


def write_numbers(results: Found, path: Path, summary: Summary | None = None) -> Path:
    """Write the headline numbers of all results as JSON: by analysis, then by label.

    What the paper would make of them is under ``paper``.
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
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(plain(content), indent=2, allow_nan=False) + "\n")
    return path


def _write(
    template: str,
    results: Found,
    figures: Mapping[str, Figures],
    path: Path,
    summary: Summary | None,
) -> Path:
    is_page = template.endswith(".html.j2")
    sections = [
        {
            "name": name,
            "title": ANALYSES[name].TITLE,
            "reading": ANALYSES[name].READING[""],
            "tables": ANALYSES[name].tabulate(measured),
            "pictures": {
                key: {
                    "name": key,
                    "alt": f"{key}: {ANALYSES[name].TITLE} of {_names(measured)}",
                    "reading": ANALYSES[name].READING.get(key, ""),
                    "data": _png(page) if is_page else "",
                }
                for key, page in figures[name].items()
            },
        }
        for name, measured in results.items()
        if measured
    ]
    # A checkpoint may lack some results; every one has a row.
    subjects = {result.label: result for found in results.values() for result in found}
    text = render(
        template,
        title=sections[0]["title"] if len(sections) == 1 else "Loss-landscape report",
        sections=sections,
        subjects=[_subject(result) for result in subjects.values()],
        created=now(),
        versions=versions(),
        paper=summary,
        numbered=_numbered(sections) if summary else {},
        scenes=_scenes(results) if summary and is_page else None,
        policy=POLICY,
    )
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _numbered(sections: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, str]]]:
    """The paper's figures by their captions: pictures that then are not shown a second time."""
    by_name = {section["name"]: section["pictures"] for section in sections}
    found = {
        caption: [
            by_name[analysis].pop(picture)
            for picture, analysis in pictures.items()
            if picture in by_name.get(analysis, {})
        ]
        for caption, pictures in FIGURES.items()
    }
    return {caption: pictures for caption, pictures in found.items() if pictures}


def _scenes(results: Found) -> Scenes | None:
    """The surfaces to turn around; None without any, or without plotly."""
    planes = [one for one in results.get("surface", ()) if isinstance(one, Surface)]
    if not planes or not has_plotly():
        return None
    return surface_scenes(planes)


def _names(results: Sequence[Result]) -> str:
    return ", ".join(result.label for result in results)


def _subject(result: Result) -> dict[str, str]:
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
    if not settings:
        return "elsewhere"
    sam = f"SAM ρ = {settings['rho']:g}" if settings.get("rho") else "no SAM"
    return f"{settings['opt']}, {sam}, {settings['epochs']} epochs"


def _png(page: Figure) -> str:
    buffer = io.BytesIO()
    fit_names(page)
    page.savefig(buffer, format="png")
    return base64.b64encode(buffer.getvalue()).decode("ascii")

"""One page a person can read: every table and picture of a set of results.

As HTML in one file that needs no other and no network, as Markdown beside the pictures, and the
numbers as JSON.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, select_autoescape

from analyses.style import number
from analyses.table import ANALYSES
from landscape.files import replacing
from landscape.provenance import now, versions
from landscape.results import Result, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Figures = Mapping[str, "Figure"]
Found = Mapping[str, Sequence[Result]]


def write_page(results: Found, figures: Mapping[str, Figures], path: Path) -> Path:
    """Write the HTML page for results and figures by analysis."""
    return _write("report.html.j2", results, figures, path)


def write_markdown(results: Found, figures: Mapping[str, Figures], path: Path) -> Path:
    """Write the same as Markdown; it shows the PNG files of the pictures that lie beside it."""
    return _write("report.md.j2", results, figures, path)


def write_numbers(results: Found, path: Path) -> Path:
    """Write the headline numbers of all results as JSON: by analysis, then by label."""
    content = {
        name: {
            result.label: {**result.headline(), "num_samples": result.provenance.num_samples}
            for result in measured
        }
        for name, measured in results.items()
        if measured
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(plain(content), indent=2, allow_nan=False) + "\n")
    return path


def _write(template: str, results: Found, figures: Mapping[str, Figures], path: Path) -> Path:
    is_page = template.endswith(".html.j2")
    sections = [
        {
            "name": name,
            "title": ANALYSES[name].TITLE,
            "reading": ANALYSES[name].READING[""],
            "tables": ANALYSES[name].tabulate(measured),
            "pictures": [
                {
                    "name": key,
                    "reading": ANALYSES[name].READING.get(key, ""),
                    "data": _png(page) if is_page else "",
                }
                for key, page in figures[name].items()
            ],
        }
        for name, measured in results.items()
        if measured
    ]
    # A checkpoint may lack some results; every one has a row.
    subjects = {result.label: result for found in results.values() for result in found}
    environment = Environment(
        loader=PackageLoader("analyses", "templates"),
        autoescape=select_autoescape(default=is_page),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template(template).render(
        title=sections[0]["title"] if len(sections) == 1 else "Loss-landscape report",
        sections=sections,
        subjects=[_subject(result) for result in subjects.values()],
        created=now(),
        versions=versions(),
    )
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


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
    page.savefig(buffer, format="png")
    return base64.b64encode(buffer.getvalue()).decode("ascii")

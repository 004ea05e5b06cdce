"""What a result file holds, as lines that a person reads."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from analyses.catalog import known_analyses
from analyses.drawing.numbers import number, with_error
from analyses.headline_numbers import HeadlineEntry, headline_entries, name_of_path
from analyses.inspection.again import (
    changed_settings,
    draw_again,
    measure_again,
    not_in_the_command,
)
from analyses.inspection.lists import MOST_NAMES, aligned, shorten
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result, is_complete

UNKNOWN = "unknown"


def description_of(path: Path, result: Result, *, is_whole: bool = False) -> list[str]:
    """Everything that a file holds but the values of its arrays.

    Args:
        path: of the file.
        result: what was read from it.
        is_whole: whether long lists are printed to their end.

    Returns:
        Lines of text. The numbers are those of the result's JSON, ± standard errors.
    """
    analysis = known_analyses()[result.analysis]
    head = [("label", result.label), ("analysis", f"{analysis.name}: {analysis.question}")]
    if not is_complete(path):
        head.append(("unfinished", "the file of a measurement that goes on, or was killed"))
    settings = changed_settings(result)
    again = [("draw again", draw_again(path, result)), ("measure again", measure_again(result))]
    again += [("", note) for note in not_in_the_command(result)]
    sections: dict[str, Sequence[Sequence[str]]] = {
        "": head,
        "headline numbers": number_rows(headline_entries(result), is_whole=is_whole),
        "arrays": array_rows(result.arrays(), is_whole=is_whole),
        "settings that are not the defaults": [(k, f"{v}") for k, v in settings.items()]
        or [("none", "")],
        "provenance": provenance_rows(result.provenance),
        "again": again,
    }
    lines = [str(path)]
    for title, rows in sections.items():
        lines += [*([title] if title else []), *aligned(rows)]
    return lines


def number_rows(
    entries: Sequence[HeadlineEntry], *, is_whole: bool = False
) -> list[tuple[str, str]]:
    """Names and values of headline numbers; what is in a list is in one row."""
    kept, others = shorten(entries, is_whole=is_whole)
    rows: list[tuple[str, str]] = []
    for (name, is_list), members in groupby(kept, _place):
        in_row = list(members)
        texts = [value_text(entry) for entry in in_row]
        if is_list and others.get(name):
            texts[-1:] = ["…", f"{texts[-1]} ({len(in_row) + others.pop(name)} in all)"]
        rows.append((name, " ".join(filter(None, [", ".join(texts), in_row[0].unit]))))
    return rows + [(name, f"… {count} more entries (--all)") for name, count in others.items()]


def value_text(entry: HeadlineEntry) -> str:
    """A value ± its error, without the unit."""
    value = entry.number
    if value is None:
        if isinstance(entry.value, bool):
            return "yes" if entry.value else "no"
        return UNKNOWN if entry.value is None else str(entry.value)
    if entry.error is not None:
        return with_error(value, entry.error)
    is_whole = value.is_integer() and abs(value) < 1e15
    return str(int(value)) if is_whole else number(value, 4)


def array_rows(arrays: Mapping[str, Array], *, is_whole: bool = False) -> list[tuple[str, ...]]:
    """Name, shape, type, unit and axes of arrays; a folder of many is one row."""
    rows: list[tuple[str, ...]] = [("name", "shape", "type", "unit", "axes")]
    for folder, members in groupby(arrays, lambda name: name.rpartition("/")[0]):
        names = list(members)
        if folder and len(names) > MOST_NAMES and not is_whole:
            count = sum(np.size(arrays[name].values) for name in names)
            rows.append((f"{folder}/…", f"{len(names)} arrays", f"{count} values", "", "(--all)"))
            continue
        for name in names:
            values = np.asarray(arrays[name].values)
            kind = "text" if values.dtype.kind in "OUS" else str(values.dtype)
            array = arrays[name]
            rows.append((name, str(values.shape), kind, array.unit, " × ".join(array.axes)))
    return rows


def provenance_rows(made: Provenance) -> list[tuple[str, str]]:
    """What was measured, on which sample, with what; what is not recorded is unknown."""
    origin = made.origin
    model = " ".join(filter(None, [str(origin.get("model") or ""), _sizes(origin)]))
    count, available = made.num_samples, origin.get("samples_available")
    samples = f"{count} of {available} samples" if available else f"{count} samples"
    data = ", ".join(
        filter(
            None,
            [
                str(origin.get("data") or ""),
                f"{origin['split']} split" if origin.get("split") else "",
                samples if count else "",
                f"seed {origin['seed']}" if "seed" in origin else "",
            ],
        )
    )
    rows = {
        "written by": str(origin.get("written_by") or ""),
        "checkpoint": str(origin.get("checkpoint") or ""),
        "model": model,
        "parameters": str(made.num_parameters or ""),
        "weights (SHA-256)": made.weights_sha256,
        "data": data,
        "sample (SHA-256)": made.sample_sha256,
        "loss": made.loss_name,
        "code (SHA-256)": _code(origin),
        "precision": str(origin.get("evaluation") or made.precision),
        "device": made.device,
        "measured": f"{made.created}, in {made.seconds:g} s" if made.created else "",
        "versions": ", ".join(f"{name} {version}" for name, version in made.versions.items()),
    }
    is_told = {"written by", "checkpoint", "code (SHA-256)"}
    return [(name, text or UNKNOWN) for name, text in rows.items() if text or name not in is_told]


def _sizes(origin: Mapping[str, object]) -> str:
    arguments = origin.get("model_args")
    if not isinstance(arguments, Mapping):
        return ""
    return " ".join(f"{key}={value}" for key, value in arguments.items())


def _code(origin: Mapping[str, object]) -> str:
    """The functions and files that were used, with the beginnings of their hashes."""
    code = origin.get("code")
    if not isinstance(code, Mapping):
        return ""
    return "; ".join(
        f"{role}: {', '.join(f'{part} {str(text)[:12]}' for part, text in parts.items())}"
        for role, parts in code.items()
        if isinstance(parts, Mapping)
    )


def _place(entry: HeadlineEntry) -> tuple[str, bool]:
    """The name of the row that an entry is in, and whether that is of a list."""
    is_list = isinstance(entry.path[-1], int)
    return (name_of_path(entry.path[:-1]) if is_list else entry.name), is_list

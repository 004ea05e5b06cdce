"""What differs between two results of one analysis."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from analyses.drawing.numbers import number
from analyses.headline_numbers import HeadlineEntry, headline_entries
from analyses.inspection.lists import aligned, shorten
from analyses.inspection.show import UNKNOWN, value_text
from landscape.errors import InputError
from landscape.results.result import Result, plain
from landscape.runtime.options import to_plain

Rows = list[tuple[str, ...]]

SAME_SAMPLE = (
    "standard errors are combined as of independent numbers; both results are of the same sample, "
    "so that their sampling errors have much in common and a difference may be surer than it looks"
)
# What differs between any two measurements.
_NOT_COMPARED = ("seconds", "created", "origin", "versions")


def differences_of(
    before_path: Path, before: Result, after_path: Path, after: Result, *, is_whole: bool = False
) -> list[str]:
    """The differences between two results of the same analysis, as lines of text.

    Args:
        before_path: the file of the first.
        before: the first result.
        after_path: the file of the second.
        after: the second result.
        is_whole: whether long lists are compared to their end.

    Returns:
        What differs in settings, provenance and versions, and the numbers that do.

    Raises:
        InputError: the results are of different analyses.
    """
    if before.analysis != after.analysis:
        raise InputError(
            f"{before_path} is of {before.analysis} and {after_path} of {after.analysis}; expected "
            "two results of one analysis"
        )
    numbers, same = _number_rows(before, after, is_whole=is_whole)
    sections: dict[str, Rows] = {
        "settings": _changed(to_plain(before.settings), to_plain(after.settings)),
        "measured": _changed(_facts(before), _facts(after)),
        "versions": _changed(before.provenance.versions, after.provenance.versions),
        "headline numbers": numbers,
    }
    lines = [f"{before.analysis}: {before_path} → {after_path}"]
    for title, rows in sections.items():
        if rows:
            lines += [title, *aligned(rows)]
        else:
            lines.append(f"{title}: no difference")
    lines.append(f"{same} headline entries are the same")
    has_deviations = any("standard errors" in row[-1] for row in numbers)
    sample = before.provenance.sample_sha256
    if has_deviations and sample and sample == after.provenance.sample_sha256:
        lines.append(f"note: {SAME_SAMPLE}")
    return lines


def difference_text(before: HeadlineEntry, after: HeadlineEntry) -> str:
    """How far two numbers are apart: in standard errors where both have one."""
    if before.number is None or after.number is None:
        return ""
    change = after.number - before.number
    if before.error is None or after.error is None:
        return _signed(number(change))
    error = math.hypot(before.error, after.error)
    if not (error > 0 and math.isfinite(error)):
        return f"{_signed(number(change))} (no error)"
    deviations = change / error
    return f"{_signed(number(deviations, 2))} standard errors"


def _signed(text: str) -> str:
    return text if text.startswith("-") else f"+{text}"


def _number_rows(before: Result, after: Result, *, is_whole: bool) -> tuple[Rows, int]:
    """A row for each entry that differs, and how many are the same."""
    first = {entry.name: entry for entry in headline_entries(before)}
    second = {entry.name: entry for entry in headline_entries(after)}
    everything = {**first, **second}
    changed = [
        entry
        for name, entry in everything.items()
        if _compared(first.get(name)) != _compared(second.get(name))
    ]
    kept, others = shorten(changed, is_whole=is_whole)
    rows: Rows = [_row(entry.name, first.get(entry.name), second.get(entry.name)) for entry in kept]
    rows += [(name, f"… {count} more differ (--all)", "") for name, count in others.items()]
    return rows, len(everything) - len(changed)


def _compared(entry: HeadlineEntry | None) -> Any:
    """What makes an entry another one; nan is itself."""
    return entry and (entry.value, repr(entry.error), entry.unit)


def _row(
    name: str, before: HeadlineEntry | None, after: HeadlineEntry | None
) -> tuple[str, str, str]:
    entries = (before, after)
    texts = ["not there" if entry is None else value_text(entry) for entry in entries]
    units = ["" if entry is None else entry.unit for entry in entries]
    if units[0] == units[1]:  # said once
        units[0] = ""
    first, second = (f"{text} {unit}".rstrip() for text, unit in zip(texts, units, strict=True))
    apart = difference_text(before, after) if before is not None and after is not None else ""
    return name, f"{first} → {second}", apart


def _facts(result: Result) -> dict[str, Any]:
    """What was measured and where, flat: label, hashes, origin, device."""
    made = result.provenance
    facts = {name: value for name, value in vars(made).items() if name not in _NOT_COMPARED}
    return {**facts, **dict(_flat("", plain(made.origin))), "label": result.label}


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), item)
    else:
        yield name, value


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Rows:
    """A row for each entry that differs."""
    return [
        (name, f"{_brief(before.get(name))} → {_brief(after.get(name))}")
        for name in {**before, **after}
        if _known(before.get(name)) != _known(after.get(name))
    ]


def _known(value: Any) -> Any:
    """A value; None where it says nothing."""
    return None if value in ("", [], {}) else value


def _brief(value: Any) -> str:
    """A value in a few words; hashes by their beginning."""
    if _known(value) is None:
        return UNKNOWN
    text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    is_hash = len(text) == 64 and all(sign in "0123456789abcdef" for sign in text)
    return f"{text[:12]}…" if is_hash else text

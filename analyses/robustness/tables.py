"""The report's tables of robustness."""

from collections.abc import Mapping, Sequence
from typing import Any

from analyses.drawing.numbers import with_error
from analyses.robustness.result import ATTACKS, Robustness, _union, _words
from landscape.data.corruptions.catalog import SEVERITIES
from landscape.robustness.scores import Score

UNIT = "%, ± standard error"


def tabulate(results: Sequence[Robustness]) -> dict[str, list[dict[str, str]]]:
    """The means; corruptions by family and by severity; further sets."""
    found = {"": [_overview(one, results) for one in results]}
    families = _union(one.families for one in results)
    if families:
        found["Accuracy by family of corruption, the mean over severities, " + UNIT] = [
            _row(one, one.by_family, {name: _words(name) for name in families}) for one in results
        ]
        severities = {level: f"severity {level}" for level in SEVERITIES}
        found["Accuracy by severity, the mean over families, " + UNIT] = [
            _row(one, one.by_severity, severities) for one in results
        ]
    names = _union(one.sets for one in results)
    if names:
        found["Accuracy on other sets, " + UNIT] = [_row_of_sets(one, names) for one in results]
    return found


def _overview(one: Robustness, results: Sequence[Robustness]) -> dict[str, str]:
    mean = one.corruption_accuracy
    row = {
        "checkpoint": one.label,
        "samples": str(len(one.correct)),
        f"accuracy, {UNIT}": _cell(one.accuracy),
        "loss, ± standard error": with_error(one.loss, one.loss_stderr),
        f"corrupted, mean of {len(SEVERITIES)} severities, {UNIT}": _cell(mean),
        "families": str(len(one.families)),
    }
    for attack, title in ATTACKS.items():
        found = one.by_radius(attack)
        for radius in sorted({float(r) for result in results for r in result.radii}):
            row[f"{title}, {radius:g}/255, {UNIT}"] = _cell(found.get(radius))
    steps = {f"{one.settings.step_of(float(r)):g}" for r in one.radii}
    length = f"{next(iter(steps))}/255" if len(steps) == 1 else "radius/16"
    row["PGD steps"] = f"{one.settings.attack_steps} of {length}" if steps else "none"
    row["seconds"] = f"{one.provenance.seconds:.1f}"
    return row


def _row(
    one: Robustness, scores: Mapping[Any, Score], columns: Mapping[Any, str]
) -> dict[str, str]:
    cells = {title: _cell(scores.get(key)) for key, title in columns.items()}
    return {"checkpoint": one.label, **cells}


def _row_of_sets(one: Robustness, names: Sequence[str]) -> dict[str, str]:
    row = {"checkpoint": one.label}
    for name in names:
        score = one.sets.get(name)
        row[name] = _cell(score)
        if score is not None and score.among_present is not None:
            error = score.among_present_error or 0.0
            row[name] += f" (among its classes {with_error(score.among_present, error)})"
    return row


def _cell(score: Score | None) -> str:
    return "not asked" if score is None else with_error(score.accuracy, score.standard_error)

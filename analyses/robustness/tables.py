"""The report's tables of robustness."""

from collections.abc import Mapping, Sequence
from typing import Any

from analyses.drawing.numbers import fixed, share_text, with_error
from analyses.robustness.result import ATTACKS, Robustness, families_of, family_title, sets_of
from landscape.data.corruptions.catalog import SEVERITIES
from landscape.robustness.scores import Score

UNIT = "%, ± standard error"


def tabulate(results: Sequence[Robustness]) -> dict[str, list[dict[str, str]]]:
    """Tables of the means, of corruptions by family and by severity, and of further sets."""
    tables = {"": [_overview(result, results) for result in results]}
    families = {family: family_title(family) for family in families_of(results)}
    if families:
        severities = {level: f"severity {level}" for level in SEVERITIES}
        tables[f"Accuracy by family of corruption, the mean over severities, {UNIT}"] = [
            _row(result, result.by_family, families) for result in results
        ]
        tables[f"Accuracy by severity, the mean over families, {UNIT}"] = [
            _row(result, result.by_severity, severities) for result in results
        ]
    sets = sets_of(results)
    if sets:
        tables[f"Accuracy on other sets, {UNIT}"] = [
            _row_of_sets(result, sets) for result in results
        ]
    return tables


def _overview(result: Robustness, results: Sequence[Robustness]) -> dict[str, str]:
    row = {
        "checkpoint": result.label,
        "samples": str(len(result.correct)),
        f"accuracy, {UNIT}": _cell(result.accuracy),
        "loss, ± standard error": with_error(
            result.loss, result.loss_stderr, result.provenance.num_samples - 1
        ),
        f"corrupted, mean of {len(SEVERITIES)} severities, {UNIT}": _cell(
            result.corruption_accuracy
        ),
        "families": str(len(result.families)),
    }
    radii = sorted({float(radius) for compared in results for radius in compared.radii})
    for attack, title in ATTACKS.items():
        scores = result.by_radius(attack)
        for radius in radii:
            row[f"{title}, {radius:g}/255, {UNIT}"] = _cell(scores.get(radius))
    lengths = {f"{result.settings.step_of(float(radius)):g}" for radius in result.radii}
    length = f"{next(iter(lengths))}/255" if len(lengths) == 1 else "radius/16"
    row["PGD steps"] = f"{result.settings.attack_steps} of {length}" if lengths else "none"
    row["seconds"] = fixed(result.provenance.seconds, 1)
    return row


def _row(
    result: Robustness, scores: Mapping[Any, Score], columns: Mapping[Any, str]
) -> dict[str, str]:
    cells = {title: _cell(scores.get(key)) for key, title in columns.items()}
    return {"checkpoint": result.label, **cells}


def _row_of_sets(result: Robustness, names: Sequence[str]) -> dict[str, str]:
    row = {"checkpoint": result.label}
    for name in names:
        score = result.sets.get(name)
        row[name] = _cell(score)
        among_present = None if score is None else score.share_among_present
        if among_present is not None:
            row[name] += f" (among its classes {share_text(among_present)})"
    return row


def _cell(score: Score | None) -> str:
    return "not asked" if score is None else share_text(score.share)

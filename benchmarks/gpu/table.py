"""The Markdown tables of RESULTS.md from the records of runs."""

from collections import Counter
from collections.abc import Sequence

from benchmarks.gpu.records import Record
from benchmarks.gpu.stages import STAGES


def tables(runs: Sequence[Sequence[Record]]) -> str:
    """A section for every run: the card and the date, what was measured, and how stages ended."""
    return "\n\n".join(_section(records) for records in runs)


def _section(records: Sequence[Record]) -> str:
    run = records[0]
    dry = ", **dry run: no timing means anything**" if run["dry_run"] else ""
    date = run["date"][:10]
    lines = [f"### {run['card']} ({date}){dry}", ""]
    commit = (run.get("commit") or "unknown")[:12]
    lines += [f"Driver {run['driver']}, torch {run['torch']}, commit {commit}.", ""]
    measurements = [record for record in records if record["kind"] == "measurement"]
    if measurements:
        lines += ["| what | value | aim | |", "|---|---:|---:|---|"]
        lines += [_row(record) for record in measurements]
        lines.append("")
    outcomes = [_outcome(records, name) for name in STAGES]
    lines += [line for line in outcomes if line]
    lines += [_failure(record) for record in records if record["kind"] == "test" and _bad(record)]
    return "\n".join(lines)


def _row(record: Record) -> str:
    value, aim, unit = record["value"], record["aim"], record["unit"]
    shown = "not finite" if value is None else f"{value:.4g} {unit}".rstrip()
    wanted = ""
    if aim is not None:
        wanted = f"{'≤' if record['at_most'] else '≥'} {aim:g}"
        met = value is not None and (value <= aim if record["at_most"] else value >= aim)
        wanted += "" if met else " (missed)"
    return f"| {record['what']} | {shown} | {wanted} | {record['note']} |"


def _outcome(records: Sequence[Record], name: str) -> str:
    """How a stage ended, in a line; empty if it was not asked for."""
    of_stage = [record for record in records if record["stage"] == name]
    if not of_stage:
        return ""
    ends = [record for record in of_stage if record["kind"] == "stage"]
    line = f"- ({name}) {STAGES[name].title}: "
    line += f"{ends[0]['outcome']} after {ends[0]['seconds']:g} s" if ends else "never ended"
    counts = Counter(record["outcome"] for record in of_stage if record["kind"] == "test")
    line += "".join(f", {count} {outcome}" for outcome, count in sorted(counts.items()))
    missing = [
        text for record in of_stage if record["kind"] == "missing" for text in record["what"]
    ]
    if missing:
        line += f"; not measured: {'; '.join(dict.fromkeys(missing))}"
    error = (ends[0]["error"] or "") if ends else ""
    last = error.splitlines()[-1:] if ends and ends[0]["outcome"] == "failed" else []
    return line + "".join(f": {text.strip()}" for text in last)


def _bad(record: Record) -> bool:
    return bool(record["outcome"] == "failed")


def _failure(record: Record) -> str:
    lines = record["error"].strip().splitlines() or [""]
    return f"- failed: `{record['name']}`: {lines[-1].strip()}"

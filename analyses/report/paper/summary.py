"""The part of a report that reads like the paper: claims, tables, figures, and what is missing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from analyses.report.paper.catalog import flatter_and_better, judge
from analyses.report.paper.claims import OUTCOMES, Judgement
from analyses.report.paper.comparisons import ONE_RUN, Comparison
from analyses.report.paper.missing import Missing, find_missing
from analyses.report.paper.quantity import Quantity
from analyses.report.paper.subjects import Network, Run, networks
from analyses.report.paper.tables import Cell, TableRow, headline, paper_tables
from landscape.results.result import Result


@dataclass(frozen=True)
class Summary:
    """All of it, for networks in the order given.

    Attributes:
        networks: of the report.
        headline: the few numbers that it begins with.
        judgements: of every claim.
        flatter: for each pair, whether the flatter network is the better one.
        tables: the paper's, by caption.
        missing: what the tables and figures lack.
    """

    networks: list[Network]
    headline: list[TableRow]
    judgements: list[Judgement]
    flatter: list[str]
    tables: dict[str, list[TableRow]]
    missing: list[Missing]

    @property
    def outcomes(self) -> dict[str, int]:
        """How many claims have each outcome, of those that any has."""
        outcomes = [judgement.outcome for judgement in self.judgements]
        return {word: outcomes.count(word) for word in OUTCOMES if word in outcomes}

    @property
    def lacks_runs(self) -> bool:
        """Whether some claim is undecided for want of further runs alone."""
        return any(judgement.verdict == ONE_RUN for judgement in self.judgements)

    def numbers(self) -> Iterator[tuple[str, Run, Quantity]]:
        """Every number of the tables once: what it is, of which run, and the number."""
        rows = {row.title: row for rows in self.tables.values() for row in rows}
        for title, row in rows.items():
            for cell in row.cells:
                if cell.measurement is not None:
                    for run, number in cell.measurement.by_run.items():
                        yield title, run, number

    def plain(self) -> dict[str, Any]:
        """As JSON types: each run's number with its error, method and sample, and the paper's."""
        return {
            "headline": {
                f"{row.title} ({row.conditions})" if row.conditions else row.title: {
                    network.label: cell.text
                    for network, cell in zip(self.networks, row.cells, strict=True)
                }
                for row in self.headline
            },
            "tables": {
                caption: {
                    row.title: {
                        network.label: _plain_cell(cell)
                        for network, cell in zip(self.networks, row.cells, strict=True)
                    }
                    for row in rows
                }
                for caption, rows in self.tables.items()
            },
            "claims": [
                {
                    "title": entry.claim.title,
                    "claim": entry.claim.statement,
                    "where": entry.claim.where,
                    "verdict": entry.verdict,
                    "outcome": entry.outcome,
                    "comparisons": [_plain_comparison(each) for each in entry.comparisons],
                }
                for entry in self.judgements
            ],
            "flatter_and_better": self.flatter,
            "missing": [asdict(entry) for entry in self.missing],
        }


def summarise(
    results: Mapping[str, Sequence[Result]],
    reasons: Mapping[tuple[str, str], str],
    command: Callable[[str, Sequence[Run]], str],
) -> Summary:
    """Read the results as the paper would.

    ``reasons`` say by label and analysis why something could not be measured; ``command`` how to
    measure an analysis on some networks.
    """
    members = networks(results)
    judgements = judge(members)
    return Summary(
        networks=members,
        headline=headline(members),
        judgements=judgements,
        flatter=flatter_and_better(members, judgements),
        tables=paper_tables(members),
        missing=find_missing(members, reasons, command),
    )


def _plain_cell(cell: Cell) -> dict[str, Any]:
    """The number of each run, their mean and deviation, and what is printed."""
    measurement = cell.measurement
    return {
        "text": cell.text,
        "mean": measurement.mean if measurement else None,
        "standard_deviation": measurement.deviation if measurement else None,
        "runs": [
            {"run": run.label, "seed": run.seed, **_plain_quantity(measured)}
            for run, measured in (measurement.by_run.items() if measurement else ())
        ],
        "as_reported": cell.reported or None,
    }


def _plain_quantity(measured: Quantity) -> dict[str, Any]:
    """All of it but what every sample has of it, which the result file keeps."""
    names = (field.name for field in fields(measured) if field.name != "per_sample")
    return {name: getattr(measured, name) for name in names}


def _plain_comparison(comparison: Comparison) -> dict[str, Any]:
    tested = comparison.difference
    numbers: dict[str, Any] = {}
    if tested is not None:
        numbers = {
            "scale": "logarithm" if comparison.is_ratio else "as measured",
            "difference": tested.value,
            "standard_error": tested.stderr,
            "interval": tested.interval(),
            "degrees_of_freedom": tested.dof,
            "is_paired": tested.is_paired,
            "p": tested.p,
            "p_after_holm": comparison.adjusted,
        }
    return {"text": comparison.text, "verdict": comparison.verdict, **numbers}

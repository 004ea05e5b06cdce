"""The part of a report that reads like the paper: claims, tables, figures, and what is missing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from analyses.report.paper.catalog import flatter_and_better, judge
from analyses.report.paper.claims import Judgement
from analyses.report.paper.missing import Missing, find_missing
from analyses.report.paper.subjects import Network, networks
from analyses.report.paper.tables import TableRow, paper_tables
from landscape.results.result import Result


@dataclass(frozen=True)
class Summary:
    """All of it, for networks in the order given."""

    networks: list[Network]
    judgements: list[Judgement]
    flatter: list[str]
    tables: dict[str, list[TableRow]]
    missing: list[Missing]

    def plain(self) -> dict[str, Any]:
        """As JSON types: each number with its error, method, sample, and the paper's figure."""
        return {
            "tables": {
                caption: {
                    row.title: {
                        network.label: {
                            **(asdict(cell.quantity) if cell.quantity else {"value": None}),
                            "as_reported": cell.reported or None,
                        }
                        for network, cell in zip(self.networks, row.cells, strict=True)
                    }
                    for row in rows
                }
                for caption, rows in self.tables.items()
            },
            "claims": [
                {
                    "claim": entry.claim.statement,
                    "where": entry.claim.where,
                    "verdict": entry.verdict,
                    "comparisons": [
                        {"text": each.text, "verdict": each.verdict} for each in entry.comparisons
                    ],
                }
                for entry in self.judgements
            ],
            "flatter_and_better": self.flatter,
            "missing": [asdict(entry) for entry in self.missing],
        }


def summarise(
    results: Mapping[str, Sequence[Result]],
    reasons: Mapping[tuple[str, str], str],
    command: Callable[[str, Sequence[Network]], str],
) -> Summary:
    """Read the results as the paper would.

    ``reasons`` say by label and analysis why something could not be measured; ``command`` how to
    measure an analysis on some networks.
    """
    members = networks(results)
    return Summary(
        networks=members,
        judgements=judge(members),
        flatter=flatter_and_better(members),
        tables=paper_tables(members),
        missing=find_missing(members, reasons, command),
    )

"""The paper's Tables 1, 3 and 5 with the user's own networks in them, and five numbers of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from analyses.report.paper.measurements import Measurement, measure_over_runs
from analyses.report.paper.quantities import ROWS
from analyses.report.paper.reported import as_reported
from analyses.report.paper.subjects import Network

TABLES: dict[str, tuple[str, ...]] = {
    "Table 1: geometry and generalisation": (
        "parameters",
        "kappa",
        "sharpness",
        "train_loss",
        "noisy_loss",
        "noisiest_loss",
        "accuracy",
        "corruption_accuracy",
    ),
    "Table 3: components": (
        "embedding",
        "mixing",
        "mlp",
        "first_block",
        "middle_block",
        "last_block",
        "sharpness",
        "weight_norm",
        "first_activation",
        "middle_activation",
        "last_activation",
    ),
    "Table 5: sharpness and linearity": (
        "sharpness",
        "train_loss",
        "noisy_loss",
        "noisiest_loss",
        "missing_rate",
    ),
}

# What a report begins with: the numbers that the paper's argument rests on, under short names. The
# noise is the largest, since at the smaller one the loss is hardly another than without any. Where
# some were not measured, the last ones take their place.
HEADLINE = {
    "accuracy": "accuracy, %",
    "corruption_accuracy": "corrupted accuracy, %",
    "sharpness": "λ_max",
    "train_loss": "training loss",
    "noisiest_loss": "loss under weight noise",
    "missing_rate": "missing rate R, %",
    "active": "active neurons, %",
}
MOST_HEADLINES = 5


@dataclass(frozen=True)
class Cell:
    """A measurement, if there is one, and the paper's own figure for this network, or ""."""

    measurement: Measurement | None
    reported: str

    @property
    def text(self) -> str:
        """What is printed; a dash where nothing was measured."""
        return self.measurement.text if self.measurement else "–"


@dataclass(frozen=True)
class TableRow:
    """A quantity, its cell for each network, and in words how they were measured."""

    title: str
    cells: list[Cell]

    @property
    def method(self) -> str:
        """Methods and samples, each once."""
        methods = (method for c in self.cells if c.measurement for method in c.measurement.methods)
        return " / ".join(dict.fromkeys(methods))

    @property
    def conditions(self) -> str:
        """The samples, and settings such as the size of noise, each once."""
        conditions = (
            text for c in self.cells if c.measurement for text in c.measurement.conditions
        )
        return " / ".join(dict.fromkeys(conditions))


def paper_tables(networks: Sequence[Network]) -> dict[str, list[TableRow]]:
    """Tables by caption; rows that no network has a number for are left out, and empty tables."""
    tables = {
        caption: [row for row in (_row(name, networks) for name in names) if row.method]
        for caption, names in TABLES.items()
    }
    return {caption: rows for caption, rows in tables.items() if rows}


def headline(networks: Sequence[Network]) -> list[TableRow]:
    """The first numbers of a report under short titles; at most five, that were measured."""
    rows = (replace(_row(name, networks), title=title) for name, title in HEADLINE.items())
    return list(islice((row for row in rows if row.method), MOST_HEADLINES))


def _row(name: str, networks: Sequence[Network]) -> TableRow:
    return TableRow(
        ROWS[name].title,
        [
            Cell(measure_over_runs(network, name), as_reported(network.origin, name))
            for network in networks
        ],
    )

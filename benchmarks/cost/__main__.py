"""What every analysis costs: counts beside formulas, and large networks on paper.

    python -m benchmarks.cost [--only LIST] [--json FILE] [--write] [--tables]

Counts, on one small network of four sizes each, take some minutes of one core. ``--write`` keeps
them in benchmarks/cost/measured.json and puts the tables into docs/cost.md; ``--tables`` does that
with the counts that are kept.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.cost.cases import CASES, WIDTHS, Size
from benchmarks.cost.large import Simulated, simulate_all
from benchmarks.cost.measuring import Measured, Units, measure, units_of
from benchmarks.cost.page import tables, with_tables
from landscape.results.files import replacing

ROOT = Path(__file__).parents[2]
RECORD = Path(__file__).with_name("measured.json")
PAGE = ROOT / "docs" / "cost.md"


@dataclass(frozen=True)
class Record:
    """All that was counted: of analyses, of passes by the network's width, of large networks."""

    measured: tuple[Measured, ...]
    units: tuple[Units, ...]
    networks: tuple[Simulated, ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """The record of a JSON file."""
        record = json.loads(path.read_text())
        return cls(
            tuple(Measured(**each) for each in record["measured"]),
            tuple(Units(**each) for each in record["units"]),
            tuple(Simulated(**each) for each in record["networks"]),
        )

    @property
    def tables(self) -> str:
        """The generated part of the page."""
        return tables(self.measured, self.units, self.networks)


def main() -> None:
    """Count, print the tables, and write what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", metavar="LIST", help="analyses, a list with commas")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the counts as JSON")
    parser.add_argument("--write", action="store_true", help="keep the counts and write the page")
    parser.add_argument("--tables", action="store_true", help="write the page with the kept counts")
    arguments = parser.parse_args()
    if arguments.tables:
        record = Record.read(RECORD)
    else:
        names = arguments.only.split(",") if arguments.only else list(CASES)
        record = Record(
            tuple(_measure(names)),
            tuple(units_of(width) for width in WIDTHS),
            tuple(simulate_all()),
        )
    print(record.tables)
    if arguments.write:
        _write(RECORD, asdict(record))
    if arguments.json:
        _write(arguments.json, asdict(record))
    if arguments.write or arguments.tables:
        page = with_tables(PAGE.read_text(encoding="utf-8"), record.tables)
        with replacing(PAGE) as unfinished:
            unfinished.write_text(page, encoding="utf-8")


def _measure(names: Sequence[str]) -> Iterator[Measured]:
    for name in names:
        known: dict[Size, Measured] = {}
        for varied, size in CASES[name].sizes():
            if size not in known:
                known[size] = measure(name, varied, size)
            yield Measured(**{**vars(known[size]), "varied": varied})


def _write(path: Path, record: dict[str, Any]) -> None:
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""How many points --refine saves, and whether the errors that it claims are true.

    python -m benchmarks.refinement SURFACE.h5 ... [--tolerance 0.01] [--json FILE]

It takes surfaces of which every point was measured, gives the refinement only the values of points
that it asks for, and compares the values that it interpolates with the true ones.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from analyses.surface.result import Surface
from landscape.slices.refinement import Refinement


@dataclass(frozen=True)
class Row:
    """Errors are relative, of all points; shares are of the interpolated ones."""

    surface: str
    points: int
    measured: int
    median_error: float
    error_95: float
    largest_error: float
    within_one: float
    within_two: float


def refine(path: Path, tolerance: float) -> Row:
    """Refine a surface whose values are all known."""
    surface = Surface.load(path)
    if not surface.measured.all():
        raise SystemExit(f"{path} was refined itself; take a surface with every point measured")
    truth = surface.loss
    rows, columns = truth.shape
    refinement = Refinement(rows, columns, tolerance)
    todo = refinement.first()
    while todo:
        refinement.add({point: float(truth[point]) for point in todo})
        todo = refinement.next()
    known = refinement.measured
    filled = refinement.fill(np.where(known, truth, np.nan), logarithmic=True)
    errors = np.abs(filled.values / truth - 1)
    ratios = np.abs(np.log(filled.values / truth))[~known] / filled.error[~known]
    return Row(
        str(path),
        truth.size,
        int(known.sum()),
        float(np.median(errors)),
        float(np.quantile(errors, 0.95)),
        float(errors.max()),
        float((ratios <= 1).mean()),
        float((ratios <= 2).mean()),
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="what --refine saves, and its errors")
    parser.add_argument("surfaces", nargs="+", type=Path, metavar="SURFACE.h5")
    parser.add_argument("--tolerance", type=float, default=0.01)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    rows = [refine(path, arguments.tolerance) for path in arguments.surfaces]
    print(
        f"{'surface':40} {'measured':>16} {'median':>8} {'95%':>8} {'largest':>8} "
        f"{'within 1 s.e.':>14} {'2 s.e.':>7}"
    )
    for row in rows:
        share = f"{row.measured} ({100 * row.measured / row.points:.1f}%)"
        print(
            f"{row.surface[-40:]:40} {share:>16} {100 * row.median_error:7.2f}% "
            f"{100 * row.error_95:7.2f}% {100 * row.largest_error:7.1f}% "
            f"{row.within_one:14.2f} {row.within_two:7.2f}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()

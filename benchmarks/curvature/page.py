"""The page of documentation that shows what was measured."""

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from benchmarks.curvature.attempts import Attempt
from benchmarks.curvature.figure import TITLES, draw, table
from benchmarks.curvature.products import Product
from benchmarks.curvature.searches import AIM

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "time-to-residual.md"
PICTURE = DOCS / "time-to-residual" / "residuals.png"
_PACKAGES = ("pyhessian", "hessian-eigenthings", "curvlinops-for-pytorch", "scipy")


def publish(
    products: Mapping[str, Sequence[Product]], rows: Sequence[Attempt], images: int, threads: int
) -> None:
    """Write the page and its picture."""
    PICTURE.parent.mkdir(exist_ok=True)
    draw(rows, PICTURE)
    today = datetime.now(UTC).date()
    versions = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    lines = [
        "# Eigenvalues: time to a true residual",
        "",
        f"Written by `python -m benchmarks.curvature --publish` on {today}: {images} pictures, "
        f"{threads} threads of {platform.machine()}, torch {torch.__version__}, {versions}. Each "
        "search ran once, on a machine that is not ours alone: read factors, not tenths.",
        "",
        "Every tool is run with several settings, from little work to much, and what it returns is "
        "judged by one and the same product, the plain module's in float64: the residual is the "
        "largest ‖Hv − λv‖ / |λ| of the pairs. A hollow mark lacks an eigenvalue that others have. "
        "Our time includes what certifies the residuals and looks for repeated eigenvalues, which "
        "no other tool does. hessian-eigenthings takes a number of steps, which nobody knows in "
        "advance. Its first column starts from the default and doubles it until the tool reports "
        "convergence; the time includes all attempts. The second column is the best of several "
        "given numbers. Of tolerances, too, the table takes the best for each tool. Where a "
        "factor is below 1, the other tool was faster.",
        "",
        f"![Residual against seconds of four tools](time-to-residual/{PICTURE.name})",
        "",
        f"Seconds until all pairs are within {AIM:g} of the truth (Hessian products, and times our "
        "seconds):",
        "",
        *table(rows),
        "",
        "One product, in times of a gradient of the plain model:",
        "",
        *_table_of_products(products),
        "",
    ]
    PAGE.write_text("\n".join(lines), encoding="utf-8")


def _table_of_products(products: Mapping[str, Sequence[Product]]) -> list[str]:
    names = dict.fromkeys(row.tool for rows in products.values() for row in rows)
    lines = [
        "| tool | " + " | ".join(TITLES[network] for network in products) + " |",
        "|---|" + "---:|" * len(products),
    ]
    for name in names:
        cells = [
            next((f"{row.gradients:.2f}" for row in rows if row.tool == name), "")
            for rows in products.values()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"

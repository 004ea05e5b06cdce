"""The cost of a Hessian-vector product and of five eigenvalues, here and in other packages.

    python -m benchmarks.curvature [--network resnet20|vit] [--images 200] [--json FILE]

All tools get the same batch, model and processor threads. The first table is of one product, as a
multiple of the time of one gradient of the plain model in eager mode (the median over rounds that
take the tools in turn). The second is of the five eigenvalues of largest magnitude; the residual
||H v - l v|| / |l| of every pair that a tool returns is measured by one and the same product: the
plain module's in float64.

Other tools are PyHessian (its own table of eigenvalues by power iteration), hessian-eigenthings
(Lanczos with a given number of steps) and curvlinops with SciPy's eigsh. None of them looks for the
further eigenvectors of a repeated eigenvalue, so ours is measured with and without. What is not
installed is left out and named. Attention runs in its plain form for all tools, since some of them
need it.
"""

import argparse
import json
import statistics
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.curvature_tools import PRODUCTS, SEARCHES, TOP, Case, gradient, pyhessian_search
from benchmarks.timing import seconds_in_turn
from landscape.runtime.machine.allocator import keep_freed_memory


@dataclass(frozen=True)
class Product:
    """Seconds of a product, and the same in times of a gradient."""

    tool: str
    seconds: float
    gradients: float


@dataclass(frozen=True)
class Search:
    """Seconds for the top eigenvalues, products if they are counted, true relative residuals."""

    tool: str
    seconds: float
    products: int | None
    eigenvalues: list[float]
    residuals: list[float]


def time_products(case: Case, rounds: int, missing: list[str]) -> list[Product]:
    """Measure rounds of a gradient and every tool's product in turn."""
    size = sum(p.numel() for p in case.model.parameters())
    vector = torch.randn(size, generator=torch.Generator().manual_seed(0)).to(case.device)
    calls = {"gradient": gradient(case)}
    for tool, prepare in PRODUCTS.items():
        try:
            multiply = prepare(case)
        except ImportError as error:
            missing.append(f"{tool}: {error}")
            continue
        calls[tool] = partial(multiply, vector)
    seconds = seconds_in_turn(calls, rounds, case.device)
    return [
        Product(tool, statistics.median(times), _ratio(times, seconds["gradient"]))
        for tool, times in seconds.items()
    ]


def time_searches(case: Case, arguments: argparse.Namespace, missing: list[str]) -> list[Search]:
    """Search with every tool once."""
    exact = case.objective(torch.float64)
    rows = []
    searches = SEARCHES | {
        f"PyHessian, tol {tolerance:g}": pyhessian_search(tolerance)
        for tolerance in arguments.pyhessian
    }
    for tool, search in searches.items():
        try:
            started = time.perf_counter()
            vectors, products = search(case, arguments)
            seconds = time.perf_counter() - started
        except ImportError:
            continue  # it was named with its product
        columns = vectors.detach().double()
        columns = columns / torch.linalg.vector_norm(columns, dim=0)
        images = exact.hessian_product(columns)
        values = (columns * images).sum(0)
        errors = torch.linalg.vector_norm(images - columns * values, dim=0) / values.abs()
        order = values.abs().argsort(descending=True)
        rows.append(Search(tool, seconds, products, values[order].tolist(), errors[order].tolist()))
    return rows


def _ratio(times: list[float], unit: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(times, unit, strict=True))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--network", choices=("resnet20", "vit"), default="resnet20")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tolerance", type=float, default=2e-3, help="of our residuals")
    parser.add_argument("--steps", type=int, default=17, help="of hessian-eigenthings")
    parser.add_argument(
        "--pyhessian",
        type=float,
        nargs="*",
        default=[1e-3, 1e-5],
        metavar="TOLERANCE",
        help="the changes of eigenvalues at which PyHessian stops",
    )
    parser.add_argument("--data-dir", help="an image folder with train/CLASS/PICTURE")
    parser.add_argument("--checkpoint", help="weights of a network of your own, with --model")
    parser.add_argument("--model", help="as for landscape-plot")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    keep_freed_memory()
    missing: list[str] = []
    with sdpa_kernel(SDPBackend.MATH):
        case = Case.of(arguments)
        products = time_products(case, arguments.rounds, missing)
        searches = time_searches(case, arguments, missing)
    threads = torch.get_num_threads()
    print(f"{len(case.targets)} pictures, {threads} threads, torch {torch.__version__}")
    print(f"{'one product':34} {'seconds':>8} {'gradients':>10}")
    for product in products:
        print(f"{product.tool:34} {product.seconds:8.3f} {product.gradients:10.2f}")
    print(f"{f'top {TOP}':34} {'seconds':>8} {'products':>9} {'times':>6}  true residuals")
    for row in searches:
        cost = "" if row.products is None else str(row.products)
        times = row.seconds / searches[0].seconds
        residuals = " ".join(f"{residual:.1e}" for residual in row.residuals)
        print(f"{row.tool:34} {row.seconds:8.1f} {cost:>9} {times:6.1f}  {residuals}")
    for line in missing:
        print(f"not measured: {line}")
    if arguments.json:
        report = {
            "products": [asdict(product) for product in products],
            "searches": [asdict(row) for row in searches],
            "missing": missing,
        }
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()

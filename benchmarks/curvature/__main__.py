"""The cost of a Hessian product, and of eigenvalues up to a true residual, here and elsewhere.

    python -m benchmarks.curvature [--networks resnet20 vit mixer] [--top 1 5 20] [--images 128]
                                   [--at-most TIMES] [--json FILE] [--publish]

All tools get the same batch, model and processor threads. The first table of a network is of one
product, as a multiple of the time of one gradient of the plain model in eager mode (the median over
rounds that take the tools in turn). Then every tool searches for the eigenvalues of largest
magnitude, with several settings, the least work first; the residual ||H v - l v|| / |l| of every
pair that it returns is measured by one and the same product: the plain module's in float64.

Other tools are PyHessian (power iteration), hessian-eigenthings (Lanczos with a number of steps:
its default, doubled until it says that it has converged, and besides several numbers, as for who
knows the right one) and curvlinops with SciPy's eigsh. What is not installed is left out and named.
Attention runs in its plain form for all tools, since some of them need it.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.cases import add_case_arguments
from benchmarks.curvature.attempts import Attempt, attempts
from benchmarks.curvature.figure import draw, table
from benchmarks.curvature.page import publish
from benchmarks.curvature.products import Product, time_products
from benchmarks.curvature.tools import NETWORKS, Case
from landscape.runtime.machine.allocator import keep_freed_memory


def main() -> None:
    """Print what products and searches take, and draw the residuals."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--top", type=int, nargs="+", default=[1, 5, 20], metavar="K")
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5, help="of products")
    parser.add_argument(
        "--at-most",
        type=float,
        default=12.0,
        metavar="TIMES",
        help="end a search that takes so many times as long as this project's",
    )
    add_case_arguments(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers as they come")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="where to draw the residuals")
    parser.add_argument(
        "--publish", action="store_true", help="write docs/time-to-residual.md and its picture"
    )
    arguments = parser.parse_args()
    keep_freed_memory()
    missing: list[str] = []
    products: dict[str, list[Product]] = {}
    rows: list[Attempt] = []
    with sdpa_kernel(SDPBackend.MATH):
        for network in arguments.networks:
            case = Case.of(network, arguments)
            products[network] = time_products(case, arguments.rounds, missing)
            print(f"{network}: {'one product':34} {'seconds':>8} {'gradients':>10}")
            for product in products[network]:
                print(f"{product.tool:34} {product.seconds:8.3f} {product.gradients:10.2f}")
            for top in arguments.top:
                for row in attempts(network, case, top, arguments.at_most, missing):
                    rows.append(row)
                    print(row, flush=True)
                    _write(arguments.json, products, rows, missing)
    print("\n".join(table(rows)))
    for line in dict.fromkeys(missing):
        print(f"not measured: {line}")
    if arguments.picture:
        draw(rows, arguments.picture)
    if arguments.publish:
        publish(products, rows, arguments.images, torch.get_num_threads())


def _write(
    path: Path | None, products: dict[str, list[Product]], rows: list[Attempt], missing: list[str]
) -> None:
    if path is not None:
        report = {
            "products": {name: [asdict(row) for row in of] for name, of in products.items()},
            "attempts": [asdict(row) for row in rows],
            "missing": missing,
        }
        path.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""What a Hessian-vector product and five eigenvalues cost, here and in other packages, in one run.

    python -m benchmarks.curvature [--network resnet20|vit] [--images 200] [--json FILE]

All tools get the same batch, model and processor threads. The first table is of one product, as a
multiple of the time of one gradient of the plain model in eager mode (the median over rounds that
take the tools in turn). The second is of the five eigenvalues of largest magnitude; the residual
||H v - l v|| / |l| of every pair that a tool returns is measured by one and the same product: the
plain module's in float64.

Other tools are PyHessian (its own table of eigenvalues by power iteration), hessian-eigenthings
(Lanczos, told how many steps) and curvlinops with SciPy's eigsh. None of them looks for the
further copies of a repeated eigenvalue, so ours is there with and without. What is not installed
is left out and named. Attention runs in its plain form for all, since only then some of them can
work.
"""

import argparse
import copy
import json
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.surface import load_case, normalised
from landscape.curvature.operators import CurvatureOperator
from landscape.eigen.lanczos import lanczos
from landscape.models.vit import VisionTransformer
from landscape.objective.objective import Objective
from landscape.parameters.layout import flatten
from landscape.runtime.allocator import keep_freed_memory

TOP = 5


@dataclass(frozen=True)
class Product:
    """Seconds of one product, and how many gradients that is."""

    tool: str
    seconds: float
    gradients: float


@dataclass(frozen=True)
class Search:
    """Seconds for the top eigenvalues; products, where the tool tells; true relative residuals."""

    tool: str
    seconds: float
    products: int | None
    eigenvalues: list[float]
    residuals: list[float]


class Case:
    """One batch and a model, in the forms that the tools want."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        model, pixels, self.targets = load_case(arguments)
        scaled = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255)
        self.inputs = normalised(scaled)
        if arguments.network == "vit":
            torch.manual_seed(0)
            model = VisionTransformer(
                image_size=32, patch_size=4, dim=192, depth=6, heads=3, mlp_dim=768, num_classes=10
            ).eval()
        self.model = model

    def objective(self, dtype: torch.dtype = torch.float32) -> Objective:
        """The mean loss of the batch."""
        data = self.inputs, self.targets
        return Objective(self.model, data, device="cpu", dtype=dtype, verify=False)

    def fresh_model(self) -> nn.Module:
        """One that a tool may do with what it likes."""
        return copy.deepcopy(self.model)


def gradient(case: Case) -> Callable[[], Any]:
    """One gradient of the plain model."""
    model = case.fresh_model()
    parameters = list(model.parameters())
    return lambda: torch.autograd.grad(
        F.cross_entropy(model(case.inputs), case.targets), parameters
    )


def our_product(case: Case) -> Callable[[Tensor], Any]:
    """Graphs kept, as an analysis with many products has them."""
    return CurvatureOperator(case.objective()).matvec


def our_plain_product(case: Case) -> Callable[[Tensor], Any]:
    """The plain double backward that certifies."""
    return case.objective().hessian_product


def pyhessian_product(case: Case) -> Callable[[Tensor], Any]:
    """PyHessian's, on the graph that it keeps of a single batch."""
    from pyhessian.utils import hessian_vector_product

    computer = _pyhessian(case)

    def multiply(vector: Tensor) -> Any:
        pieces = vector.split([p.numel() for p in computer.params])
        shaped = [a.view_as(b) for a, b in zip(pieces, computer.params, strict=True)]
        return hessian_vector_product(computer.gradsH, computer.params, shaped)

    return multiply


def pyhessian_loader_product(case: Case) -> Callable[[Tensor], Any]:
    """PyHessian's with a data loader, the way it takes more than one batch: no graph is kept."""
    computer = _pyhessian(case, dataloader=[(case.inputs, case.targets)])
    shapes = [parameter.shape for parameter in computer.params]

    def multiply(vector: Tensor) -> Any:
        pieces = vector.split([shape.numel() for shape in shapes])
        shaped = [piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)]
        return computer.dataloader_hv_product(shaped)

    return multiply


def eigenthings_product(case: Case) -> Callable[[Tensor], Any]:
    """hessian-eigenthings'."""
    multiply: Callable[[Tensor], Any] = _eigenthings(case).matvec
    return multiply


def curvlinops_product(case: Case) -> Callable[[Tensor], Any]:
    """curvlinops'."""
    operator = _curvlinops(case)
    return lambda vector: operator @ vector


def our_search(multiplicity: bool) -> Callable[..., tuple[Tensor, int | None]]:
    """Lanczos until residuals are within --tolerance, with or without a search for multiplicity."""

    def search(case: Case, arguments: argparse.Namespace) -> tuple[Tensor, int | None]:
        objective = case.objective()
        operator = CurvatureOperator(objective)
        found = lanczos(
            operator,
            TOP,
            torch.Generator().manual_seed(0),
            tolerance=arguments.tolerance,
            hint=objective.gradient(),
            multiplicity=multiplicity,
        )
        return found.vectors, operator.products

    return search


def pyhessian_search(tolerance: float) -> Callable[..., tuple[Tensor, int | None]]:
    """PyHessian's power iterations at a tolerance of its own kind."""

    def search(case: Case, _: argparse.Namespace) -> tuple[Tensor, int | None]:
        _, vectors = _pyhessian(case).eigenvalues(maxIter=1000, tol=tolerance, top_n=TOP)
        return torch.stack([flatten(vector).detach() for vector in vectors], 1), None

    return search


def eigenthings_search(case: Case, arguments: argparse.Namespace) -> tuple[Tensor, int | None]:
    """hessian-eigenthings' Lanczos, told how many steps."""
    from hessian_eigenthings import lanczos as their_lanczos

    found = their_lanczos(
        _eigenthings(case), k=TOP, max_iter=arguments.steps, reorthogonalize=True, seed=0
    )
    vectors = torch.as_tensor(found.eigenvectors)
    return (vectors if len(vectors) > TOP else vectors.T), arguments.steps


def curvlinops_search(case: Case, arguments: argparse.Namespace) -> tuple[Tensor, int | None]:
    """SciPy's eigsh on curvlinops' operator."""
    from scipy.sparse.linalg import eigsh

    operator = _curvlinops(case)
    start = np.random.default_rng(0).standard_normal(operator.shape[1]).astype(np.float32)
    _, vectors = eigsh(operator.to_scipy(), k=TOP, which="LM", tol=1e-2, v0=start)
    return torch.from_numpy(vectors.copy()), None


def _pyhessian(case: Case, dataloader: Any = None) -> Any:
    import pyhessian

    data = None if dataloader else (case.inputs, case.targets)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it keeps its graph on purpose, and torch warns of that
        return pyhessian.hessian(
            case.fresh_model(), F.cross_entropy, data=data, dataloader=dataloader, cuda=False
        )


def _eigenthings(case: Case) -> Any:
    from hessian_eigenthings import HessianOperator as Theirs
    from hessian_eigenthings import supervised_loss

    batches = [(case.inputs, case.targets)]
    return Theirs(case.fresh_model(), batches, supervised_loss(F.cross_entropy))


def _curvlinops(case: Case) -> Any:
    from curvlinops import HessianLinearOperator

    model = case.fresh_model()
    batches = [(case.inputs, case.targets)]
    loss = nn.CrossEntropyLoss()
    parameters = list(model.parameters())
    return HessianLinearOperator(model, loss, parameters, batches, check_deterministic=False)


PRODUCTS: dict[str, Callable[[Case], Callable[[Tensor], Any]]] = {
    "this project": our_product,
    "this project, plain module": our_plain_product,
    "PyHessian": pyhessian_product,
    "PyHessian, data loader": pyhessian_loader_product,
    "hessian-eigenthings": eigenthings_product,
    "curvlinops": curvlinops_product,
}
SEARCHES: dict[str, Callable[..., tuple[Tensor, int | None]]] = {
    "this project": our_search(multiplicity=True),
    "this project, no look for copies": our_search(multiplicity=False),
    "hessian-eigenthings": eigenthings_search,
    "curvlinops + eigsh, tol 1e-2": curvlinops_search,
}


def time_products(case: Case, rounds: int, missing: list[str]) -> list[Product]:
    """Rounds that take a gradient and every tool's product in turn."""
    size = sum(p.numel() for p in case.model.parameters())
    vector = torch.randn(size, generator=torch.Generator().manual_seed(0))
    calls = {"gradient": gradient(case)}
    for tool, prepare in PRODUCTS.items():
        try:
            multiply = prepare(case)
        except ImportError as error:
            missing.append(f"{tool}: {error}")
            continue
        calls[tool] = partial(multiply, vector)
    seconds: dict[str, list[float]] = {tool: [] for tool in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for tool, call in calls.items():
            started = time.perf_counter()
            call()
            seconds[tool].append(time.perf_counter() - started)
    return [
        Product(tool, statistics.median(times), _ratio(times, seconds["gradient"]))
        for tool, times in seconds.items()
    ]


def time_searches(case: Case, arguments: argparse.Namespace, missing: list[str]) -> list[Search]:
    """Every tool once."""
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
            continue  # named with its product
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
    parser.add_argument("--steps", type=int, default=17, help="what hessian-eigenthings is told")
    parser.add_argument(
        "--pyhessian",
        type=float,
        nargs="*",
        default=[1e-3, 1e-5],
        metavar="TOLERANCE",
        help="the tolerances of its own kind at which PyHessian looks for eigenvalues",
    )
    parser.add_argument("--data-dir", help="an image folder with train/CLASS/PICTURE")
    parser.add_argument("--checkpoint", help="weights of a network of your own, with --model")
    parser.add_argument("--model", help="as for landscape-plot")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    keep_freed_memory()
    missing: list[str] = []
    with sdpa_kernel(SDPBackend.MATH):
        case = Case(arguments)
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
        found = {
            "products": [asdict(product) for product in products],
            "searches": [asdict(row) for row in searches],
            "missing": missing,
        }
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()

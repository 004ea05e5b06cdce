"""The cost of a whole Hessian report and of its parts, on a ViT of twelve blocks.

    python -m benchmarks.spectrum            about five minutes on two cores
    python -m benchmarks.spectrum --json FILE

Two questions: the components' eigenvalues against the whole network's first one, and the whole
report (top 10, density, trace, components, certificates, sampling error) against the density
alone. Each in products over the sample and in seconds, one after the other in one process.
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from analyses import hessian
from landscape.curvature.blocks import block_eigenvalues
from landscape.curvature.operators import CurvatureOperator
from landscape.eigen.eigenpairs import Eigenpairs
from landscape.eigen.lanczos import lanczos
from landscape.eigen.operator import rademacher_vectors
from landscape.eigen.quadrature import stochastic_lanczos
from landscape.eigen.rayleigh_ritz import RitzSubspace
from landscape.models.vit import VisionTransformer
from landscape.objective.objective import Objective
from landscape.parameters.components import components
from landscape.runtime.machine.allocator import keep_freed_memory

STEPS = 40  # of training, so that the spectrum is that of a trained network


@dataclass(frozen=True)
class Cost:
    """The cost of a part: products with the whole Hessian, with blocks of it, and seconds."""

    part: str
    products: int
    block_products: int
    seconds: float
    largest_residual: float


def make_case(images: int, width: int) -> Objective:
    """A ViT of twelve blocks, trained shortly on pictures of ten patterns with noise."""
    torch.manual_seed(0)
    model = VisionTransformer(
        image_size=32,
        patch_size=4,
        dim=width,
        depth=12,
        heads=3,
        mlp_dim=4 * width,
        num_classes=10,
    )
    targets = torch.arange(images) % 10
    patterns = torch.randn(10, 3, 32, 32)
    inputs = patterns[targets] + torch.randn(images, 3, 32, 32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(STEPS):
        optimizer.zero_grad()
        F.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
    return Objective(model.eval(), (inputs, targets), device="cpu")


def top_eigenvalue(objective: Objective) -> tuple[Cost, Eigenpairs]:
    """The first eigenvalue of the whole network, certified."""
    started = time.perf_counter()
    operator = CurvatureOperator(objective)
    hint = objective.gradient()
    pairs = lanczos(operator, 1, torch.Generator().manual_seed(0), hint=hint)
    return _cost("first eigenvalue", operator, started, float(pairs.residuals.max())), pairs


def all_components(objective: Objective, pairs: Eigenpairs) -> Cost:
    """The first eigenvalue of every component, certified, given that of the whole network."""
    started = time.perf_counter()
    operator = CurvatureOperator(objective)
    groups = components(objective.module, objective.layout)
    generator = torch.Generator().manual_seed(0)
    subspace = RitzSubspace.of(pairs)
    eigenpairs = block_eigenvalues(operator, groups, generator, subspace=subspace)
    largest = max(float(component.residuals[0]) for component in eigenpairs.values())
    return _cost(f"{len(groups)} components", operator, started, largest)


def density_alone(objective: Objective, settings: hessian.Settings) -> Cost:
    """The spectral density alone."""
    started = time.perf_counter()
    operator = CurvatureOperator(objective)
    generator = torch.Generator().manual_seed(0)
    probes = rademacher_vectors(operator, settings.probes, generator)
    stochastic_lanczos(operator, probes, settings.density_steps, generator)
    return _cost("density", operator, started, 0.0)


def whole_report(objective: Objective, settings: hessian.Settings) -> Cost:
    """Everything that the report contains."""
    started = time.perf_counter()
    spectrum = hessian.compute(objective, settings)
    assert spectrum is not None
    whole = spectrum.products - spectrum.block_products
    seconds = time.perf_counter() - started
    return Cost("report", whole, spectrum.block_products, seconds, float(spectrum.residuals.max()))


def _cost(part: str, operator: CurvatureOperator, started: float, residual: float) -> Cost:
    seconds = time.perf_counter() - started
    return Cost(part, operator.counter.whole, operator.counter.blocks, seconds, residual)


def main() -> None:
    """Print the table and the two ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--width", type=int, default=96)
    parser.add_argument("--probes", type=int, default=6, help="0: components alone")
    parser.add_argument("--density-steps", type=int, default=40)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    keep_freed_memory()
    objective = make_case(arguments.images, arguments.width)
    settings = hessian.Settings(
        top=10, probes=arguments.probes, density_steps=arguments.density_steps
    )
    top_eigenvalue(objective)  # whatever is slow the first time
    first, pairs = top_eigenvalue(objective)
    parts = all_components(objective, pairs)
    rows = [first, parts]
    if arguments.probes:
        rows += [density_alone(objective, settings), whole_report(objective, settings)]
    print(f"{objective.num_parameters:,} parameters, {objective.num_samples} pictures")
    print(f"{'part':20} {'products':>9} {'of blocks':>10} {'seconds':>8} {'residual':>9}")
    for row in rows:
        residual = f"{row.largest_residual:.0e}" if row.largest_residual else "–"
        counts = f"{row.products:9d} {row.block_products:10d}"
        print(f"{row.part:20} {counts} {row.seconds:8.1f} {residual:>9}")
    print(f"components / first eigenvalue: {parts.seconds / first.seconds:.2f} in seconds")
    if arguments.probes:
        density, report = rows[2:]
        all_products = report.products + report.block_products
        print(
            f"report / density: {all_products / density.products:.2f} in products, "
            f"{report.seconds / density.seconds:.2f} in seconds"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()

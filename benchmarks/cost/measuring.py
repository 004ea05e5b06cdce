"""Counts of an analysis of one size, beside what its formulas say."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from analyses.catalog import known_analyses
from benchmarks.cost.cases import BATCH, CASES, Size, measurement, objective_of
from benchmarks.cost.counting import Calls, count
from benchmarks.cost.formulas import COSTS, Cost
from landscape.curvature.preactivation import few_samples, preactivation_hessians
from landscape.curvature.products import LocalProducts, ProductRequest
from landscape.hooks.dense_layers import dense_layers
from landscape.measures.tangent_kernel import jacobian_rows
from landscape.models.vit import VisionTransformer
from landscape.objective.objective import Objective
from landscape.parameters.components import components
from landscape.parameters.groups import Group, tensors_group

# The samples of a product of minibatch; recursion's are as many as it is asked for.
MINIBATCH = 8


@dataclass(frozen=True)
class Units:
    """What a pass of one sample takes, in floating-point operations, and a batch in bytes."""

    forward: float
    gradient: float
    inputs: float
    product: float
    block: float
    layer_block: float
    layer: float
    row: float
    forward_bytes: int
    gradient_bytes: int
    graph_bytes: float


@dataclass(frozen=True)
class Measured:
    """What was counted of an analysis of one size, and what the formulas give.

    Attributes:
        varied: what varies in the series that it belongs to.
        sizes: the values of the symbols.
        passes, operations, peak, file: pairs of count and formula.
    """

    analysis: str
    varied: str
    sizes: dict[str, float]
    passes: tuple[float, float]
    operations: tuple[float, float]
    peak: tuple[float, float]
    file: tuple[float, float]


@cache
def units_of(width: int, samples: int) -> Units:
    """The units of the network of a size."""
    objective = objective_of(Size(width, samples))
    batch = objective.batches[0]
    forward = _operations(objective, objective.loss)
    gradient = count(objective.gradient, VisionTransformer)
    products = LocalProducts(objective)
    whole = torch.randn(objective.num_parameters, 1)
    products([ProductRequest(whole)])  # makes the graphs
    groups = list(components(objective.module, objective.layout).values())
    few = few_samples(objective, MINIBATCH, torch.Generator().manual_seed(0))
    layers, _ = dense_layers(objective)
    names = list(few.layout.names)
    of_layers = [
        tensors_group(few.layout, [names.index(layer.weight)])
        for layer in layers
        if layer.weight in names
    ]
    with few.second_derivatives():
        hessians, _ = preactivation_hessians(few, layers, few.batches[0])
        layer = sum(
            count(
                lambda hessian=hessian: hessian.products(
                    torch.randn(hessian.count, hessian.size, dtype=few.dtype)
                ),
                VisionTransformer,
            ).operations
            for hessian in hessians.values()
        )
    rows = [
        count(lambda n=n: jacobian_rows(objective.module, batch, range(n)), VisionTransformer)
        for n in (2, 3)
    ]
    images = batch.inputs.clone().requires_grad_()

    def differentiate_inputs() -> None:
        loss = objective.loss_of(objective.forward(batch.with_inputs(images)), batch)
        torch.autograd.grad(loss, [images])

    return Units(
        forward=forward,
        gradient=gradient.operations / samples,
        inputs=count(differentiate_inputs, VisionTransformer).operations / batch.size,
        product=_operations(objective, lambda: products([ProductRequest(whole)])),
        block=_block_operations(objective, products, groups),
        layer_block=_block_operations(few, LocalProducts(few), of_layers),
        layer=layer / few.num_samples / len(hessians),
        row=(rows[1].operations - rows[0].operations) / batch.size,
        forward_bytes=count(objective.loss, VisionTransformer).peak,
        gradient_bytes=gradient.peak,
        graph_bytes=products._graph_bytes(batch) / batch.size,
    )


def _operations(objective: Objective, call: object) -> float:
    return count(call, VisionTransformer).operations / objective.num_samples


def _block_operations(
    objective: Objective, products: LocalProducts, groups: list[Group]
) -> float:
    """The operations of a product with a block, the mean over blocks and samples."""
    requests = [
        ProductRequest(torch.randn(group.size, 1, dtype=objective.dtype), group)
        for group in groups
    ]
    products(requests)
    return _operations(objective, lambda: products(requests)) / len(requests)


def measure(name: str, varied: str, size: Size) -> Measured:
    """Count an analysis of one size."""
    cost, case = COSTS[name], CASES[name]
    objective = objective_of(size)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        settings, keywords = measurement(name, size, objective, folder)
        analysis = known_analyses()[name]
        counts = count(
            lambda: analysis.compute(objective, settings, **keywords), VisionTransformer
        )
        file = folder / "result.h5"
        counts.value.save(file)
        file_bytes = file.stat().st_size
    units = units_of(size.width, size.samples)
    asked = case.asked(size.asked)
    sizes = _sizes(name, asked, objective, counts.calls, units)
    return Measured(
        analysis=name,
        varied=varied,
        sizes=sizes,
        passes=(counts.calls.forwards, cost.passes(sizes)),
        operations=(counts.operations, operations_of(cost, sizes, units, name)),
        peak=(counts.peak, cost.peak.value(sizes)),
        file=(file_bytes, cost.file.value(sizes)),
    )


def operations_of(cost: Cost, sizes: Mapping[str, float], units: Units, name: str = "") -> float:
    """The floating-point operations that the formulas of an analysis give."""
    block = units.layer_block if name == "recursion" else units.block
    pairs = (
        (cost.forwards, units.forward),
        (cost.gradients, units.gradient),
        (cost.inputs, units.inputs),
        (cost.products, units.product),
        (cost.blocks, block),
        (cost.layers, units.layer),
        (cost.rows, units.row),
        (cost.operations, 1.0),
    )
    return sum(formula.value(sizes) * unit for formula, unit in pairs)


def _sizes(
    name: str, asked: int, objective: Objective, calls: Calls, units: Units
) -> dict[str, float]:
    samples = objective.num_samples
    of_product = {"minibatch": MINIBATCH, "recursion": asked}.get(name, samples)
    products = calls.whole / of_product
    processes = asked if name in ("minibatch", "sharpness") else 2 if name == "similarity" else 1
    return {
        "N": samples,
        "B": BATCH,
        "k": asked,
        "s": products,
        "b": calls.blocks / of_product,
        "l": calls.layers,
        "d": calls.twins / samples,
        "u": calls.gradients / samples,
        "r": rows_of_basis(products / processes),
        "p": objective.num_parameters,
        "m": 5 * (2 * objective.module.head.in_features) ** 2,
        "P": objective.num_parameters * objective.theta.element_size(),
        "A": units.forward_bytes,
        "E": units.gradient_bytes,
        "H": units.graph_bytes,
    }


def rows_of_basis(steps: float) -> int:
    """The rows in memory at the peak of a basis, which begins with 16 and doubles by copying."""
    rows = 16
    if steps < rows:
        return rows
    while rows <= steps:
        rows *= 2
    return rows + rows // 2


def as_record(measured: Measured) -> dict[str, object]:
    """What was measured, for a JSON file."""
    return asdict(measured)

"""Counts of an analysis of one size, beside what its formulas say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import torch

from analyses.catalog import known_analyses
from benchmarks.cost.cases import BATCH, CASES, MLP_RATIO, TOKENS, Size, measurement, objective_of
from benchmarks.cost.counting import Calls, count, operations_of
from benchmarks.cost.formulas import COSTS, Formula
from landscape.curvature.forward_mode import sample_curvatures
from landscape.curvature.preactivation import (
    PreactivationHessian,
    few_samples,
    preactivation_hessians,
)
from landscape.curvature.products import LocalProducts
from landscape.curvature.requests import ProductRequest
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
    """What a pass of one sample takes, in floating-point operations, and a batch in bytes.

    Blocks are those of components, mean and by size; ``layer_blocks`` those of the weights of dense
    layers.
    """

    width: int
    forward: float
    gradient: float
    inputs: float
    product: float
    block: float
    layer_block: float
    layer: float
    blocks: dict[str, float]
    layer_blocks: dict[str, float]
    layers: dict[str, float]
    row: float
    along: float
    block_along: float
    layer_block_along: float
    forward_bytes: int
    graph_bytes: float


@dataclass(frozen=True)
class Measured:
    """What was counted of an analysis of one size.

    Attributes:
        analysis: its name.
        varied: what varies in the series that it belongs to.
        width: of the network.
        sizes: the values of the symbols of formulas.
        passes: how often the network was called with a sample.
        operations: floating-point operations of matrix products and convolutions.
        peak: bytes of tensors at their peak.
        file: bytes of the result's file.
    """

    analysis: str
    varied: str
    width: int
    sizes: dict[str, float]
    passes: int
    operations: int
    peak: int
    file: int

    def expected(self, quantity: str, units: Units) -> float:
        """What the formulas say of ``passes``, ``operations``, ``peak`` or ``file``."""
        cost = COSTS[self.analysis]
        if quantity == "passes":
            return cost.passes(self.sizes)
        if quantity == "operations":
            return _expected_operations(self.analysis, self.sizes, units)
        formula: Formula = getattr(cost, quantity)
        return formula.value(self.sizes)


@cache
def units_of(width: int) -> Units:
    """The units of the network of a width."""
    objective = objective_of(Size(width))
    batch = objective.batches[0]
    forward = _operations(objective, objective.loss)
    products = LocalProducts(objective)
    whole = torch.randn(objective.num_parameters, 1)
    products([ProductRequest(whole)])  # makes the graphs
    groups = list(components(objective.module, objective.layout).values())
    few = few_samples(objective, MINIBATCH, torch.Generator().manual_seed(0))
    layers, _ = dense_layers(objective)
    names = list(few.layout.names)
    weights = [
        tensors_group(few.layout, [names.index(layer.weight)])
        for layer in layers
        if layer.weight in names
    ]
    with few.second_derivatives():
        hessians, _ = preactivation_hessians(few, layers, few.batches[0])
        of_layers = [(each.size, _layer_operations(each)) for each in hessians.values()]
    few_products = LocalProducts(few)
    of_weights = [(each.size, _block_operations(few, few_products, each)) for each in weights]
    of_components = [(each.size, _block_operations(objective, products, each)) for each in groups]
    rows = [_row_operations(objective, outputs) for outputs in (2, 3)]
    images = batch.inputs.clone().requires_grad_()

    def differentiate_inputs() -> None:
        loss = objective.loss_of(objective.forward(batch.with_inputs(images)), batch)
        torch.autograd.grad(loss, [images])

    return Units(
        width=width,
        forward=forward,
        gradient=_operations(objective, objective.gradient),
        inputs=operations_of(differentiate_inputs) / batch.size,
        product=_operations(objective, lambda: products([ProductRequest(whole)])),
        block=mean(operations for _, operations in of_components),
        layer_block=mean(operations for _, operations in of_weights),
        layer=mean(operations for _, operations in of_layers),
        blocks=_by_size(of_components),
        layer_blocks=_by_size(of_weights),
        layers=_by_size(of_layers),
        row=(rows[1] - rows[0]) / batch.size,
        along=_along_operations(objective, [ProductRequest(whole)]),
        block_along=_along_operations(objective, _requests(objective, groups)),
        layer_block_along=_along_operations(few, _requests(few, weights)),
        forward_bytes=count(objective.loss, VisionTransformer).peak,
        graph_bytes=products._graph_bytes(batch) / batch.size,
    )


def _operations(objective: Objective, call: Callable[[], Any]) -> float:
    """The operations of a call over the whole sample, for each sample."""
    return operations_of(call) / objective.num_samples


def _by_size(pairs: Sequence[tuple[int, float]]) -> dict[str, float]:
    """The mean of the numbers of each size; keys are those of a JSON file."""
    return {
        str(size): mean(number for other, number in pairs if other == size) for size, _ in pairs
    }


def _weighted(tally: Mapping[int, int], by_size: Mapping[str, float], unit: float) -> float:
    """How many products of the mean cost those of each size are worth."""
    return sum(count * by_size[str(size)] for size, count in tally.items()) / unit


def _layer_operations(hessian: PreactivationHessian) -> float:
    vectors = torch.randn(hessian.count, hessian.size, dtype=hessian.dtype)
    return operations_of(lambda: hessian.products(vectors)) / hessian.count


def _row_operations(objective: Objective, outputs: int) -> int:
    """The operations of the derivatives of some outputs of a batch."""
    module, batch = objective.module, objective.batches[0]
    return operations_of(lambda: jacobian_rows(module, batch, range(outputs)))


def _block_operations(objective: Objective, products: LocalProducts, group: Group) -> float:
    """The operations of a product with a block, the mean over samples."""
    requests = _requests(objective, [group])
    products(requests)
    return _operations(objective, lambda: products(requests))


def _requests(objective: Objective, groups: Sequence[Group]) -> list[ProductRequest]:
    return [
        ProductRequest(torch.randn(group.size, 1, dtype=objective.dtype), group) for group in groups
    ]


def _along_operations(objective: Objective, requests: Sequence[ProductRequest]) -> float:
    """The operations of a second derivative along a vector, the mean over vectors and samples."""

    def differentiate() -> None:
        for batch in objective.batches:
            assert sample_curvatures(objective, requests, batch) is not None

    return _operations(objective, differentiate) / len(requests)


def measure(name: str, varied: str, size: Size) -> Measured:
    """Count an analysis of one size."""
    objective = objective_of(size)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        settings, keywords = measurement(name, size, objective, folder)
        analysis = known_analyses()[name]
        counts = count(lambda: analysis.compute(objective, settings, **keywords), VisionTransformer)
        file = folder / "result.h5"
        counts.value.save(file)
        file_bytes = file.stat().st_size
    k = CASES[name].k_of(size.value)
    sizes = _sizes(name, k, objective, counts.calls, units_of(size.width))
    return Measured(
        analysis=name,
        varied=varied,
        width=size.width,
        sizes=sizes,
        passes=counts.calls.forwards,
        operations=counts.operations,
        peak=counts.peak,
        file=file_bytes,
    )


def _expected_operations(name: str, sizes: Mapping[str, float], units: Units) -> float:
    cost = COSTS[name]
    block, block_along = units.block, units.block_along
    if name == "recursion":
        block, block_along = units.layer_block, units.layer_block_along
    pairs = (
        (cost.forwards, units.forward),
        (cost.gradients, units.gradient),
        (cost.inputs, units.inputs),
        (cost.products, units.product),
        (cost.blocks, block),
        (cost.layers, units.layer),
        (cost.rows, units.row),
        (cost.along, units.along),
        (cost.along_blocks, block_along),
        (cost.operations, 1.0),
    )
    return sum(formula.value(sizes) * unit for formula, unit in pairs)


def _sizes(name: str, k: int, objective: Objective, calls: Calls, units: Units) -> dict[str, float]:
    samples = objective.num_samples
    of_product = {"minibatch": MINIBATCH, "recursion": k}.get(name, samples)
    products = calls.whole / of_product
    by_size, block = units.blocks, units.block
    if name == "recursion":
        by_size, block = units.layer_blocks, units.layer_block
    processes = k if name in ("minibatch", "sharpness") else 2 if name == "similarity" else 1
    return {
        "N": samples,
        "B": BATCH,
        "k": k,
        "s": products,
        "b": _weighted(calls.blocks, by_size, block) / of_product,
        "l": _weighted(calls.layers, units.layers, units.layer) if name == "recursion" else 0,
        "v": calls.along / of_product,
        "w": calls.along_blocks / of_product,
        "d": calls.twins / samples,
        "u": calls.gradients / samples,
        "r": rows_of_basis(products / processes),
        "q": min(BATCH, samples // 2),
        "p": objective.num_parameters,
        "m": TOKENS * (MLP_RATIO * units.width) ** 2,
        "P": objective.num_parameters * objective.theta.element_size(),
        "A": units.forward_bytes,
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

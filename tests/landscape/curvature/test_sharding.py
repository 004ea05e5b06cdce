"""Samples sharded over several ranks: the same products, and the same eigenvalues."""

import json

import pytest
import torch

from landscape.curvature.products import LocalProducts
from landscape.curvature.requests import ProductRequest
from landscape.curvature.sharding import shard_of
from landscape.data.batches import Batch
from landscape.objective.objective import Objective
from tests.landscape.curvature import sharded
from tests.oracles.cases import BY_NAME
from tests.profile import repeats
from tests.warm import Warm


@pytest.fixture(scope="module")
def warm(server, tmp_path_factory):
    """Starts ranks that measure a spectrum."""
    warm = Warm(server, tmp_path_factory.mktemp("warm"), "sharded")
    yield warm
    warm.close()


@pytest.mark.parametrize("sizes", [[5, 5, 3], [1], [7, 1, 1, 1, 9], [2, 2]])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_every_sample_has_one_rank(sizes, count):
    starts = [sum(sizes[:k]) for k in range(len(sizes))]
    batches = [
        Batch(torch.arange(start, start + size), torch.arange(start, start + size), size)
        for start, size in zip(starts, sizes, strict=True)
    ]
    shards = [shard_of(batches, rank, count) for rank in range(count)]
    samples = [sample for shard in shards for batch in shard for sample in batch.inputs.tolist()]
    assert samples == list(range(sum(sizes)))
    lengths = [sum(batch.size for batch in shard) for shard in shards]
    assert max(lengths) - min(lengths) <= 1
    assert all(batch.size == len(batch.inputs) > 0 for shard in shards for batch in shard)


@pytest.mark.parametrize("name", ["vit", "resnet with batch norm"][: repeats(1, 2)])
@pytest.mark.parametrize("count", [2, 9, 3][: repeats(2, 3)])
def test_the_shards_add_up(name, count):
    case = BY_NAME[name]
    objective = Objective(
        case.model(), case.data, case.loss, batch_size=3, device="cpu", dtype=torch.float64
    )
    vectors = torch.randn(objective.num_parameters, 2, dtype=torch.float64)
    total, gradient = torch.zeros_like(vectors), torch.zeros_like(objective.theta)
    for rank in range(count):
        shard = shard_of(objective.batches, rank, count)
        products = LocalProducts(objective, batches=shard, total_weight=objective.total_weight)
        total += products([ProductRequest(vectors)])[0]
        total += products([ProductRequest(vectors)], exact=True)[0]
        gradient += products.gradient()
    expected = 2 * case.hessian() @ vectors
    torch.testing.assert_close(total, expected, rtol=0, atol=1e-10 * expected.abs().max().item())
    torch.testing.assert_close(gradient, case.gradient(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["vit", "resnet with batch norm"][: repeats(1, 2)])
@pytest.mark.parametrize("count", [2, 1, 3][: repeats(1, 3)])
def test_eigenvalues_are_the_same_for_any_number_of_ranks(warm, name, count):
    ranks = warm.start_ranks(name, count=count)
    assert [rank.end() for rank in ranks] == [0] * count, [rank.err for rank in ranks]
    measured = json.loads(ranks[0].out)
    assert not any(rank.out for rank in ranks[1:])
    for key, values in sharded.measure(name).items():
        torch.testing.assert_close(
            torch.tensor(measured[key]), torch.tensor(values), rtol=1e-5, atol=1e-7
        )


def test_columns_of_a_transposed_matrix_have_the_same_products(warm):
    ranks = warm.start_ranks("products", count=2)
    assert [rank.end() for rank in ranks] == [0, 0], [rank.err for rank in ranks]
    for kind, expected in sharded.products().items():
        measured = torch.tensor(json.loads(ranks[0].out)[kind])
        torch.testing.assert_close(measured, torch.tensor(expected), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [8, 5])
def test_slices_that_count_nothing_add_nothing(count, batch_size):
    inputs, labels = torch.randn(8, 4), torch.tensor([0] * 4 + [1, 2, 1, 2])
    objective = Objective(
        torch.nn.Linear(4, 3),
        (inputs, labels),
        torch.nn.CrossEntropyLoss(weight=torch.tensor([0.0, 1.0, 1.0])),
        batch_size=batch_size,
        device="cpu",
        dtype=torch.float64,
    )
    vectors = torch.randn(objective.num_parameters, 2, dtype=torch.float64)
    total = torch.zeros_like(vectors)
    for rank in range(count):
        shard = shard_of(objective.batches, rank, count)
        products = LocalProducts(objective, batches=shard, total_weight=objective.total_weight)
        total += products([ProductRequest(vectors)])[0]
    torch.testing.assert_close(total, objective.hessian_product(vectors))

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from landscape.data.batches import Batch, rebatch
from landscape.data.resident import is_batched
from landscape.data.batching import (
    CACHE_BYTES,
    GPU_BYTES,
    LARGEST,
    SMALLEST,
    choose_batch_size,
)
from tests.profile import repeats

CPU = torch.device("cpu")
INPUTS, TARGETS = torch.arange(14.0).view(7, 2), torch.arange(7)


@pytest.mark.parametrize(
    ("floats", "expected"),
    [(1, 1024), (512, 1024), (513, 512), (1024, 512), (5000, 64), (32768, 16), (10**6, 16)],
)
def test_the_largest_result_of_a_sample_decides(floats, expected):
    def forward():
        return (torch.zeros(floats) + 1.0).sum()

    assert choose_batch_size(forward, CPU) == expected


@settings(max_examples=repeats(10, 50), deadline=None, database=None)
@given(floats=st.integers(0, 10**6), device=st.sampled_from(["cpu", "cuda"]))
def test_batch_sizes_are_powers_of_two_that_fit(floats, device):
    size = choose_batch_size(lambda: torch.zeros(floats), torch.device(device))
    budget = {"cpu": CACHE_BYTES, "cuda": GPU_BYTES}[device]
    assert size & (size - 1) == 0
    assert SMALLEST <= size <= LARGEST
    assert size == SMALLEST or size * 4 * floats <= budget
    assert size == LARGEST or 2 * size * 4 * floats > budget


def test_precision_counts():
    def forward(dtype):
        return lambda: torch.zeros(2048, dtype=dtype)

    assert choose_batch_size(forward(torch.float32), CPU) == 256
    assert choose_batch_size(forward(torch.float64), CPU) == 128


def test_results_in_between_count_and_weights_do_not():
    model = nn.Sequential(nn.Linear(4, 8192, bias=False), nn.Linear(8192, 4, bias=False))
    assert choose_batch_size(lambda: model(torch.ones(1, 4)), CPU) == 64
    wide = nn.Linear(4096, 64)
    assert choose_batch_size(lambda: wide(torch.ones(4096)), CPU) == 128  # of the picture itself
    picture = torch.ones(1, 4096)
    assert choose_batch_size(lambda: wide(picture), CPU) == 1024


def test_one_of_several_results_counts():
    def forward():
        return torch.zeros(1, 4096).max(0)

    assert choose_batch_size(forward, CPU) == 64  # the indices, of 8 bytes each


# -------------------------------------------------------------------------------------- rebatch


def batches_of(sizes, structure=lambda x: x):
    pieces = torch.arange(2.0 * sum(sizes)).view(-1, 2).split(sizes)
    numbers = torch.arange(sum(sizes)).split(sizes)
    return [Batch(structure(x), y, len(y)) for x, y in zip(pieces, numbers, strict=True)]


@settings(max_examples=repeats(10, 60), deadline=None, database=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6), batch_size=st.integers(1, 60))
def test_rebatching_keeps_the_samples(sizes, batch_size):
    before = batches_of(sizes)
    after = rebatch(before, batch_size)
    total = sum(sizes)
    assert [b.size for b in after[:-1]] == [batch_size] * ((total - 1) // batch_size)
    assert sum(b.size for b in after) == total
    assert all(len(b.inputs) == len(b.targets) == b.size for b in after)
    assert torch.equal(torch.cat([b.inputs for b in after]), torch.cat([b.inputs for b in before]))
    assert torch.cat([b.targets for b in after]).tolist() == list(range(total))


@pytest.mark.parametrize(
    ("sizes", "batch_size"), [([3, 3, 1], 3), ([3, 3], 3), ([2], 3), ([3], 3)], ids=str
)
def test_batches_of_the_right_size_are_left(sizes, batch_size):
    before = batches_of(sizes)
    after = rebatch(before, batch_size)
    assert [id(batch) for batch in after] == [id(batch) for batch in before]


def test_structures_are_rebatched():
    before = batches_of([4, 4, 2], lambda x: {"a": x, "b": (x + 1, x[:, 0].long())})
    after = rebatch(before, 3)
    assert [batch.size for batch in after] == [3, 3, 3, 1]
    expected = torch.arange(20.0).view(10, 2)
    for k, batch in enumerate(after):
        rows = expected[3 * k : 3 * k + 3]
        first, second = batch.inputs["b"]
        assert torch.equal(batch.inputs["a"], rows)
        assert torch.equal(first, rows + 1)
        assert torch.equal(second, rows[:, 0].long())


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ((INPUTS, TARGETS), False),
        ((INPUTS.numpy(), np.arange(7)), False),
        (TensorDataset(INPUTS, TARGETS), False),
        (DataLoader(TensorDataset(INPUTS, TARGETS), batch_size=3), True),
        ([(INPUTS, TARGETS)], True),
        (((INPUTS, TARGETS), (INPUTS, TARGETS)), True),
        (iter([(INPUTS, TARGETS)]), True),
    ],
    ids=["tensors", "arrays", "dataset", "loader", "list", "two batches", "generator"],
)
def test_what_comes_in_batches(data, expected):
    assert is_batched(data) == expected


def test_choosing_does_not_import_the_compiler():
    program = (
        "import sys, torch; from landscape.data.batching import choose_batch_size;"
        "print(choose_batch_size(lambda: torch.zeros(8192) + 1, torch.device('cpu')),"
        "'torch._dynamo' in sys.modules)"
    )
    output = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert output.split() == ["64", "False"]

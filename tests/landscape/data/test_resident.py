"""Data without an end, and data of which a part is read."""

import itertools

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset

from landscape.data import resident
from landscape.data.resident import resident_batches
from landscape.errors import InputError

CPU = torch.device("cpu")


def endless(size=8):
    for k in itertools.count():
        yield torch.full((size, 2), float(k)), torch.full((size,), k)


class Stream(IterableDataset):
    def __iter__(self):
        return ((torch.zeros(2), k) for k in itertools.count())


@pytest.mark.parametrize("make", [endless, lambda: DataLoader(Stream(), batch_size=8), Stream])
def test_a_number_of_samples_stops_reading(make):
    batches = resident_batches(make(), 8, CPU, None, samples=20)
    assert [batch.size for batch in batches] == [8, 8, 4]


def test_data_without_an_end_are_refused_with_the_memory_they_take(monkeypatch):
    monkeypatch.setattr(resident, "LONGEST_WITHOUT_LENGTH", 50)
    with pytest.raises(InputError, match=r"did not end after 56 samples.*GB.*samples=N"):
        resident_batches(endless(), 8, CPU, None)


def test_data_without_an_end_are_refused_before_memory_ends(monkeypatch):
    monkeypatch.setattr(resident, "free_memory", lambda _: 1000)
    with pytest.raises(InputError, match="did not end after 32 samples"):
        resident_batches(endless(), 8, CPU, None)


def test_data_of_known_length_are_read_whole(monkeypatch):
    monkeypatch.setattr(resident, "LONGEST_WITHOUT_LENGTH", 10)
    data = list(itertools.islice(endless(), 5))
    assert sum(batch.size for batch in resident_batches(data, 8, CPU, None)) == 40


@pytest.mark.parametrize("count", [1, 12, 100])
def test_samples_of_a_pair(count):
    inputs, targets = torch.randn(30, 2), torch.arange(30)
    batches = resident_batches((inputs, targets), 8, CPU, None, samples=count)
    read = torch.cat([batch.targets for batch in batches])
    assert torch.equal(read, targets[:count])


def test_a_pair_may_have_inputs_of_several_tensors():
    inputs = {"a": torch.randn(9, 2), "b": torch.arange(9)}
    batches = resident_batches((inputs, torch.arange(9)), 4, CPU, None)
    assert [batch.size for batch in batches] == [4, 4, 1]
    assert torch.equal(torch.cat([batch.inputs["a"] for batch in batches]), inputs["a"])
    with pytest.raises(InputError, match="9 inputs do not match 8 targets"):
        resident_batches((inputs, torch.arange(8)), 4, CPU, None)

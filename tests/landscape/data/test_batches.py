import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from landscape.data.batches import Batch, map_tensors
from landscape.data.resident import resident_batches
from landscape.data.structures import tensors_in
from landscape.errors import InputError

CPU = torch.device("cpu")
INPUTS, TARGETS = torch.arange(14.0).view(7, 2), torch.arange(7)


class Indexed:
    """A map-style dataset in all but its base class."""

    def __len__(self):
        return 7

    def __getitem__(self, k):
        return INPUTS[k], TARGETS[k]


@pytest.mark.parametrize("data", [(INPUTS, TARGETS), TensorDataset(INPUTS, TARGETS), Indexed()])
@pytest.mark.parametrize(("batch_size", "sizes"), [(3, [3, 3, 1]), (7, [7]), (100, [7])])
def test_pairs_and_datasets_are_cut_in_order(data, batch_size, sizes):
    batches = resident_batches(data, batch_size, CPU, None)
    assert [batch.size for batch in batches] == sizes
    assert torch.equal(torch.cat([batch.inputs for batch in batches]), INPUTS)
    assert torch.equal(torch.cat([batch.targets for batch in batches]), TARGETS)


def test_batches_of_an_iterable_are_kept_as_they_come():
    loader = DataLoader(TensorDataset(INPUTS, TARGETS), batch_size=5)
    assert [batch.size for batch in resident_batches(loader, 2, CPU, None)] == [5, 2]


def test_an_empty_batch_is_left_out():
    data = [(INPUTS[:3], TARGETS[:3]), (INPUTS[:0], TARGETS[:0]), (INPUTS[3:], TARGETS[3:])]
    assert [batch.size for batch in resident_batches(data, 2, CPU, None)] == [3, 4]


def test_only_floating_tensors_become_the_type_asked_for():
    ((batch),) = resident_batches((INPUTS, TARGETS), 7, CPU, torch.float64)
    assert batch.inputs.dtype == torch.float64
    assert batch.targets.dtype == torch.int64
    ((batch),) = resident_batches((INPUTS, INPUTS), 7, CPU, torch.float64)
    assert batch.targets.dtype == torch.float64


def test_inputs_may_be_a_dict_or_a_list_of_tensors():
    data = [({"a": INPUTS, "b": [INPUTS, TARGETS]}, TARGETS)]
    (batch,) = resident_batches(data, 3, CPU, torch.float64)
    assert [t.dtype for t in tensors_in(batch.inputs)] == [
        torch.float64,
        torch.float64,
        torch.int64,
    ]
    rows = batch.slice(2, 5)
    assert rows.size == 3
    assert torch.equal(rows.targets, TARGETS[2:5])
    assert torch.equal(rows.inputs["b"][1], TARGETS[2:5])
    assert torch.equal(rows.inputs["a"], INPUTS[2:5].double())


def test_a_slice_of_a_batch():
    rows = Batch(INPUTS, TARGETS, 7).slice(5, 7)
    assert rows.size == 2
    assert torch.equal(rows.inputs, INPUTS[5:])


def test_mapping_keeps_the_structure():
    doubled = map_tensors(lambda t: 2 * t, {"a": (INPUTS, [TARGETS])})
    assert torch.equal(doubled["a"][0], 2 * INPUTS)
    assert torch.equal(doubled["a"][1][0], 2 * TARGETS)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((INPUTS, TARGETS[:3]), "7 inputs do not match 3 targets"),
        ([], "the data holds no samples"),
        ((INPUTS[:0], TARGETS[:0]), "the data holds no samples"),
        (5, "a pair of tensors, a Dataset or an iterable of batches, got int"),
        ([INPUTS], r"a batch has to be a pair \(inputs, targets\), got Tensor"),
        ([(INPUTS, TARGETS, TARGETS)], r"a batch has to be a pair \(inputs, targets\)"),
        ([(["a"], TARGETS)], "batches have to be made of tensors, got str"),
        ([(INPUTS[0], TARGETS[0])], "targets have to have a batch dimension, got a scalar"),
    ],
    ids=["uneven", "none", "empty", "int", "tensor", "triple", "text", "single samples"],
)
def test_what_is_no_data_is_refused(data, message):
    with pytest.raises(InputError, match=message):
        resident_batches(data, 2, CPU, None)

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import TensorDataset

from landscape.errors import InputError
from landscape.objective.objective import Objective
from tests.landscape.objective.problems import Objective64, mlp, vectors


@pytest.mark.parametrize("shape", [(11,), (13, 2), (2, 12), ()], ids=str)
def test_vectors_of_another_shape_are_refused(shape):
    objective = Objective64(nn.Linear(5, 2), vectors(classes=2))
    assert objective.num_parameters == 12
    with pytest.raises(InputError, match="12"):
        objective.hessian_product(torch.ones(shape, dtype=torch.float64))


def test_theta_of_another_shape_is_refused():
    objective = Objective64(nn.Linear(5, 2), vectors(classes=2))
    with pytest.raises(InputError, match=r"\(12,\), got \(11,\)"):
        objective.loss(torch.zeros(11))


class AlwaysDropout(nn.Module):
    def forward(self, x):
        return F.dropout(x, 0.5)  # its default is training=True


class ForgottenDropout(nn.Module):
    """The usual way to write it: no module of its own, and the mode forgotten."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(5, 6), nn.Linear(6, 3)

    def forward(self, x):
        return self.second(F.dropout(self.first(x), 0.5))


def test_dropout_that_is_always_on_is_refused_by_name():
    model = nn.Sequential(nn.Linear(5, 6), AlwaysDropout(), nn.Linear(6, 3))
    with pytest.raises(InputError, match=r"not deterministic.* module 1 \(AlwaysDropout\)"):
        Objective64(model, vectors())


def test_dropout_in_a_forward_method_is_blamed_on_that_module():
    model = nn.Sequential(nn.Identity(), ForgottenDropout(), nn.Identity())
    with pytest.raises(InputError, match="not deterministic") as caught:
        Objective64(model, vectors())
    assert "1 (ForgottenDropout)" in str(caught.value)
    assert "Linear" not in str(caught.value)


def test_a_random_loss_function_is_refused():
    def noisy(outputs, targets):
        return F.cross_entropy(outputs + torch.randn_like(outputs), targets)

    with pytest.raises(InputError, match="not deterministic.* loss function"):
        Objective64(mlp(), vectors(), noisy)


@pytest.mark.parametrize("count", [2, 3, 4, 12])
def test_batch_norm_without_running_statistics_is_refused_by_name(count):
    norm = nn.BatchNorm1d(6, track_running_stats=False)
    model = nn.Sequential(nn.Linear(5, 6), norm, nn.Linear(6, 3))
    with pytest.raises(InputError, match=r"batched.*\b1\b.* normalises with the stat"):
        Objective64(model, vectors(count))


def test_a_sum_over_the_batch_is_refused():
    with pytest.raises(InputError, match="not a mean over the batch"):
        Objective64(mlp(), vectors(), nn.CrossEntropyLoss(reduction="sum"))


@pytest.mark.parametrize("verify", [True, False])
def test_a_loss_that_is_no_scalar_is_refused(verify):
    loss = nn.CrossEntropyLoss(reduction="none")
    with pytest.raises(InputError, match=r"scalar.*got shape \(12,\)"):
        Objective64(mlp(), vectors(12), loss, verify=verify).loss()


def test_a_model_without_trainable_parameters_is_refused():
    with pytest.raises(InputError, match="Sequential has no trainable parameter"):
        Objective64(mlp().requires_grad_(False), vectors())
    with pytest.raises(InputError, match="Flatten has no trainable parameter"):
        Objective64(nn.Flatten(), vectors())


@pytest.mark.parametrize("form", ["batches", "pair"])
def test_scalar_targets_are_refused(form):
    inputs, _ = vectors()
    data = (inputs, torch.tensor(1)) if form == "pair" else [(inputs[0], torch.tensor(1))]
    with pytest.raises(InputError, match="batch dimension|scalar"):
        Objective64(mlp(), data)


EMPTY = {
    "tensors": lambda: (torch.zeros(0, 5), torch.zeros(0, dtype=torch.long)),
    "list": list,
    "generator": lambda: iter(()),
    "dataset": lambda: TensorDataset(torch.zeros(0, 5), torch.zeros(0, dtype=torch.long)),
    "empty batches": lambda: [(torch.zeros(0, 5), torch.zeros(0, dtype=torch.long))] * 2,
}


@pytest.mark.parametrize("form", EMPTY)
def test_empty_data_are_refused(form):
    with pytest.raises(InputError, match="no samples"):
        Objective64(mlp(), EMPTY[form]())


NO_DATA = {
    "a number": (3, "int"),
    "None": (None, "NoneType"),
    "a tensor": (torch.zeros(4, 5), "Tensor"),
    "a dict": ({"inputs": torch.zeros(4, 5)}, "dict"),
    "a text": ("digits", "pair"),
    "pairs of lists": ([([1.0, 2.0], [0, 1])], "float"),
    "samples": ([(torch.zeros(5), 1)], "int"),
    "triples": ([(torch.zeros(4, 5), torch.zeros(4), torch.zeros(4))], "tuple"),
}


@pytest.mark.parametrize("form", NO_DATA)
def test_what_is_no_data_is_refused(form):
    data, named = NO_DATA[form]
    with pytest.raises(InputError, match=named):
        Objective64(mlp(), data)


def test_inputs_and_targets_of_different_length_are_refused():
    with pytest.raises(InputError, match="4 inputs do not match 3 targets"):
        Objective64(mlp(), (torch.zeros(4, 5), torch.zeros(3, dtype=torch.long)))


def test_a_negative_batch_size_is_refused():
    with pytest.raises(InputError, match="got -1"):
        Objective64(mlp(), vectors(), batch_size=-1)


def test_a_model_that_keeps_a_graph_is_refused():
    model = mlp()
    model.kept = [model(vectors()[0])]
    with pytest.raises(InputError, match="Sequential can't be copied"):
        Objective64(model, vectors())


def test_an_unknown_device_is_refused():
    with pytest.raises(InputError, match="--device abacus is not usable"):
        Objective(mlp(), vectors(), device="abacus")

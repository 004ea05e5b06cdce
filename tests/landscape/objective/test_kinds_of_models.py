"""Models of unusual kinds: right numbers, or one true line."""

import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import prune

from landscape.curvature.operators import CurvatureOperator
from landscape.curvature.second_difference import second_difference
from landscape.errors import InputError
from landscape.objective.objective import Objective
from tests.landscape.objective.problems import Objective64, close, mlp, vectors
from tests.oracles.by_rows import gradient_and_hessian


class Spectral(nn.Module):
    """A Fourier layer, whose weights are complex."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, dtype=torch.cdouble))
        self.head = nn.Linear(8, 2).double()

    def forward(self, x):
        return self.head(torch.fft.irfft(torch.fft.rfft(x) * self.weight, n=8))


class SpectralPairs(nn.Module):
    """The same function, written with real and imaginary parts."""

    def __init__(self, spectral):
        super().__init__()
        self.weight = nn.Parameter(torch.view_as_real(spectral.weight.detach()).clone())
        self.head = spectral.head

    def forward(self, x):
        weight = torch.view_as_complex(self.weight)
        return self.head(torch.fft.irfft(torch.fft.rfft(x) * weight, n=8))


def test_complex_weights_are_pairs_of_reals():
    torch.manual_seed(0)
    model = Spectral()
    inputs, targets = torch.randn(6, 8).double(), torch.randn(6, 2).double()
    value, gradient, hessian = gradient_and_hessian(
        SpectralPairs(model), lambda model: F.mse_loss(model(inputs), targets)
    )
    objective = Objective64(model, (inputs, targets))
    assert objective.num_parameters == 10 + 18
    assert objective.module.weight.dtype == torch.cdouble
    assert objective.loss() == pytest.approx(value.item(), rel=1e-12)
    close(objective.gradient(), gradient, 1e-12)
    close(CurvatureOperator(objective) @ torch.eye(28, dtype=torch.float64), hessian, 1e-11)
    moved = objective.theta + 0.1
    pairs = SpectralPairs(model)
    nn.utils.vector_to_parameters(moved, pairs.parameters())
    expected = F.mse_loss(pairs(inputs), targets).item()
    assert objective.loss(moved) == pytest.approx(expected, rel=1e-12)
    assert isinstance(model.weight, nn.Parameter)
    assert type(model) is Spectral


def test_sparse_gradients_of_embeddings():
    torch.manual_seed(0)
    tokens, targets = torch.randint(9, (6, 2)), torch.arange(6) % 3

    def model(*, sparse):
        torch.manual_seed(1)
        return nn.Sequential(
            nn.Embedding(9, 4, sparse=sparse), nn.Flatten(), nn.Linear(8, 3)
        ).double()

    plain, sparse = (Objective64(model(sparse=kind), (tokens, targets)) for kind in (False, True))
    vector = torch.randn_like(plain.theta)
    assert torch.equal(plain.gradient(), sparse.gradient())
    close(sparse.hessian_product(vector), plain.hessian_product(vector), 1e-12)


def test_compiled_parts_are_taken_out_of_their_wrappers():
    class Wrapper(nn.Module):
        """What torch.compile makes of a module, in the respect that matters."""

        def __init__(self, module):
            super().__init__()
            self._orig_mod = module

        def forward(self, x):
            raise AssertionError("the wrapper was called")

    inner = mlp()
    objective = Objective64(nn.Sequential(Wrapper(inner), nn.Identity()), vectors())
    assert objective.layout.names[0] == "0.0.weight"
    assert objective.loss() == Objective64(inner, vectors_of(objective)).loss()


class Keeping(nn.Module):
    """A model that keeps what it computed last, with its graph."""

    def __init__(self):
        super().__init__()
        self.body = mlp()

    def forward(self, x):
        self.kept = self.body(x)
        return self.kept


def pruned():
    model = mlp()
    prune.random_unstructured(model[0], "weight", amount=0.5)
    return model


@pytest.mark.parametrize("make", [Keeping, pruned])
def test_models_that_keep_what_they_computed(make):
    torch.manual_seed(0)
    model, (inputs, targets) = make(), vectors()
    objective = Objective64(model, (inputs, targets))
    value, gradient, hessian = gradient_and_hessian(
        model.eval(), lambda model: F.cross_entropy(model(inputs), targets)
    )
    assert objective.loss() == pytest.approx(value.item(), rel=1e-12)
    close(objective.gradient(), gradient, 1e-11)
    vector = objective.theta / objective.theta.norm()
    close(CurvatureOperator(objective) @ vector, hessian @ vector, 1e-10)
    difference = second_difference(objective, vector)
    assert difference.value == pytest.approx((vector @ hessian @ vector).item(), rel=1e-5)


def vectors_of(objective):
    (batch,) = objective.batches
    return batch.inputs, batch.targets


def with_lock():
    model = mlp()
    model.lock = threading.Lock()
    return model


REFUSED = {
    "a lock": (with_lock, "Sequential can't be copied"),
    "a function": (lambda: torch.tanh, "has to be a torch.nn.Module, got builtin"),
    "a lazy module": (lambda: nn.Sequential(nn.LazyLinear(3)), "has no shape yet"),
    "no values": (lambda: mlp().to("meta"), "on the meta device"),
    "TorchScript": (lambda: torch.jit.script(mlp()), "is TorchScript"),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit.script", "ignore:Lazy modules")
@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_measured_is_said_in_one_line(kind):
    make, message = REFUSED[kind]
    with pytest.raises(InputError, match=message) as caught:
        Objective64(make(), vectors())
    assert "\n" not in str(caught.value)


FORMS = {
    "a column": (lambda y: y[:, None], r"targets.squeeze\(1\)"),
    "floats": (lambda y: y.double(), r"outputs have shape \(12, 3\), the targets \(12,\)"),
    "booleans": (lambda y: y > 0, r"targets.long\(\)"),
    "small integers": (lambda y: y.to(torch.int16), r"targets.long\(\)"),
    "too large": (lambda y: y + 1, "classes are numbered 1 to 3, the outputs 0 to 2"),
    "one-hot integers": (lambda y: F.one_hot(y, 3), r"targets.float\(\)"),
}


@pytest.mark.parametrize("form", FORMS)
def test_labels_of_another_form_get_advice(form):
    change, message = FORMS[form]
    inputs, targets = vectors(12)
    targets[:3] = torch.arange(3)
    with pytest.raises(InputError, match=message) as caught:
        Objective64(mlp(), (inputs, change(targets)))
    assert "\n" not in str(caught.value)


CALLS = {
    "two inputs": (lambda: nn.Bilinear(5, 5, 3), "the model does not take inputs of shape"),
    "another width": (lambda: nn.Linear(4, 3), r"inputs of shape \(12, 5\) \(float64\)"),
}


@pytest.mark.parametrize("call", CALLS)
def test_inputs_that_the_model_does_not_take(call):
    make, message = CALLS[call]
    with pytest.raises(InputError, match=message):
        Objective64(make(), vectors(12))


def test_the_own_loss_of_a_model_that_has_none():
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(5, 3)

        def forward(self, input_ids, labels):  # noqa: ARG002
            return self.embedding(input_ids)

    batch = {"input_ids": torch.arange(4)[None], "labels": torch.arange(4)[None]}
    with pytest.raises(InputError, match="returns no loss of its own"):
        Objective64(Words(), [batch])


def test_numpy_arrays_are_data():
    model, (inputs, targets) = mlp(), vectors()
    expected = Objective64(model, (inputs, targets)).loss()
    assert Objective64(model, (np.asarray(inputs), np.asarray(targets))).loss() == expected


class OwnFourier(nn.Module):
    """Complex weights after ``before`` real ones, which decide on their place in memory."""

    def __init__(self, before):
        super().__init__()
        if before:
            self.bias = nn.Parameter(torch.zeros(before))
        self.weight = nn.Parameter(0.3 * torch.randn(4, 6, dtype=torch.cfloat))
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        z = F.linear(x.to(self.weight.dtype), self.weight)
        return self.head((z * z.conj()).real.tanh())


@pytest.mark.parametrize("before", [0, 1, 2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_curvature_of_complex_weights_at_any_place_in_memory(before, dtype):
    torch.manual_seed(0)
    data = torch.randn(12, 6), torch.randint(3, (12,))
    objective = Objective(OwnFourier(before), data, device="cpu", dtype=dtype)
    vector = torch.randn(objective.num_parameters, dtype=dtype)
    step = 1e-4 if dtype == torch.float64 else 1e-2
    ahead, behind = (objective.gradient(objective.theta + sign * step * vector) for sign in (1, -1))
    difference = (ahead - behind) / (2 * step)
    product = objective.hessian_product(vector)
    scale = float(product.abs().max())
    torch.testing.assert_close(product, difference, rtol=0, atol=1e-2 * scale)

"""Pre-activation Hessians: against dense ones, the formula they come from, and closed forms."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from landscape.curvature.preactivation import (
    few_samples,
    preactivation_eigenvalues,
    preactivation_hessians,
)
from landscape.eigen import krylov
from landscape.hooks.dense_layers import dense_layers
from landscape.objective.objective import Objective
from tests.oracles.cases import BY_NAME
from tests.oracles.dense import dense_hessian
from tests.profile import repeats


def smooth_mlp(*sizes, activation=nn.Tanh):
    parts = []
    for inside, outside in zip(sizes, sizes[1:], strict=False):
        parts += [nn.Linear(inside, outside), activation()]
    return nn.Sequential(*parts[:-1]).double()


def objective_of(model, data, loss=F.cross_entropy, **options):
    return Objective(model, data, loss, device="cpu", dtype=torch.float64, **options)


def dense_blocks(objective):
    """By path Hc of every sample of the first batch, of shape (n, D, D), by products."""
    layers, _ = dense_layers(objective)
    with objective.second_derivatives():
        hessians, gains = preactivation_hessians(objective, layers, objective.batches[0])
        blocks = {
            path: torch.stack(
                [
                    hessian.sample(n).matmat(torch.eye(hessian.size, dtype=hessian.dtype))
                    for n in range(hessian.count)
                ]
            )
            for path, hessian in hessians.items()
        }
    return blocks, gains


def direct_hessian(model, path, x, y, loss):
    """Hc of one sample: the layer's output is replaced by a variable."""
    h = None

    def replaced(_module, _inputs, output):
        nonlocal h
        if h is None:
            h = output.detach()
        return h

    def value(variable):
        nonlocal h
        h = variable
        return loss(model(x), y)

    handle = model.get_submodule(path).register_forward_hook(replaced)
    with sdpa_kernel(SDPBackend.MATH):
        model(x)
        start = h
        dense = torch.autograd.functional.hessian(value, start)
    handle.remove()
    return dense.reshape(start.numel(), start.numel())


def test_the_weight_s_hessian_of_one_sample_is_the_kronecker_product():
    model = smooth_mlp(4, 5, 6, 3)
    x, y = torch.randn(1, 4, dtype=torch.float64), torch.tensor([2])
    objective = objective_of(model, (x, y))
    blocks, gains = dense_blocks(objective)
    assert list(blocks) == ["0", "2", "4"]
    whole = dense_hessian(model, x, y, F.cross_entropy)
    a = x[0]
    for path in blocks:
        linear = model.get_submodule(path)
        number = objective.layout.names.index(f"{path}.weight")
        start, stop = objective.layout.stretches[number]
        weight = linear.weight.shape
        block = whole[start:stop, start:stop].reshape(*weight, *weight)
        # Column by column, vec(W) has the Hessian (a a') kron Hc.
        stacked = block.permute(1, 0, 3, 2).reshape(linear.weight.numel(), -1)
        expected = torch.kron(torch.outer(a, a), blocks[path][0])
        torch.testing.assert_close(stacked, expected, rtol=1e-10, atol=1e-14)
        assert gains[path].item() == pytest.approx((a @ a).item(), rel=1e-12)
        a = torch.tanh(linear(a)).detach()


@pytest.mark.parametrize("activation", [nn.Tanh, nn.GELU, nn.Softplus])
def test_the_recursion_from_layer_to_layer(activation):
    model = smooth_mlp(4, 5, 6, 3, activation=activation)
    x, y = torch.randn(1, 4, dtype=torch.float64), torch.tensor([1])
    blocks, _ = dense_blocks(objective_of(model, (x, y)))
    f = activation()
    weights = [model[k].weight.detach() for k in (0, 2, 4)]
    hs, a = [], x[0]
    for k in (0, 2, 4):
        hs.append(model[k](a).detach())
        a = f(hs[-1])
    p = hs[-1].softmax(0)
    hessian, gradient = torch.diag(p) - torch.outer(p, p), p - F.one_hot(y[0], 3)
    torch.testing.assert_close(blocks["4"][0], hessian, rtol=1e-10, atol=1e-14)
    for k in (1, 0):
        h = hs[k].requires_grad_()
        (first,) = torch.autograd.grad(f(h).sum(), h, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), h)
        b, to_a = torch.diag(first.detach()), weights[k + 1].T @ gradient
        hessian = b @ weights[k + 1].T @ hessian @ weights[k + 1] @ b + torch.diag(second * to_a)
        gradient = first.detach() * to_a
        torch.testing.assert_close(blocks[str(2 * k)][0], hessian, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("name", ["vit", "mixer"][: repeats(1, 2)])
@pytest.mark.parametrize("batch_size", [3, 7][: repeats(1, 2)])
def test_eigenvalues_of_every_sample_of_a_network_of_tokens(name, batch_size):
    case = BY_NAME[name]
    inputs, targets = case.data
    objective = objective_of(case.model(), case.data, batch_size=batch_size)
    layers, left_out = dense_layers(objective)
    assert not left_out
    generator = torch.Generator().manual_seed(0)
    by_path = preactivation_eigenvalues(objective, layers, generator, tolerance=1e-6)
    assert len(by_path) == {"vit": 3, "mixer": 9}[name]
    model = case.model().requires_grad_(False)
    taken = {}
    for path in by_path:
        model.get_submodule(path).register_forward_hook(
            lambda _module, words, _output, path=path: taken.update({path: words[0]})
        )
    model(inputs)
    for path, layer in by_path.items():
        assert (layer.residuals <= 1e-6).all()
        for n in range(len(inputs)):
            x, y = inputs[n : n + 1], targets[n : n + 1]
            values = torch.linalg.eigvalsh(direct_hessian(case.model(), path, x, y, case.loss))
            expected = values[values.abs().argmax()].item()
            assert layer.eigenvalues[n].item() == pytest.approx(expected, rel=1e-9)
            singular = torch.linalg.matrix_norm(torch.atleast_2d(taken[path][n]), ord=2).item()
            assert layer.gains[n].item() == pytest.approx(singular**2, rel=1e-12)


def test_products_of_each_sample_are_those_of_its_own_hessian():
    case = BY_NAME["mixer"]
    objective = objective_of(case.model(), case.data)
    blocks, _ = dense_blocks(objective)
    path = "blocks.0.mlp_tokens.fc1"
    for n in (0, 6):
        x, y = (tensor[n : n + 1] for tensor in case.data)
        expected = direct_hessian(case.model(), path, x, y, case.loss)
        torch.testing.assert_close(blocks[path][n], expected, rtol=1e-9, atol=1e-13)


def test_a_loss_that_is_linear_in_the_outputs_has_no_curvature():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    data = torch.randn(6, 3, dtype=torch.float64), torch.randn(6, 2, dtype=torch.float64)
    objective = objective_of(model, data, lambda outputs, targets: (outputs * targets).mean())
    layers, _ = dense_layers(objective)
    by_path = preactivation_eigenvalues(objective, layers, torch.Generator(), tolerance=1e-6)
    for layer in by_path.values():
        assert (layer.eigenvalues == 0).all()
        assert (layer.residuals == 0).all()


def test_a_layer_that_is_larger_than_the_steps_there_are():
    """Then the residual says so."""
    model = smooth_mlp(3, 40, 30)
    data = torch.randn(2, 3, dtype=torch.float64), torch.tensor([3, 7])
    objective = objective_of(model, data)
    layers, _ = dense_layers(objective)
    few = preactivation_eigenvalues(
        objective, layers, torch.Generator().manual_seed(0), tolerance=1e-10, max_steps=2
    )
    assert (few["2"].residuals > 1e-3).all()


# ----------------------------------------------------------------------------------- few samples


def drawn(objective, count, seed=0):
    return few_samples(objective, count, torch.Generator().manual_seed(seed))


def test_few_samples_are_of_the_sample_and_in_float64():
    case = BY_NAME["mixer"]
    objective = Objective(case.model().float(), case.data, batch_size=3, device="cpu")
    before = objective.module.state_dict()
    few = drawn(objective, 4)
    assert few.dtype == torch.float64
    assert few.num_samples == 4
    assert [batch.size for batch in few.batches] == [3, 1]
    inputs = torch.cat([batch.inputs for batch in few.batches]).float()
    same = (inputs.unsqueeze(1) == case.data[0].float()).flatten(2).all(2)
    places = same.any(0).nonzero().flatten()
    assert len(places) == 4
    chosen = case.data[0][places], case.data[1][places]
    expected = objective_of(objective.module, chosen).loss()
    assert few.loss() == pytest.approx(expected, rel=1e-6)  # inputs were rounded to float32
    assert drawn(objective, 100).num_samples == 7
    assert objective.dtype == torch.float32
    for name, tensor in objective.module.state_dict().items():
        assert torch.equal(tensor, before[name])
        assert tensor.dtype == torch.float32


class SinglePrecision(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 2)
        self.scale = [torch.eye(4)]  # no buffer: it stays as it is

    def forward(self, x):
        return self.last(F.relu(self.first(x)) @ self.scale[0])


def test_a_model_that_does_not_take_float64_is_measured_in_its_own(caplog):
    caplog.set_level("INFO")
    data = torch.randn(6, 3), torch.randint(2, (6,))
    few = drawn(Objective(SinglePrecision(), data, device="cpu"), 3)
    assert few.dtype == torch.float32
    assert np.isfinite(few.loss())
    assert "the model does not take float64" in caplog.text


def test_processes_that_restart_for_want_of_memory_find_the_same(monkeypatch):
    torch.manual_seed(0)
    model = smooth_mlp(20, 60, 60, 40)
    data = torch.randn(4, 20, dtype=torch.float64), torch.randint(40, (4,))
    objective = objective_of(model, data)
    layers, _ = dense_layers(objective)

    def eigenvalues():
        generator = torch.Generator().manual_seed(0)
        return preactivation_eigenvalues(objective, layers, generator, tolerance=1e-8)

    expected = eigenvalues()
    monkeypatch.setattr(krylov, "affordable_rows", lambda *sizes: 14)
    for path, leading in eigenvalues().items():
        torch.testing.assert_close(leading.eigenvalues, expected[path].eigenvalues)
        assert (leading.residuals <= 1e-8).all()

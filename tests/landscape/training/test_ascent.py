"""The ascent step of SAM on a quadratic function, whose gradients are known."""

import math

import pytest
import torch
from torch import nn

from landscape.training.sam.ascent import SharpnessAware, norm_of

RHO = 0.05


class Quadratic(nn.Module):
    """L(w) = w'Aw / 2 with w spread over three tensors and A symmetric but not definite."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.randn(3, 2, dtype=torch.float64))
        self.b = nn.Parameter(torch.randn(4, dtype=torch.float64))
        self.c = nn.Parameter(torch.randn((), dtype=torch.float64))
        matrix = torch.randn(11, 11, dtype=torch.float64)
        self.register_buffer("matrix", matrix + matrix.T)

    def forward(self):
        w = self.vector()
        return 0.5 * w @ self.matrix @ w

    def vector(self):
        return torch.cat([p.reshape(-1) for p in self.parameters()])

    def gradient(self):
        return torch.cat([p.grad.reshape(-1) for p in self.parameters()])


def gradients_of(model):
    return [None if p.grad is None else p.grad.clone() for p in model.parameters()]


def test_the_perturbed_point_is_the_gradient_scaled_to_rho_over_all_tensors():
    model = Quadratic()
    w = model.vector().detach().clone()
    sam = SharpnessAware(model.parameters())
    model().backward()
    sam.perturb(gradients_of(model), RHO)
    g = model.matrix @ w
    torch.testing.assert_close(model.vector(), w + RHO * g / g.norm(), rtol=0, atol=1e-12)
    assert (model.vector() - w).norm().item() == pytest.approx(RHO, abs=1e-12)


def test_the_applied_gradient_is_the_one_at_the_perturbed_point():
    model = Quadratic()
    w = model.vector().detach().clone()
    sam = SharpnessAware(model.parameters())
    model().backward()
    sam.perturb(gradients_of(model), RHO)
    model.zero_grad()
    model().backward()
    sam.restore()
    g = model.matrix @ w
    expected = model.matrix @ (w + RHO * g / g.norm())
    torch.testing.assert_close(model.gradient(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_restore_is_exact_to_the_bit(dtype):
    model = Quadratic().to(dtype)
    before = [p.detach().clone() for p in model.parameters()]
    sam = SharpnessAware(model.parameters())
    model().backward()
    sam.perturb(gradients_of(model), RHO)
    assert not any(torch.equal(p, w) for p, w in zip(model.parameters(), before, strict=True))
    sam.restore()
    assert all(torch.equal(p, w) for p, w in zip(model.parameters(), before, strict=True))


def test_the_perturbation_is_independent_of_the_scale_of_the_gradient():
    model = Quadratic()
    w = model.vector().detach().clone()
    moved = []
    for scale in (1e-150, 1.0, 1e150):
        sam = SharpnessAware(model.parameters())
        model.zero_grad()
        (scale * model()).backward()
        sam.perturb(gradients_of(model), RHO)
        moved.append(model.vector().detach() - w)
        sam.restore()
    torch.testing.assert_close(moved[0], moved[1], rtol=0, atol=1e-12)
    torch.testing.assert_close(moved[2], moved[1], rtol=0, atol=1e-12)


def test_a_zero_gradient_leaves_the_weights():
    model = Quadratic()
    w = model.vector().detach().clone()
    sam = SharpnessAware(model.parameters())
    (0.0 * model()).backward()
    sam.perturb(gradients_of(model), RHO)
    assert torch.equal(model.vector(), w)
    sam.restore()
    assert torch.equal(model.vector(), w)


def test_no_gradient_at_all_leaves_the_weights():
    model = Quadratic()
    w = model.vector().detach().clone()
    sam = SharpnessAware(model.parameters())
    sam.perturb(gradients_of(model), RHO)
    assert torch.equal(model.vector(), w)


def test_parameters_without_a_gradient_or_frozen_stay():
    model = Quadratic()
    model.b.requires_grad_(False)
    w = model.vector().detach().clone()
    sam = SharpnessAware([p for p in model.parameters() if p.requires_grad])
    model().backward()
    sam.perturb([model.a.grad.clone(), None], RHO)
    g = (model.matrix @ w)[:6]
    expected = w.clone()
    expected[:6] += RHO * g / g.norm()
    torch.testing.assert_close(model.vector(), expected, rtol=0, atol=1e-12)
    sam.restore()
    assert torch.equal(model.vector(), w)


def test_perturb_twice_is_refused_and_does_not_move_further():
    model = Quadratic()
    sam = SharpnessAware(model.parameters())
    model().backward()
    sam.perturb(gradients_of(model), RHO)
    moved = model.vector().detach().clone()
    with pytest.raises(RuntimeError, match="twice"):
        sam.perturb(gradients_of(model), RHO)
    assert torch.equal(model.vector(), moved)


def test_restore_without_perturb_is_refused():
    model = Quadratic()
    sam = SharpnessAware(model.parameters())
    with pytest.raises(RuntimeError, match=r"without perturb\(\)"):
        sam.restore()
    model().backward()
    sam.perturb(gradients_of(model), RHO)
    sam.restore()
    with pytest.raises(RuntimeError, match=r"without perturb\(\)"):
        sam.restore()


def test_the_gradient_norm_is_over_all_tensors():
    model = Quadratic()
    assert norm_of([None, None]).item() == 0
    model().backward()
    expected = math.sqrt(sum(p.grad.square().sum().item() for p in model.parameters()))
    assert norm_of([None, *gradients_of(model)]).item() == pytest.approx(expected, rel=1e-12)

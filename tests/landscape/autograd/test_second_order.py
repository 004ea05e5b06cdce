"""Replaced operations have the values, gradients and second derivatives of torch's own."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.autograd.second_order import SecondOrder

SHAPES = {1: (3, 4, 9), 2: (3, 4, 7, 6), 3: (2, 4, 5, 4, 5)}
CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def second_derivatives(function, tensors):
    """The value of a smooth function of ``function``'s result, its gradient, a Hessian product."""
    leaves = [t.clone().requires_grad_(t.requires_grad) for t in tensors]
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    value = function(*leaves).sin().mean()
    gradient = torch.autograd.grad(value, wanted, create_graph=True)
    vectors = [normal(*leaf.shape, seed=k + 1) for k, leaf in enumerate(wanted)]
    product = torch.autograd.grad(gradient, wanted, vectors)
    return [value.detach(), *(g.detach() for g in gradient), *product]


def check(function, tensors):
    expected = second_derivatives(function, tensors)
    with SecondOrder():
        replaced = second_derivatives(function, tensors)
    for a, b in zip(replaced, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("wanted", [w for w in itertools.product((0, 1), repeat=3) if any(w)])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_convolution_for_every_choice_of_what_is_differentiated(dimensions, wanted):
    shape = SHAPES[dimensions]
    tensors = [normal(*shape), normal(5, 4, *[3] * dimensions), normal(5)]
    for tensor, want in zip(tensors, wanted, strict=True):
        tensor.requires_grad_(bool(want))
    check(lambda x, w, b: CONVOLUTIONS[dimensions](x, w, b, padding=1), tensors)


@pytest.mark.parametrize(
    "geometry",
    [
        {},
        {"stride": 2},
        {"stride": (2, 1), "padding": (0, 2)},
        {"dilation": 2, "padding": 2},
        {"groups": 2, "padding": 1},
        {"groups": 4, "stride": [2], "padding": [1]},
        {"padding": "same"},
        {"padding": "valid"},
    ],
    ids=str,
)
def test_convolution_of_every_geometry(geometry):
    groups = geometry.get("groups", 1)
    x = normal(*SHAPES[2]).requires_grad_()
    weight = normal(8, 4 // groups, 3, 2 if "same" not in geometry.values() else 3)
    check(lambda x, w: F.conv2d(x, w, **geometry), [x, weight.requires_grad_()])


def test_unbatched_and_named_arguments():
    x, weight = normal(4, 7, 6).requires_grad_(), normal(5, 4, 3, 3).requires_grad_()
    check(lambda x, w: F.conv2d(x, w), [x, weight])
    check(lambda x, w: F.conv2d(input=x[None], weight=w, bias=None, stride=2), [x, weight])


@pytest.mark.parametrize("layer", [nn.Conv2d(4, 5, 3, padding=1), nn.Conv1d(4, 5, 2)], ids=str)
def test_modules_come_through_it(layer, monkeypatch):
    seen = []
    original = torch.convolution
    monkeypatch.setattr(torch, "convolution", lambda *a: seen.append(1) or original(*a))
    with SecondOrder():
        layer(torch.randn(SHAPES[len(layer.kernel_size)]))
    assert seen


@pytest.mark.parametrize("wanted", [w for w in itertools.product((0, 1), repeat=3) if any(w)])
@pytest.mark.parametrize("shape", [(7, 4), (2, 3, 4), (4,)], ids=str)
def test_linear_for_every_choice_of_what_is_differentiated(shape, wanted):
    tensors = [normal(*shape), normal(5, 4), normal(5)]
    for tensor, want in zip(tensors, wanted, strict=True):
        tensor.requires_grad_(bool(want))
    check(lambda x, w, b: F.linear(x, w, b), tensors)
    if any(wanted[:2]):
        check(lambda x, w: F.linear(x, weight=w), tensors[:2])


@pytest.mark.parametrize("shape", [(0, 4), (70, 4)], ids=str)
def test_linear_in_single_precision(shape):
    x, weight, bias = (normal(*s).float().requires_grad_() for s in (shape, (5, 4), (5,)))
    with SecondOrder():
        replaced = F.linear(x, weight, bias)
        gradients = torch.autograd.grad(replaced.sin().sum(), (x, weight, bias))
    expected = F.linear(x, weight, bias)
    torch.testing.assert_close(replaced, expected)
    for a, b in zip(
        gradients, torch.autograd.grad(expected.sin().sum(), (x, weight, bias)), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("dimensions", [0, 1, 2, 3])
def test_batch_norm_of_running_statistics(dimensions, affine):
    x = normal(6, 4, *[3] * dimensions).requires_grad_()
    mean, variance = normal(4, seed=1), normal(4, seed=2).square() + 0.5
    if affine:
        tensors = [x, normal(4, seed=3).requires_grad_(), normal(4, seed=4).requires_grad_()]
    else:
        tensors = [x]
    check(lambda x, *rest: F.batch_norm(x, mean, variance, *rest), tensors)


def test_batch_norm_of_the_batch_is_left_alone():
    x = normal(6, 4).requires_grad_()
    check(lambda x: F.batch_norm(x, None, None, training=True), [x])
    mean, variance = torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    with SecondOrder():
        F.batch_norm(x, mean, variance, training=True)
    assert mean.any()


def test_nothing_stays_replaced():
    x, weight = normal(*SHAPES[2]), normal(5, 4, 3, 3).requires_grad_()
    with SecondOrder():
        inside = F.conv2d(x, weight).grad_fn
    assert type(inside).__name__ == "_ConvolutionBackward"
    assert type(F.conv2d(x, weight).grad_fn).__name__ == "ConvolutionBackward0"

import math

import pytest
import torch
from torch import nn

from landscape.directions.direction import cosine, random_direction
from landscape.errors import InputError
from landscape.parameters.policies import Policy
from landscape.runtime.choices import NORMALIZATIONS
from tests.landscape.parameters.drawing import by_name, draw, layout_and_theta


def gaussian(layout, theta, seed=3):
    """The draw itself, before anything is done to it."""
    return draw(layout, theta, seed, normalize="none", policy=Policy.named("all"))


def rows(tensor):
    """The slices along dimension 0: what feeds one output unit."""
    return [tensor[k].reshape(-1) for k in range(len(tensor))]


# ----------------------------------------------------------------------------- the draw itself


def test_without_normalisation_the_direction_is_gaussian():
    layout, theta = layout_and_theta(nn.Linear(100, 200, bias=False))
    vector = draw(layout, theta, normalize="none").vector
    assert abs(vector.mean().item()) < 4 / math.sqrt(layout.size)
    assert vector.std().item() == pytest.approx(1, abs=4 / math.sqrt(2 * layout.size))
    assert (vector > 0).double().mean().item() == pytest.approx(0.5, abs=0.02)
    assert vector.abs().max() > 3  # a uniform draw has no tails


def test_two_directions_of_one_generator_are_independent():
    layout, theta = layout_and_theta(nn.Linear(100, 200, bias=False))
    generator = torch.Generator().manual_seed(0)
    first, second = (random_direction(layout, theta, generator).vector for _ in range(2))
    assert abs(cosine(first, second)) < 4 / math.sqrt(layout.size)


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_a_seed_means_one_direction(normalize):
    layout, theta = layout_and_theta()
    before = torch.get_rng_state()
    first, again = (draw(layout, theta, 5, normalize=normalize).vector for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, draw(layout, theta, 6, normalize=normalize).vector)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_a_seed_means_one_direction_in_every_precision(normalize):
    layout, theta = layout_and_theta(dtype=torch.float32)
    single = draw(layout, theta, normalize=normalize).vector
    double = draw(layout, theta.double(), normalize=normalize).vector
    assert single.dtype == torch.float32
    assert double.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, rtol=1e-5, atol=1e-6)


def test_the_network_is_left_as_it_is():
    layout, theta = layout_and_theta()
    before = theta.clone()
    for normalize in NORMALIZATIONS:
        draw(layout, theta, normalize=normalize, policy=Policy.named("all"))
    assert torch.equal(theta, before)


@pytest.mark.parametrize(
    "model",
    [nn.Linear(3, 2), nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)), nn.LSTM(3, 4), None],
    ids=["linear", "batch norm", "lstm", "everything"],
)
def test_every_architecture_has_directions(model):
    layout, theta = layout_and_theta(model)
    direction = draw(layout, theta)
    assert direction.layout == layout
    assert direction.vector.shape == theta.shape
    assert direction.vector.isfinite().all()
    assert direction.vector.any()


# ------------------------------------------------------------------------------- normalisation


def expected_tensor(d, w, normalize):
    """What ``normalize`` makes of the draw ``d`` for the network's tensor ``w``, row by row."""
    if normalize == "none":
        return d
    if normalize == "weight":
        return d * w
    if normalize == "layer":
        return d * (w.norm() / d.norm())
    if normalize == "dlayer":
        return d / d.norm()
    scaled = [
        row * (own.norm() / row.norm() if normalize == "filter" else 1 / row.norm())
        for row, own in zip(rows(d), rows(w), strict=True)
    ]
    return torch.stack(scaled).reshape(d.shape)


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_tensors_with_filters_are_scaled_as_computed_directly(normalize):
    layout, theta = layout_and_theta()
    raw = layout.views(gaussian(layout, theta).vector)
    normalized = layout.views(draw(layout, theta, normalize=normalize).vector)
    checked = 0
    for d, w, got in zip(raw, layout.views(theta), normalized, strict=True):
        if d.dim() > 1:
            torch.testing.assert_close(got, expected_tensor(d, w, normalize), rtol=1e-12, atol=0)
            checked += 1
    assert checked == 4


def test_filter_normalisation_gives_every_output_unit_the_norm_of_the_network():
    layout, theta = layout_and_theta()
    drawn, weights = layout.views(draw(layout, theta).vector), layout.views(theta)
    ratios = [
        (row.norm() / weights.norm()).item()
        for d, w in zip(drawn, weights, strict=True)
        if d.dim() > 1
        for row, weights in zip(rows(d), rows(w), strict=True)
    ]
    assert len(ratios) == 3 + 5 + 4 + 1
    assert ratios == pytest.approx([1.0] * len(ratios), rel=1e-12)


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_tensors_of_one_dimension_are_not_moved(normalize):
    layout, theta = layout_and_theta()
    normalized = layout.views(draw(layout, theta, normalize=normalize).vector)
    still = {name for name, d in zip(layout.names, normalized, strict=True) if not d.any()}
    assert still == {"dense.bias", "convolution.bias", "temperature"}


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_tensors_of_one_dimension_move_as_one_filter_if_asked(normalize):
    layout, theta = layout_and_theta()
    raw = layout.views(gaussian(layout, theta).vector)
    normalized = layout.views(
        draw(layout, theta, normalize=normalize, policy=Policy.named("all")).vector
    )
    whole = {"filter": "layer", "dfilter": "dlayer"}.get(normalize, normalize)
    checked = 0
    for d, w, got in zip(raw, layout.views(theta), normalized, strict=True):
        if d.dim() <= 1:
            torch.testing.assert_close(got, expected_tensor(d, w, whole), rtol=1e-12, atol=0)
            checked += 1
    assert checked == 3


@pytest.mark.parametrize("normalize", ["filter", "layer", "weight"])
def test_where_the_network_is_zero_the_direction_is_zero(normalize):
    layout, theta = layout_and_theta()
    own = by_name(layout, theta)
    own["dense.weight"][1] = 0
    own["dense.bias"].zero_()
    own["convolution.weight"].zero_()
    moved = by_name(
        layout, draw(layout, theta, normalize=normalize, policy=Policy.named("all")).vector
    )
    assert all(tensor.isfinite().all() for tensor in moved.values())
    assert not moved["dense.bias"].any()
    assert not moved["convolution.weight"].any()
    assert moved["dense.weight"][0].any()
    assert moved["dense.weight"][1].any() == (normalize == "layer")


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_a_draw_of_zeros_gives_no_nan(normalize, monkeypatch):
    layout, theta = layout_and_theta()
    how = {"normalize": normalize, "policy": Policy.named("all")}
    ordinary = by_name(layout, draw(layout, theta, **how).vector)
    randn = torch.randn

    def with_zeros(*size, **options):
        vector = randn(*size, **options)
        zero = by_name(layout, vector)
        zero["dense.weight"].zero_()
        zero["convolution.weight"][1] = 0
        zero["dense.bias"].zero_()
        return vector

    monkeypatch.setattr(torch, "randn", with_zeros)
    by_tensor = by_name(layout, draw(layout, theta, **how).vector)
    assert all(tensor.isfinite().all() for tensor in by_tensor.values())
    assert not by_tensor["dense.weight"].any()
    assert not by_tensor["dense.bias"].any()
    assert not by_tensor["convolution.weight"][1].any()
    if normalize in ("filter", "dfilter"):
        assert torch.equal(by_tensor["convolution.weight"][2], ordinary["convolution.weight"][2])
    for name in ("sequence.weight", "tokens", "temperature"):
        assert torch.equal(by_tensor[name], ordinary[name])


def test_unknown_ways_to_normalise_are_refused():
    layout, theta = layout_and_theta()
    with pytest.raises(InputError, match="unknown normalization 'filters'; expected one of filter"):
        draw(layout, theta, normalize="filters")


# -------------------------------------------------------------------------------------- cosine


def test_cosine():
    x, y = torch.tensor([3.0, 0.0, 4.0]), torch.tensor([0.0, 2.0, 0.0])
    assert cosine(x, y) == 0
    assert cosine(x, 7 * x) == pytest.approx(1, abs=1e-15)
    assert cosine(x, -x) == pytest.approx(-1, abs=1e-15)
    assert cosine(x, torch.tensor([1.0, 0.0, 0.0])) == pytest.approx(0.6, abs=1e-15)
    assert math.isnan(cosine(x, torch.zeros(3)))


def test_cosine_is_taken_in_double_precision():
    # In single precision the products of these underflow, and so would the cosine.
    x = torch.full((50,), 1e-30)
    assert cosine(x, x) == pytest.approx(1, abs=1e-12)

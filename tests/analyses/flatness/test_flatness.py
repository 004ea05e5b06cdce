import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from analyses import flatness
from analyses.flatness.measure import Flatness, Settings
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from landscape.parameters.layout import flatten
from landscape.parameters.policies import Policy
from landscape.runtime.options import from_plain, to_plain
from tests.analyses.pictures import coloured, render
from tests.analyses.problems import network, objective, samples
from tests.oracles.cases import BY_NAME

SMALL = Settings(
    sigmas=(0.01, 0.05),
    relative_sigmas=(0.1, 0.3, 0.5),
    draws=4,
    radii=(0.05, 0.2),
    adaptive_radii=(0.3,),
    linf_radii=(0.01, 0.02),
    ascent_steps=4,
    policy="all",
    perturb=("bias=zero",),
    seed=9,
)
NO_BALLS = {"radii": (0.0,), "adaptive_radii": (0.0,), "linf_radii": (0.0,)}


def case_objective(name, **options):
    case = BY_NAME[name]
    return Objective(
        case.model(), case.data, case.loss, device="cpu", dtype=torch.float64, **options
    )


def measured(seed=0, settings=SMALL):
    return flatness.compute(objective("plain", seed, torch.float64), settings)


# ------------------------------------------------------------------------------------- average


@pytest.mark.parametrize("kind", ["fixed", "filter", "adaptive"])
def test_noise_on_a_quadratic(kind):
    # A linear model with squared error has one Hessian everywhere: draw by draw the rise is
    # s'g + s'Hs/2, and on average sum_i scale_i^2 H_ii / 2.
    case, problem = BY_NAME["linear regression"], case_objective("linear regression")
    hessian, gradient, theta = case.hessian(), case.gradient(), problem.theta
    rows, bias = theta[:10].reshape(2, 5), theta[10:]
    mean_norm = 8 / 3 * math.sqrt(2 / math.pi)  # of five standard normal numbers
    scale = {
        "fixed": torch.ones_like(theta),
        "filter": torch.cat(
            [(rows.norm(dim=1, keepdim=True) / mean_norm).expand(2, 5).reshape(-1), 0 * bias]
        ),
        "adaptive": theta.abs(),
    }[kind]
    sigmas = (0.1, 0.2, 0.4)
    settings = Settings(
        noise=(kind,), sigmas=sigmas, relative_sigmas=sigmas, draws=400, seed=2, **NO_BALLS
    )
    found = flatness.compute(problem, settings)
    assert found.worst == {}
    generator = torch.Generator().manual_seed(2)
    draws = [torch.randn(12, generator=generator).double() * scale for _ in range(400)]
    one = found.average[kind]
    for k, sigma in enumerate(sigmas):
        exact = [found.loss + sigma * (d @ gradient) + 0.5 * sigma**2 * (d @ hessian @ d)
                 for d in draws]  # fmt: skip
        np.testing.assert_allclose(one.losses[k], torch.stack(exact).numpy(), rtol=1e-6)
        rise = 0.5 * sigma**2 * (scale.square() * hessian.diagonal()).sum().item()
        assert abs(one.mean[k] - found.loss - rise) < 4 * one.stderr[k]
        expected = np.std(one.losses[k], ddof=1) / math.sqrt(400)
        assert found.average_at(kind, sigma) == pytest.approx(
            (one.losses[k].sum() / 400, expected), rel=1e-12
        )


def test_every_sigma_has_the_same_draws_and_kinds_do_not_depend_on_each_other():
    both = measured()
    alone = measured(settings=replace(SMALL, noise=("adaptive",)))
    fewer = measured(settings=replace(SMALL, relative_sigmas=(0.3,), draws=2))
    np.testing.assert_array_equal(both.average["adaptive"].losses, alone.average["adaptive"].losses)
    np.testing.assert_array_equal(
        both.average["adaptive"].losses[1:2, :2], fewer.average["adaptive"].losses
    )


def test_the_same_bits_for_a_seed_and_others_for_another():
    one, other = measured(), measured()
    again = measured(settings=replace(SMALL, seed=10))
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array.values, other.arrays()[name].values)
    assert not np.array_equal(one.average["fixed"].losses, again.average["fixed"].losses)


def test_uneven_batches_give_the_same_as_one():
    inputs, targets = samples()
    one, other = (
        flatness.compute(
            Objective(
                network(), (inputs, targets), batch_size=size, device="cpu", dtype=torch.float64
            ),
            SMALL,
        )
        for size in (7, 25)
    )
    for name, array in one.arrays().items():
        np.testing.assert_allclose(array.values, other.arrays()[name].values, rtol=1e-9)


def test_rescaling_a_relu_network_changes_only_what_is_not_adaptive():
    # Of a ReLU network w1 a, b1 a, w2 / a is the same function; a power of two keeps every bit.
    def of(factor):
        model = network()
        with torch.no_grad():
            model[0].weight *= factor
            model[0].bias *= factor
            model[2].weight /= factor
        problem = Objective(model, samples(), device="cpu", dtype=torch.float64)
        return flatness.compute(problem, SMALL)

    one, other, uneven = of(1.0), of(4.0), of(3.7)
    np.testing.assert_array_equal(one.average["adaptive"].losses, other.average["adaptive"].losses)
    for ball in ("adaptive-l2", "adaptive-linf"):
        np.testing.assert_allclose(uneven.worst[ball].losses, one.worst[ball].losses, rtol=1e-6)
    assert not np.allclose(one.average["fixed"].losses, other.average["fixed"].losses, rtol=1e-3)
    assert not np.allclose(one.worst["l2"].losses, other.worst["l2"].losses, rtol=1e-3)


def test_a_loss_that_is_not_finite_is_said_and_not_averaged(tmp_path):
    class Wall(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(3))

        def forward(self, x):
            return (x + self.weight.sum()).unsqueeze(1)

    def loss(outputs, targets):
        away = outputs.abs().mean()
        return torch.where(away > 0.05, math.inf, away)

    problem = Objective(Wall(), (torch.zeros(4), torch.zeros(4)), loss, device="cpu")
    found = flatness.compute(problem, Settings(noise=("fixed",), sigmas=(1e-4, 0.5), draws=6))
    one = found.average["fixed"]
    assert one.diverged[0] == 0
    assert one.diverged[1] > 0
    assert np.isfinite(one.mean[0])
    assert np.isnan(one.mean[1])
    assert np.isnan(one.stderr[1])
    (row,) = flatness.tabulate([found])[""]
    assert row["L^N, fixed, ± standard error"].endswith("of 6 draws not finite (σ = 0.5)")
    render(flatness.draw([found])["flatness"])
    found.write_json(tmp_path / "x.json")
    content = json.loads((tmp_path / "x.json").read_text())
    assert content["average"]["fixed"]["mean"][1] is None
    assert content["average"]["fixed"]["diverged"][1] == one.diverged[1]


# ------------------------------------------------------------------------------ foreign models


@pytest.mark.parametrize("name", ["vit", "resnet with batch norm", "mlp with tied weights"])
def test_any_model_is_left_as_it_was(name):
    problem = case_objective(name, batch_size=3)
    before = flatten(problem.module.parameters()).detach().clone()
    statistics = problem.live_statistics.clone()
    found = flatness.compute(problem, SMALL)
    assert torch.equal(flatten(problem.module.parameters()).detach(), before)
    assert torch.equal(problem.live_statistics, statistics)
    assert found.loss == problem.loss()
    for worst in found.worst.values():
        assert (np.diff([found.loss, *worst.losses]) >= 0).all()
        assert (worst.losses >= worst.one_step).all()


def test_a_model_of_two_inputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(3, 4), nn.Linear(2, 4)

        def forward(self, a, b):
            return self.left(a) * self.right(b)

    torch.manual_seed(0)
    batches = [((torch.randn(n, 3), torch.randn(n, 2)), torch.arange(n) % 4) for n in (5, 3)]
    found = flatness.compute(Objective(Two(), batches, F.cross_entropy, device="cpu"), SMALL)
    assert (found.average["fixed"].diverged == 0).all()
    assert found.worst["l2"].losses[-1] > found.loss


def test_a_loss_that_is_not_finite_at_the_weights_is_refused():
    model = nn.Linear(4, 3)
    nn.init.constant_(model.weight, math.nan)
    problem = Objective(model, samples(), device="cpu", verify=False)
    with pytest.raises(NotMeasurableError, match="around weights of finite loss; the loss is nan"):
        flatness.compute(problem, SMALL)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"draws": 0}, "--draws has to be at least 1, got 0"),
        ({"ascent_steps": 0}, "--ascent-steps has to be at least 1, got 0"),
        ({"noise": ("loud",)}, "--noise has to be different ones of .*, got loud"),
        ({"noise": ("fixed", "fixed")}, "--noise has to be different ones"),
        ({"sigmas": ()}, "--sigmas has to be positive and increasing, got nothing"),
        ({"sigmas": (0.0,)}, "--sigmas has to be positive and increasing, got 0.0"),
        ({"relative_sigmas": (0.2, 0.1)}, "--relative-sigmas has to be .*, got 0.2 0.1"),
        ({"radii": (0.1, 0.1)}, "--radii has to be positive and increasing"),
        ({"linf_radii": (math.nan,)}, "--linf-radii has to be positive and increasing"),
        ({"adaptive_radii": (math.inf,)}, "--adaptive-radii has to be positive"),
        ({"perturb": ("bias=copy",)}, "--perturb bias=copy is no noise"),
        ({"perturb": ("bias",)}, "expected KIND=TREATMENT"),
    ],
)
def test_settings_that_ask_for_nothing_are_refused(wrong, message):
    with pytest.raises(InputError, match=message) as refused:
        Settings(**wrong)
    assert "\n" not in str(refused.value)


# ---------------------------------------------------------------------------------- the result


def test_a_round_trip_keeps_every_bit(tmp_path):
    found = measured(settings=replace(SMALL, noise=("filter", "fixed"), linf_radii=(0.0,)))
    found.save(tmp_path / "x.h5")
    back = Flatness.load(tmp_path / "x.h5")
    assert back.settings == found.settings
    assert list(back.average) == ["filter", "fixed"]
    assert list(back.worst) == ["l2", "adaptive-l2"]
    for name, array in found.arrays().items():
        np.testing.assert_array_equal(array.values, back.arrays()[name].values)
        assert np.asarray(array.values).dtype == np.asarray(back.arrays()[name].values).dtype
    assert from_plain(Settings, to_plain(SMALL)) == SMALL
    assert SMALL.filter_policy == Policy.named("all", ["bias=zero"])


def test_headline(tmp_path):
    found = measured()
    found.write_json(tmp_path / "x.json")
    content = json.loads((tmp_path / "x.json").read_text())
    assert content["loss"] == found.loss
    assert content["loss_stderr"] == found.loss_stderr > 0
    assert content["average"]["filter"]["mean"] == found.average["filter"].mean.tolist()
    assert content["average"]["filter"]["sigmas"] == [0.1, 0.3, 0.5]
    worst = content["worst"]["l2"]
    assert worst["rise"] == [loss - found.loss for loss in worst["loss"]]
    assert worst["one_step"] == found.worst["l2"].one_step.tolist()


def test_what_was_not_measured_is_said():
    found = measured(settings=replace(SMALL, noise=("fixed",)))
    with pytest.raises(InputError, match="filter noise was not measured, only fixed"):
        found.average_at("filter", 0.1)
    with pytest.raises(InputError, match="not measured at sigma 0.02, only at 0.01, 0.05"):
        found.average_at("fixed", 0.02)


def test_one_draw_has_no_standard_error():
    found = measured(settings=replace(SMALL, draws=1))
    assert np.isnan(found.average["fixed"].stderr).all()
    (row,) = flatness.tabulate([found])[""]
    assert "(no error)" in row["L^N, fixed, ± standard error"]
    render(flatness.draw([found])["flatness"])


def test_a_table_row_for_each_at_the_references():
    one, other = measured(), measured(1, replace(SMALL, noise=("filter",), radii=(0.0,)))
    rows = flatness.tabulate([one, other])[""]
    assert rows[0]["L^N, fixed, ± standard error"].endswith("(σ = 0.01)")
    assert rows[0]["L^N, filter, ± standard error"].endswith("(σ = 0.1)")
    assert rows[0]["worst, l2, at least"].endswith("(ρ = 0.2)")
    assert rows[1]["L^N, fixed, ± standard error"] == rows[1]["worst, l2, at least"]
    assert rows[1]["worst, l2, at least"] == "not measured"


# ------------------------------------------------------------------------------------ pictures


def test_a_panel_for_each_noise_and_ball_with_every_result():
    found = [measured(seed) for seed in range(2)]
    page = flatness.draw(found)["flatness"]
    shown = [axes for axes in page.axes if axes.axison]
    assert len(shown) == 6
    for axes, kind in zip(shown, ("fixed", "filter", "adaptive"), strict=False):
        for line, one in zip(axes.lines, found, strict=True):
            np.testing.assert_array_equal(line.get_ydata(), one.average[kind].mean)
            np.testing.assert_array_equal(line.get_xdata(), one.average[kind].sigmas)
    np.testing.assert_array_equal(shown[3].lines[0].get_ydata(), found[0].worst["l2"].losses)
    assert min(coloured(page).values()) > 50


def test_negative_losses_have_a_linear_axis():
    case = BY_NAME["linear regression"]
    problem = Objective(
        case.model(),
        case.data,
        lambda outputs, targets: F.mse_loss(outputs, targets) - 50,
        device="cpu",
        dtype=torch.float64,
    )
    page = flatness.draw([flatness.compute(problem, SMALL)])["flatness"]
    assert {axes.get_yscale() for axes in page.axes if axes.axison} == {"linear"}

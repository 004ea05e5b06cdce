from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.errors import InputError
from landscape.objective.objective import Objective
from landscape.slices import choose_mode as module
from landscape.slices import evaluation_mode
from landscape.slices.choose_mode import ROUNDING, choose_mode
from landscape.slices.evaluation_mode import EvaluationMode
from landscape.slices.evaluator import PointEvaluator
from tests.landscape.objective.foldable import NamedArguments
from tests.landscape.slices.evaluated import objective_of, plane_of
from tests.oracles.cases import BY_NAME, CASES, randomise
from tests.profile import IS_FULL

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
PROBES = [(0.0, 0.0), (0.5, -0.5), (1.0, 1.0)]
RESNET, MLP = BY_NAME["resnet with batch norm"], BY_NAME["mlp with tied weights"]


def single(case, **options):
    return objective_of(case, torch.float32, **options)


def choose(objective, num_points=10, statistics=False):
    directions = plane_of(objective, statistics=statistics)
    return choose_mode(objective, directions, "train", PROBES, num_points)


def pictures_objective(model, **options):
    data = torch.randn(6, 4, 7, 7), torch.randint(3, (6,))
    return Objective(randomise(model).eval(), data, device="cpu", **options)


def largest_difference(objective, mode, statistics=False):
    """The largest relative difference of the losses at the probes from the plain module's."""
    directions = plane_of(objective, statistics=statistics)
    plain = PointEvaluator(objective, directions, "train", mode=EvaluationMode())
    evaluator = PointEvaluator(objective, directions, "train", mode=mode)
    differences = []
    for probe in PROBES:
        plain.place(probe)
        expected = plain.evaluate_here()["train"].loss
        evaluator.place(probe)
        differences.append(abs(evaluator.evaluate_here()["train"].loss - expected) / expected)
    plain.close()
    return max(differences)


@pytest.fixture
def no_compiler(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("compiled")

    monkeypatch.setattr(torch, "compile", refuse)


# --------------------------------------------------------------------------------- what is chosen


@every_case
@pytest.mark.parametrize("precision", ["fp32", "bf16", "auto"])
def test_the_recorded_error_is_that_of_the_mode(case, precision, no_compiler):
    objective = single(case, precision=precision)
    mode = choose(objective)
    assert mode.error == largest_difference(objective, mode)
    limit = {"fp32": ROUNDING, "bf16": 5e-2, "auto": module.LOW_PRECISION_ERROR}[precision]
    assert mode.error <= limit
    if precision != "auto":
        assert mode.precision == precision
    if precision == "bf16":
        assert mode.error > 0
    assert mode.rewritten == (case is RESNET)
    assert not mode.compiled
    if mode.is_plain:
        assert mode.error == 0


@every_case
def test_double_precision_is_never_rewritten(case, monkeypatch, no_compiler):
    def refuse(*arguments, **options):
        raise AssertionError("tried out")

    monkeypatch.setattr(module, "ModeTrials", refuse)
    objective = objective_of(case, compile="on")
    assert choose(objective, num_points=10**9) == EvaluationMode("fp64")


def test_tf32_is_refused_on_a_processor():
    with pytest.raises(InputError, match="tf32 is arithmetic of CUDA devices") as error:
        choose(single(MLP, precision="tf32"))
    assert "\n" not in str(error.value)


@every_case
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_two_runs_choose_the_same(case, precision):
    first, second = (choose(single(case, precision=precision)) for _ in range(2))
    assert first == second


def test_the_objective_is_as_it_was():
    objective = single(RESNET)
    hashed, evaluation = objective.weights_hash(), objective.evaluate()
    choose(objective, statistics=True)
    assert objective.weights_hash() == hashed
    assert objective.evaluate() == evaluation


def test_statistics_that_move_count():
    objective = single(RESNET)
    mode = choose(objective, statistics=True)
    assert mode.rewritten
    assert mode.error == largest_difference(objective, mode, statistics=True)


def test_a_mode_that_gives_other_losses_is_not_used(monkeypatch):
    wrong = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
    monkeypatch.setattr(evaluation_mode, "fold_batch_norms", lambda model: wrong)
    assert choose(single(RESNET)) == EvaluationMode()


def test_a_hook_of_the_model_itself_is_kept():
    objective = single(RESNET)
    objective.module.register_forward_hook(lambda module, inputs, output: 2 * output)
    assert choose(objective).error <= ROUNDING


def test_losses_that_are_not_finite_compare_as_equal():
    objective = single(RESNET)
    directions = plane_of(objective)
    mode = choose_mode(objective, directions, "train", [(0.0, 0.0), (1e30, 0.0)], 10)
    assert mode.rewritten
    assert mode.error <= ROUNDING


class FlattensByView(nn.Module):
    """As in torch's own tutorials."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)
        self.head = nn.Linear(36, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        return self.head(x.view(x.size(0), -1))


def test_a_model_that_takes_no_channels_last():
    mode = choose(pictures_objective(FlattensByView()))
    assert mode.error <= ROUNDING


def test_a_model_whose_folded_form_raises():
    model = nn.Sequential(NamedArguments(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    assert choose(pictures_objective(model)).error <= ROUNDING


class WithoutBfloat16(nn.Module):
    """A model that computes what bfloat16 has no kernel for."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(9, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.head(x)
        if hidden.dtype == torch.bfloat16:
            raise RuntimeError("not implemented for 'BFloat16'")
        return hidden


def test_auto_stays_with_what_works():
    data = torch.randn(6, 9), torch.randint(3, (6,))
    objective = Objective(WithoutBfloat16(), data, device="cpu", precision="auto")
    assert choose(objective) == EvaluationMode()


def test_auto_takes_bf16_only_where_it_is_close(monkeypatch):
    objective = single(MLP, precision="auto")
    monkeypatch.setattr(module, "LOW_PRECISION_ERROR", 0.0)
    assert choose(objective) == EvaluationMode()


# ------------------------------------------------------------------------------------ compilation


@every_case
@pytest.mark.parametrize("compile", ["auto", "off"])
def test_a_cheap_surface_is_never_compiled(case, compile, no_compiler):
    assert not choose(single(case, compile=compile), num_points=100).compiled


def test_an_expensive_surface_is_tried(monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda model: compiled.append(model) or model)
    choose(single(MLP), num_points=10**9)
    assert len(compiled) == 1
    choose(single(MLP, compile="off"), num_points=10**9)
    assert len(compiled) == 1
    mode = choose(single(MLP, compile="on"), num_points=1)
    assert len(compiled) == 2
    assert mode == EvaluationMode(compiled=True, error=0.0)


def broken_compiler(module):
    def fail(*arguments):
        raise RuntimeError("backend fell over\n  in line 1\n  in line 2")

    return fail


def test_a_model_that_can_not_be_compiled(monkeypatch):
    monkeypatch.setattr(torch, "compile", broken_compiler)
    with pytest.raises(InputError, match="--compile on: .* fell over$") as error:
        choose(single(MLP, compile="on"))
    assert "\n" not in str(error.value)
    objective = single(MLP)
    assert choose(objective, num_points=10**9) == EvaluationMode()
    assert torch.equal(objective.live_weights, objective.theta)


def test_a_compiled_model_with_other_losses_is_not_used(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda model: lambda x: 1.01 * model(x))
    with pytest.raises(InputError, match="can't be compiled here: its losses differ by"):
        choose(single(MLP, compile="on"))


class HasNoFake(nn.Module):
    """Calls an operator whose declared result is not what it gives: no compiler takes that."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.ops.landscape_tests.twice(x))


def test_a_real_compiler_that_fails():
    library = torch.library.Library("landscape_tests", "FRAGMENT")
    library.define("twice(Tensor x) -> Tensor")
    library.impl("twice", lambda x: 2 * x, "CPU")

    @torch.library.register_fake("landscape_tests::twice", lib=library)
    def _wrong(x: Tensor) -> Tensor:
        raise ValueError("no such thing\nas this")

    data = torch.randn(6, 5), torch.randint(3, (6,))
    objective = Objective(HasNoFake(), data, device="cpu", compile="on")
    try:
        with pytest.raises(InputError, match="--compile on") as error:
            choose(objective)
        assert "\n" not in str(error.value)
    finally:
        torch._dynamo.reset()
        library._destroy()


@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_a_compiled_mlp(monkeypatch):
    if not IS_FULL:  # traced by the compiler, but not translated to C++
        monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    data = torch.randn(6, 5), torch.randn(6, 2)
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2))
    objective = Objective(model, data, F.mse_loss, batch_size=3, device="cpu", compile="on")
    try:
        mode = choose(objective)
        assert mode.compiled
        assert mode.error <= ROUNDING
        directions = plane_of(objective)
        evaluator = PointEvaluator(objective, directions, "train", mode=mode)
        plain = PointEvaluator(objective, directions, "train", mode=EvaluationMode())
        for point in ((0.25, 0.5), (-1.0, 0.0)):  # the weights move under the compiled code
            expected = plain(point)[0]
            assert evaluator(point)[0] == pytest.approx(expected, rel=ROUNDING)
        assert replace(mode, error=0.0) == EvaluationMode(compiled=True)
    finally:
        torch._dynamo.reset()

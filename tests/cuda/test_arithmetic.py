"""Losses, derivatives and points of surfaces on a device are those of the dense float64 truth."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape.curvature.operators import CurvatureOperator
from landscape.directions.direction import random_direction
from landscape.models.resnet import ResNet
from landscape.objective.objective import Objective
from landscape.runtime.devices import tf32_allowed
from landscape.runtime.isolation import isolated
from landscape.slices.choose_mode import ROUNDING, choose_mode
from landscape.slices.evaluation_mode import EvaluationMode, Forward
from landscape.slices.evaluator import PointEvaluator
from tests.cuda.examples import skip_on_the_processor
from tests.oracles.cases import BY_NAME

# Sums of a few hundred terms of order 1, in other orders.
FLOAT64, FLOAT32 = 1e-10, 1e-5
# TF32 keeps 10 bits of the mantissa and bfloat16 keeps 7.
TF32, BF16 = 1e-2, 5e-2
POINTS = [(0.0, 0.0), (0.5, -0.25), (-1.0, 2.0)]


def objective_on(device, name, dtype=torch.float64, **options):
    case = BY_NAME[name]
    model = case.model().to(dtype)
    options = {"batch_size": 3, "device": device, "dtype": dtype, **options}
    return Objective(model, case.data, case.loss, **options)


def assert_near(actual, expected, tolerance):
    expected = expected.to(actual.device, actual.dtype)
    error = torch.linalg.vector_norm(actual - expected) / torch.linalg.vector_norm(expected)
    assert error <= tolerance


@pytest.mark.parametrize("name", list(BY_NAME))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_derivatives_are_the_dense_ones(name, dtype, device):
    skip_on_the_processor(device, unless=name.startswith("mlp"))
    case, objective = BY_NAME[name], objective_on(device, name, dtype)
    tolerance = FLOAT64 if dtype == torch.float64 else FLOAT32
    outputs = case.model()(case.data[0].double())
    targets = case.data[1]
    loss = case.loss(outputs, targets.double() if targets.is_floating_point() else targets)
    assert objective.loss() == pytest.approx(loss.item(), rel=tolerance)
    assert_near(objective.gradient(), case.gradient(), tolerance)
    generator = torch.Generator().manual_seed(3)
    vectors = torch.randn(objective.num_parameters, 2, generator=generator, dtype=torch.float64)
    expected = case.hessian() @ vectors
    vectors = vectors.to(device, dtype)
    assert_near(objective.hessian_product(vectors), expected, 10 * tolerance)
    assert_near(CurvatureOperator(objective).matmat(vectors), expected, 10 * tolerance)


@pytest.mark.parametrize("matrix", ["ggn", "fisher"])
def test_other_matrices_are_those_of_the_processor(matrix, device):
    name = "vit" if device.type == "cuda" else "mlp with tied weights"
    here, there = (
        CurvatureOperator(objective_on(place, name), matrix=matrix) for place in ("cpu", device)
    )
    vector = torch.randn(here.size, dtype=torch.float64)
    assert_near(there.matvec(vector.to(device)), here.matvec(vector), FLOAT64)


@pytest.fixture
def tf32_everywhere():
    """What a user may have switched on for the whole process."""
    with tf32_allowed():
        yield


def wide(kind):
    """A layer whose rounding shows, and inputs for it."""
    torch.manual_seed(0)
    if kind == "linear":
        return nn.Linear(2048, 64), torch.randn(32, 2048)
    return nn.Conv2d(64, 64, 3), torch.randn(4, 64, 12, 12)


@pytest.mark.parametrize("kind", ["linear", "convolution"])
def test_tf32_is_off_whatever_the_user_has_switched_on(kind, device, tf32_everywhere):
    layer, inputs = wide(kind)
    exact = layer.double()(inputs.double()).detach()
    layer, inputs = layer.float().to(device), inputs.to(device)
    with isolated():
        assert_near(layer(inputs).detach(), exact, FLOAT32)


@pytest.mark.cuda
@pytest.mark.parametrize("kind", ["linear", "convolution"])
def test_tf32_would_show(kind):
    """Else the test before this one would assert nothing."""
    if torch.cuda.get_device_capability()[0] < 8:
        pytest.skip("the card has no TF32")
    layer, inputs = wide(kind)
    exact = layer.double()(inputs.double()).detach()
    layer, inputs = layer.float().cuda(), inputs.cuda()
    with tf32_allowed():
        outputs = layer(inputs).detach().double().cpu()
    assert torch.linalg.vector_norm(outputs - exact) > 1e-4 * torch.linalg.vector_norm(exact)


def objective_of_resnet(device, **options):
    torch.manual_seed(0)
    model = ResNet(layers=(1, 1), block="basic", width=8, stem="small", num_classes=10)
    data = torch.randn(12, 3, 8, 8), torch.randint(10, (12,))
    return Objective(model, data, batch_size=5, device=device, **options)


def plane(objective):
    generator = torch.Generator().manual_seed(4)
    return [random_direction(objective.layout, objective.theta, generator) for _ in range(2)]


def losses(objective, mode):
    evaluator = PointEvaluator(objective, plane(objective), "train", mode=mode)
    values = [evaluator(point)[0] for point in POINTS]
    evaluator.close()
    return values


MODES = [
    EvaluationMode("fp32"),
    EvaluationMode("fp32", rewritten=True),
    EvaluationMode("tf32", rewritten=True),
    EvaluationMode("bf16", rewritten=True),
]
ERRORS = {"fp32": ROUNDING, "tf32": TF32, "bf16": BF16}


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: f"{mode.precision}-{mode.rewritten}")
def test_points_are_the_same_bits_twice_and_those_of_the_processor(mode, device):
    objective = objective_of_resnet(device)
    first = losses(objective, mode)
    assert losses(objective, mode) == first
    assert losses(objective_of_resnet(device), mode) == first
    expected = losses(objective_of_resnet("cpu", dtype=torch.float64), EvaluationMode("fp64"))
    assert first == pytest.approx(expected, rel=ERRORS[mode.precision])


@pytest.mark.cuda
@pytest.mark.filterwarnings("default")  # torch's compiler warns of this and that
def test_compiled_points_are_those_of_the_plain_module():
    objective = objective_of_resnet("cuda")
    for precision in ("fp32", "bf16"):
        mode = EvaluationMode(precision, rewritten=True, compiled=True)
        expected = losses(objective, EvaluationMode("fp32"))
        assert losses(objective, mode) == pytest.approx(expected, rel=ERRORS[precision])


@pytest.mark.parametrize("precision", ["fp32", "bf16", "auto"])
def test_a_mode_is_chosen(precision, device):
    skip_on_the_processor(device, unless=precision == "fp32")
    objective = objective_of_resnet(device, precision=precision, compile="off")
    chosen = choose_mode(objective, plane(objective), "train", POINTS[:2], 9)
    assert chosen.precision == precision or precision == "auto"
    assert chosen.error <= ERRORS[chosen.precision]


def test_channels_are_last_in_memory(device):
    seen = []
    objective = objective_of_resnet(device)
    forward = Forward(objective, EvaluationMode("fp32", rewritten=True))
    hooked = next(m for m in forward._call.modules() if type(m).__name__ == "FoldedConvolution")
    hooked.register_forward_hook(lambda *given: seen.append(given[-1]))
    with forward.arithmetic():
        forward(objective.batches[0])
    assert seen
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_the_random_state_of_the_device_is_kept(device):
    """A user's step may draw there; a measurement draws the same every time."""

    def step(model, batch):
        inputs, targets = batch
        noise = torch.randn(inputs.shape, device=inputs.device)
        return F.cross_entropy(model(inputs + noise), targets)

    data = torch.randn(9, 4), torch.randint(3, (9,))
    objective = Objective(nn.Linear(4, 3), data, step=step, device=device, verify=False)
    torch.manual_seed(0)
    expected = torch.rand(3, device=device)
    torch.manual_seed(0)
    first = objective.loss()
    assert objective.loss() == first
    assert torch.equal(torch.rand(3, device=device), expected)

"""In every evaluation mode the forward pass computes what the plain module does."""

import copy
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.objective.objective import Objective
from landscape.slices.evaluation_mode import (
    EvaluationMode,
    Forward,
    can_be_rewritten,
    prefers_channels_last,
)
from tests.oracles.cases import BY_NAME, CASES, randomise

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def objective_of(case, dtype=torch.float32, **options):
    return Objective(
        case.model(), case.data, case.loss, batch_size=3, device="cpu", dtype=dtype, **options
    )


def outputs_of(forward, objective):
    forward.refresh()
    with forward.arithmetic():
        return torch.cat([forward(batch) for batch in objective.batches])


@every_case
@pytest.mark.parametrize(
    ("mode", "dtype", "tolerance"),
    [
        (EvaluationMode(), torch.float32, 0),
        (EvaluationMode("fp64"), torch.float64, 0),
        (EvaluationMode(rewritten=True), torch.float32, 1e-5),
        (EvaluationMode("fp64", rewritten=True), torch.float64, 1e-13),
        (EvaluationMode("bf16"), torch.float32, 5e-2),
        (EvaluationMode("bf16", rewritten=True), torch.float32, 5e-2),
    ],
    ids=str,
)
def test_a_mode_gives_the_outputs_of_the_module(case, mode, dtype, tolerance):
    objective = objective_of(case, dtype)
    forward = Forward(objective, mode)
    for _ in range(2):  # also after the weights have moved
        with torch.no_grad():
            expected = torch.cat([objective.forward(batch) for batch in objective.batches])
        outputs = outputs_of(forward, objective)
        assert outputs.dtype == dtype
        assert not outputs.requires_grad
        scale = float(expected.abs().max())
        torch.testing.assert_close(outputs, expected, rtol=0, atol=tolerance * scale)
        if mode.precision == "bf16":
            assert not torch.equal(outputs, expected)
        objective.live_weights.add_(0.1 * torch.randn_like(objective.live_weights))


def test_bf16_takes_the_weights_of_each_point():
    """Autocast keeps the weights it has converted; a point must not see those of another."""
    objective = objective_of(BY_NAME["mlp with tied weights"])
    forward = Forward(objective, EvaluationMode("bf16"))
    before = outputs_of(forward, objective)
    objective.live_weights.mul_(2)
    moved = outputs_of(forward, objective)
    assert not torch.equal(before, moved)
    assert torch.equal(moved, outputs_of(Forward(objective, EvaluationMode("bf16")), objective))


def test_bf16_is_the_arithmetic_inside():
    seen = []
    objective = objective_of(BY_NAME["mlp with frozen parameters"])
    objective.module[0].register_forward_hook(lambda *given: seen.append(given[-1].dtype))
    assert outputs_of(Forward(objective, EvaluationMode("bf16")), objective).dtype == torch.float32
    assert set(seen) == {torch.bfloat16}


@pytest.mark.parametrize("precision", ["fp32", "bf16", "tf32"])
def test_switches_are_put_back(precision):
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    forward = Forward(objective_of(BY_NAME["mlp with tied weights"]), EvaluationMode(precision))
    with forward.arithmetic():
        now = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
        assert now == ((True, True) if precision == "tf32" else (False, False))
        assert not torch.is_grad_enabled()
        assert torch.is_autocast_enabled("cpu") == (precision == "bf16")
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == before
    assert torch.is_grad_enabled()
    assert not torch.is_autocast_enabled("cpu")


def test_a_mode_leaves_the_objective_alone():
    objective = objective_of(BY_NAME["resnet with batch norm"])
    state = copy.deepcopy(objective.module.state_dict())
    expected = objective.evaluate()
    outputs_of(Forward(objective, EvaluationMode(rewritten=True)), objective)
    assert objective.evaluate() == expected
    after = objective.module.state_dict()
    assert list(after) == list(state)
    assert all(torch.equal(after[key], value) for key, value in state.items())


def test_inputs_are_laid_out_channels_last_for_convolutional_models():
    layouts = []

    def record(module, inputs):
        layouts.append(inputs[0].is_contiguous(memory_format=torch.channels_last))

    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 2), nn.Flatten(), nn.Linear(4, 3))
    data = torch.randn(4, 3, 4, 4), torch.randint(3, (4,))
    objective = Objective(model, data, device="cpu")
    objective.module[0].register_forward_pre_hook(record)
    plain = outputs_of(Forward(objective, EvaluationMode()), objective)
    rewritten = outputs_of(Forward(objective, EvaluationMode(rewritten=True)), objective)
    assert layouts == [False, True]
    torch.testing.assert_close(plain, rewritten)


def test_what_can_be_rewritten():
    answers = {case.name: can_be_rewritten(case.model()) for case in CASES}
    assert {name for name, answer in answers.items() if answer} == {"resnet with batch norm"}
    assert not prefers_channels_last(BY_NAME["vit"].model())
    alone = nn.Sequential(nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4)).eval()
    assert can_be_rewritten(alone)


def test_is_plain():
    assert EvaluationMode().is_plain
    assert EvaluationMode("fp64").is_plain
    for mode in (
        EvaluationMode(rewritten=True),
        EvaluationMode(compiled=True),
        EvaluationMode("bf16"),
        EvaluationMode("tf32"),
    ):
        assert not mode.is_plain


class TwoInputs(nn.Module):
    """Pictures and numbers in, as arguments or by name; two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.conv2, self.head = nn.Conv2d(4, 4, 2), nn.Linear(6, 3)

    def forward(self, image: Tensor, extra: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.relu(self.conv2(self.norm(self.conv1(image)))).mean((2, 3))
        return self.head(torch.cat([hidden, extra], 1)), hidden.argmax(1)


def first_entropy(outputs: Any, targets: Tensor) -> Tensor:
    return F.cross_entropy(outputs[0], targets)


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_models_of_several_inputs_and_outputs(by_name, precision):
    image, extra, targets = torch.randn(4, 3, 5, 5), torch.randn(4, 2), torch.randint(3, (4,))
    inputs = {"extra": extra, "image": image} if by_name else (image, extra)
    objective = Objective(
        randomise(TwoInputs()), [(inputs, targets)], first_entropy, device="cpu", verify=False
    )
    forward = Forward(objective, EvaluationMode(precision, rewritten=True))
    with forward.arithmetic():
        logits, largest = forward(objective.batches[0])
    tolerance = {"fp32": 1e-5, "bf16": 5e-2}[precision]
    with torch.no_grad():
        expected = objective.forward(objective.batches[0])
    torch.testing.assert_close(logits, expected[0], rtol=tolerance, atol=tolerance)
    assert largest.dtype == torch.int64


@dataclass
class Answer:
    """What a model of a user's may return."""

    logits: Tensor
    hidden: Tensor | None = None


class Answers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Answer:
        return Answer(self.head(x))


def test_bf16_with_outputs_of_a_users_own_class():
    data = torch.randn(4, 5), torch.randint(3, (4,))
    objective = Objective(
        Answers(), data, lambda answer, wanted: F.cross_entropy(answer.logits, wanted), device="cpu"
    )
    forward = Forward(objective, EvaluationMode("bf16"))
    with forward.arithmetic():
        assert forward(objective.batches[0]).logits.shape == (4, 3)

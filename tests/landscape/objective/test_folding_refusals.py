"""Models that can't be folded are left alone, and unusual ones stay right."""

import pytest
import torch
from torch import Tensor, nn

from landscape.objective.folding import fold_batch_norms
from tests.landscape.objective.foldable import NamedArguments, close, pair, pictures, prepared


def assert_left_alone(model, *inputs):
    """Not folded, or what is folded elsewhere in it is right."""
    folded = fold_batch_norms(model)
    with torch.no_grad():
        if folded is not None:
            close(folded(*inputs), model(*inputs))
    return folded is None


class PreActivation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1)
        self.norm2, self.conv2 = nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.conv1(torch.relu(self.norm1(x)))
        return x + self.conv2(torch.relu(self.norm2(torch.tanh(hidden))))


class TwoConsumers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.conv(x)
        return self.norm(hidden) + hidden


class SharedConvolution(nn.Module):
    """One convolution called twice, each time with a norm of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm1, self.norm2 = nn.BatchNorm2d(4), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm2(self.conv(torch.relu(self.norm1(self.conv(x)))))


class SharedNorm(nn.Module):
    """A norm behind a convolution and, again, behind none."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(torch.relu(self.norm(self.conv(x))))


class BranchesOnValues(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x))
        return x if x.sum() > 0 else -x


class NormalisedByName(NamedArguments):
    def forward(self, x: Tensor) -> Tensor:
        return self.norm(input=self.conv(x))


class ReadsBuffer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)
        self.register_buffer("scale", torch.ones(1))
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x)) * (2 * self.scale) * torch.exp(self.gain)


@pytest.mark.parametrize("model", [PreActivation, TwoConsumers, BranchesOnValues])
def test_what_can_not_be_folded_is_left_alone(model):
    assert assert_left_alone(prepared(model()), pictures())


@pytest.mark.parametrize("model", [SharedConvolution, SharedNorm, NormalisedByName])
def test_unusual_models_stay_right(model):
    assert_left_alone(prepared(model()), pictures())


def test_a_convolution_called_by_the_name_of_its_argument():
    assert_left_alone(prepared(NamedArguments()), pictures())


def test_a_norm_without_running_statistics_is_left_alone():
    model = nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6, track_running_stats=False))
    assert assert_left_alone(prepared(model), pictures())


def test_a_norm_in_train_mode_is_left_alone():
    model = pair()
    model[1].train()
    assert fold_batch_norms(model) is None


def test_models_without_pairs():
    assert fold_batch_norms(nn.Linear(3, 3)) is None
    assert fold_batch_norms(prepared(nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6)))) is None
    between = nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.BatchNorm2d(6))
    assert fold_batch_norms(prepared(between)) is None


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("kind", ["forward", "before"])
def test_hooks_go_on_working(which, kind):
    model = pair()
    if kind == "forward":
        model[which].register_forward_hook(lambda module, inputs, output: 3 * output)
    else:
        model[which].register_forward_pre_hook(lambda module, inputs: (inputs[0] + 1,))
    assert assert_left_alone(model, pictures())


def test_hooks_of_a_part_go_on_working():
    model = nn.Sequential(pair(), nn.ReLU())
    model[0].register_forward_hook(lambda module, inputs, output: 3 * output)
    assert_left_alone(model, pictures())


def test_hooks_of_the_model_itself_go_on_working():
    model = pair()
    model.register_forward_hook(lambda module, inputs, output: 3 * output)
    assert_left_alone(model, pictures())


def test_parametrised_weights_stay_right():
    model = nn.Sequential(
        torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 6, 3)), nn.BatchNorm2d(6)
    )
    assert_left_alone(prepared(model), pictures())


def test_parameters_used_by_the_models_own_code_move_along():
    model, x = prepared(ReadsBuffer()), pictures()
    folded = fold_batch_norms(model)
    with torch.no_grad():
        model.gain += 1
        close((folded or model)(x), model(x))


def test_buffers_used_by_the_models_own_code_move_along():
    model, x = prepared(ReadsBuffer()), pictures()
    folded = fold_batch_norms(model)
    with torch.no_grad():
        model.scale *= 3
        close((folded or model)(x), model(x))

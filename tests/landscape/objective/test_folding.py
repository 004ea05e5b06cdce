import copy

import pytest
import torch
from torch import Tensor, nn

from landscape.models.resnet import ResNet
from landscape.objective.folding import FoldedConvolution, fold_batch_norms, folded_convolutions
from tests.oracles.cases import randomise

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def prepared(model):
    return randomise(model.double()).eval()


def pair(**options):
    return prepared(nn.Sequential(nn.Conv2d(4, 6, 3, **options), nn.BatchNorm2d(6)))


def pictures(channels=4, side=7, dimensions=2, count=3):
    return torch.randn(count, channels, *[side] * dimensions, dtype=torch.float64)


def close(actual, expected):
    scale = float(expected.abs().max())
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-13 * scale)


def move(model, factor=0.5):
    """Other weights and running statistics, written in place."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(factor * torch.randn_like(parameter))
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.add_(torch.randn_like(buffer))
            if name.endswith("running_var"):
                buffer.mul_(1 + torch.rand_like(buffer))


def count_norms(model):
    return sum(isinstance(part, tuple(NORMS.values())) for part in model.modules())


def assert_left_alone(model, *inputs):
    """Not folded, or what is folded elsewhere in it is right."""
    folded = fold_batch_norms(model)
    with torch.no_grad():
        if folded is not None:
            close(folded(*inputs), model(*inputs))
    return folded is None


# --------------------------------------------------------------------------------- one pair


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("affine", [False, True])
def test_a_pair_is_one_convolution(dimensions, bias, affine):
    model = prepared(
        nn.Sequential(
            CONVOLUTIONS[dimensions](4, 6, 3, bias=bias), NORMS[dimensions](6, affine=affine)
        )
    )
    folded, x = fold_batch_norms(model), pictures(dimensions=dimensions)
    with torch.no_grad():
        close(folded(x), model(x))
        move(model)
        for convolution in folded_convolutions(folded):
            convolution.fold()
        close(folded(x), model(x))


@pytest.mark.parametrize(
    "options",
    [
        {"groups": 2},
        {"stride": 2},
        {"padding": 1},
        {"padding": "same", "dilation": 2},
        {"padding": 2, "padding_mode": "reflect"},
        {"padding": 1, "padding_mode": "circular", "stride": (2, 1), "groups": 2, "bias": False},
    ],
    ids=str,
)
def test_options_of_the_convolution_are_kept(options):
    model, x = pair(**options), pictures()
    folded = fold_batch_norms(model)
    with torch.no_grad():
        close(folded(x), model(x))


def test_a_depthwise_convolution():
    model = prepared(nn.Sequential(nn.Conv2d(4, 8, 3, groups=4), nn.BatchNorm2d(8, eps=0.1)))
    with torch.no_grad():
        x = pictures()
        close(fold_batch_norms(model)(x), model(x))


def test_folding_anew_writes_the_same_memory():
    model, x = pair(), pictures()
    folded = fold_batch_norms(model)
    (convolution,) = folded_convolutions(folded)
    places = convolution.kernel.data_ptr(), convolution.offset.data_ptr()
    with torch.no_grad():
        before = folded(x)
        move(model)
        assert torch.equal(folded(x), before)  # until it is folded anew
        convolution.fold()
        close(folded(x), model(x))
    assert (convolution.kernel.data_ptr(), convolution.offset.data_ptr()) == places


def test_folding_anew_gives_the_bits_of_folding_once():
    model = pair()
    state = copy.deepcopy(model.state_dict())
    (convolution,) = folded_convolutions(fold_batch_norms(model))
    kernel, offset = convolution.kernel.clone(), convolution.offset.clone()
    move(model)
    convolution.fold()
    assert not torch.equal(convolution.kernel, kernel)
    again = FoldedConvolution(model[0], model[1])
    assert torch.equal(convolution.kernel, again.kernel)
    assert torch.equal(convolution.offset, again.offset)
    model.load_state_dict(state)
    convolution.fold()
    assert torch.equal(convolution.kernel, kernel)
    assert torch.equal(convolution.offset, offset)


def test_parameters_and_statistics_are_shared():
    model = pair()
    folded = fold_batch_norms(model)
    own = {p.data_ptr() for p in model.parameters()}
    assert {p.data_ptr() for p in folded.parameters()} == own


# ------------------------------------------------------------------------- what is left alone


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


class NamedArguments(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(input=x))


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


# --------------------------------------------------------------------------------- whole models


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_our_resnet_folds_every_pair(block):
    model = prepared(ResNet(layers=(1, 2), block=block, width=4, num_classes=3, channels=2))
    folded, x = fold_batch_norms(model), pictures(channels=2, side=17)
    assert len(list(folded_convolutions(folded))) == count_norms(model)
    with torch.no_grad():
        close(folded(x), model(x))
        move(model, 0.1)
        for convolution in folded_convolutions(folded):
            convolution.fold()
        close(folded(x), model(x))


def test_a_timm_resnet_folds_every_pair(timm):
    model = timm.models.ResNet(
        timm.models.resnet.BasicBlock, layers=(1, 1, 1, 1), num_classes=5, in_chans=2
    )
    model = prepared(model)
    folded, x = fold_batch_norms(model), pictures(channels=2, side=33)
    assert len(list(folded_convolutions(folded))) == count_norms(model)
    with torch.no_grad():
        close(folded(x), model(x))


def test_the_model_is_unchanged():
    model, x = prepared(ResNet(layers=(1,), block="basic", width=3, num_classes=3)), pictures(3)
    state, names = copy.deepcopy(model.state_dict()), [name for name, _ in model.named_modules()]
    with torch.no_grad():
        before = model(x)
        folded = fold_batch_norms(model)
        folded(x)
        assert torch.equal(model(x), before)
    assert [name for name, _ in model.named_modules()] == names
    assert list(model.state_dict()) == list(state)
    assert all(torch.equal(model.state_dict()[key], value) for key, value in state.items())


def test_the_modes_of_other_parts_are_unchanged():
    model = nn.Sequential(pair(), nn.Dropout(0.5))
    model[1].train()
    fold_batch_norms(model)
    assert model[1].training

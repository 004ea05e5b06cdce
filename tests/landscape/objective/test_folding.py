import copy

import pytest
import torch
from torch import nn

from landscape.models.resnet import ResNet
from landscape.objective.folding import FoldedConvolution, fold_batch_norms, folded_convolutions
from tests.landscape.objective.foldable import (
    CONVOLUTIONS,
    NORMS,
    close,
    count_norms,
    move,
    pair,
    pictures,
    prepared,
)

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
    addresses = {p.data_ptr() for p in model.parameters()}
    assert {p.data_ptr() for p in folded.parameters()} == addresses


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

import pytest
import torch
import torch.nn.functional as F

from landscape.errors import InputError
from landscape.models.catalog import resolve_model
from landscape.models.mixer import MlpMixer
from landscape.models.resnet import ResNet
from landscape.models.vit import VisionTransformer
from landscape.objective.objective import Objective
from tests.oracles.cases import randomise

SAME_MODEL = {
    "vit-s16": "vit_small_patch16_224",
    "vit-b32": "vit_base_patch32_224",
    "mixer-s32": "mixer_s32_224",
    "mixer-b16": "mixer_b16_224",
    "resnet50": "resnet50",
}


@pytest.mark.parametrize(("ours", "theirs"), SAME_MODEL.items())
def test_state_dicts_have_the_same_keys_and_shapes(timm, ours, theirs):
    with torch.device("meta"):
        our_state = resolve_model(ours, {}).build().state_dict()
        their_state = timm.create_model(theirs).state_dict()
    assert {key: value.shape for key, value in our_state.items()} == {
        key: value.shape for key, value in their_state.items()
    }


def vit_pair(timm, activation):
    ours = VisionTransformer(
        image_size=12,
        patch_size=4,
        dim=24,
        depth=3,
        heads=3,
        mlp_dim=48,
        num_classes=5,
        channels=2,
        activation=activation,
    )
    theirs = timm.models.VisionTransformer(
        img_size=12,
        patch_size=4,
        embed_dim=24,
        depth=3,
        num_heads=3,
        mlp_ratio=2,
        num_classes=5,
        in_chans=2,
        act_layer=activation,
    )
    return ours, theirs


def mixer_pair(timm, activation):
    ours = MlpMixer(
        image_size=12,
        patch_size=4,
        dim=24,
        depth=3,
        token_dim=12,
        channel_dim=72,
        num_classes=5,
        channels=2,
        activation=activation,
    )
    theirs = timm.models.MlpMixer(
        img_size=12,
        patch_size=4,
        embed_dim=24,
        num_blocks=3,
        mlp_ratio=(0.5, 3.0),
        num_classes=5,
        in_chans=2,
        act_layer=timm.layers.get_act_layer(activation),
    )
    return ours, theirs


def resnet_pair(timm, block):
    layers = (1, 2, 2, 1)
    ours = ResNet(layers=layers, num_classes=5, channels=2, block=block, width=64)
    kind = {"basic": "BasicBlock", "bottleneck": "Bottleneck"}[block]
    theirs = timm.models.ResNet(
        getattr(timm.models.resnet, kind), layers=layers, num_classes=5, in_chans=2
    )
    return ours, theirs


PAIRS = {
    "vit": (vit_pair, "gelu"),
    "vit with the tanh gelu": (vit_pair, "gelu_tanh"),
    "vit with relu": (vit_pair, "relu"),
    "mixer": (mixer_pair, "gelu"),
    "mixer with the tanh gelu": (mixer_pair, "gelu_tanh"),
    "resnet of basic blocks": (resnet_pair, "basic"),
    "resnet of bottlenecks": (resnet_pair, "bottleneck"),
}


def same_weights(timm, pair):
    make, variant = PAIRS[pair]
    ours, theirs = (model.double() for model in make(timm, variant))
    theirs.load_state_dict(randomise(ours).state_dict(), strict=True)
    size = 33 if pair.startswith("resnet") else 12  # an odd side: padding and rounding count
    return ours.eval(), theirs.eval(), torch.randn(3, 2, size, size, dtype=torch.float64)


@pytest.mark.parametrize("pair", PAIRS)
def test_outputs_are_the_same(timm, pair):
    ours, theirs, images = same_weights(timm, pair)
    with torch.no_grad():
        expected = theirs(images)
        torch.testing.assert_close(ours(images), expected, rtol=1e-12, atol=1e-12)
    assert expected.shape == (3, 5)
    assert expected.std(0).min() > 1e-3  # the images make a difference


@pytest.mark.parametrize("pair", ["vit", "mixer"])
def test_train_mode_is_the_same_without_dropout(timm, pair):
    ours, theirs, images = same_weights(timm, pair)
    torch.testing.assert_close(ours.train()(images), theirs.train()(images), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("pair", ["vit", "mixer"])
def test_an_objective_of_theirs_is_one_of_ours(timm, pair):
    """Their fused attention has no second derivative; the objective takes the plain form."""
    ours, theirs, images = same_weights(timm, pair)
    data = (images, torch.tensor([0, 3, 1]))
    our_objective, their_objective = (
        Objective(model, data, F.cross_entropy, device="cpu", dtype=torch.float64)
        for model in (ours, theirs)
    )
    assert our_objective.layout.size == their_objective.layout.size
    assert their_objective.loss() == pytest.approx(our_objective.loss(), rel=1e-12)
    # Both list their parameters in an order of their own.
    direction = {
        name: torch.randn(shape, dtype=torch.float64)
        for name, shape in zip(our_objective.layout.names, our_objective.layout.shapes, strict=True)
    }
    products = [
        dict(
            zip(
                objective.layout.names,
                objective.layout.views(
                    objective.hessian_product(
                        objective.layout.flatten([direction[n] for n in objective.layout.names])
                    )
                ),
                strict=True,
            )
        )
        for objective in (our_objective, their_objective)
    ]
    for name in direction:
        torch.testing.assert_close(products[0][name], products[1][name], rtol=1e-9, atol=1e-11)


def test_a_timm_model_by_name(timm):
    spec = resolve_model(
        "timm:vit_tiny_patch16_224",
        {"img_size": 32, "patch_size": 8, "depth": 1},
        {"num_classes": 7, "channels": 1, "image_size": 32},
        fit_to_data=True,
    )
    model = spec.build()
    assert type(model) is timm.models.VisionTransformer
    assert model(torch.zeros(2, 1, 32, 32)).shape == (2, 7)


def test_the_head_of_a_timm_model_is_its_own_unless_it_is_fitted(timm):
    arguments = {"img_size": 32, "patch_size": 8, "depth": 1}
    spec = resolve_model("timm:vit_tiny_patch16_224", arguments, {"num_classes": 7})
    assert spec.arguments == arguments
    assert spec.build().num_classes == 1000


def test_a_name_that_timm_does_not_know_is_refused(timm):
    with pytest.raises(InputError, match="timm can't create 'vit_minuscule'"):
        resolve_model("timm:vit_minuscule", {}).build()


def test_an_argument_that_timm_does_not_take_is_refused(timm):
    with pytest.raises(InputError, match="timm can't create 'mixer_s32_224'.*patch_size"):
        resolve_model("timm:mixer_s32_224", {"patch_size": 4}).build()

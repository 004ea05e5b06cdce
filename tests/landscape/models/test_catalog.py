import json
import math
import sys

import pytest
import torch
import torch.nn.functional as F

from landscape.errors import InputError
from landscape.models.catalog import ModelSpec, resolve_model
from landscape.models.layers import DropPath
from landscape.models.names import FAMILIES, NAMED, native_image_size
from tests.oracles.cases import randomise
from tests.profile import some

DIGITS = {"image_size": 8, "channels": 1, "num_classes": 10}
TINY = ("vit-tiny", "mixer-tiny", "resnet-tiny")

# Parameters at 1000 classes, as published.
PUBLISHED = {
    "vit-b16": 86_567_656,
    "vit-s16": 22_050_664,
    "mixer-b16": 59_880_472,
    "mixer-s16": 18_528_264,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
}

SIZES = {
    "vit": {"dim": 12, "depth": 2, "heads": 3, "mlp_dim": 8, "patch_size": 4},
    "mixer": {"dim": 12, "depth": 2, "token_dim": 5, "channel_dim": 8, "patch_size": 4},
    "resnet": {"layers": [1, 2], "width": 4, "block": "basic", "stem": "small"},
}


@pytest.mark.parametrize(("name", "count"), PUBLISHED.items())
def test_published_parameter_counts(name, count):
    with torch.device("meta"):
        model = resolve_model(name, {}).build()
    assert sum(p.numel() for p in model.parameters()) == count


@pytest.mark.parametrize("name", some((name for name in NAMED if name not in TINY), 8))
def test_named_models_are_for_imagenet(name):
    with torch.device("meta"):
        model = resolve_model(name, {}).build()
        assert model(torch.empty(2, 3, 224, 224)).shape == (2, 1000)


@pytest.mark.parametrize("size", [8, 16, 24, 28, 32])
@pytest.mark.parametrize("name", TINY)
def test_tiny_models_fit_small_images(name, size):
    """8 are the digits, 28 is MNIST, 32 is CIFAR."""
    facts = {"image_size": size, "channels": 1, "num_classes": 4}
    model = resolve_model(name, {}, facts, fit_to_data=True).build()
    assert model(torch.zeros(2, 1, size, size)).shape == (2, 4)


@pytest.mark.parametrize(("size", "patch"), [(8, 2), (16, 4), (24, 3), (32, 4)])
def test_patches_of_the_tiny_models(size, patch):
    facts = {**DIGITS, "image_size": size}
    for name in ("vit-tiny", "mixer-tiny"):
        assert resolve_model(name, {}, facts).arguments["patch_size"] == patch
        given = resolve_model(name, {"patch_size": 1}, facts)
        assert given.arguments["patch_size"] == 1
    assert "patch_size" not in resolve_model("resnet-tiny", {}, facts).arguments


@pytest.mark.parametrize("name", TINY)
def test_a_fresh_model_knows_nothing(name):
    """ViT and Mixer start at the loss log(classes) exactly: their heads are zero."""
    model = resolve_model(name, {}, DIGITS).build().eval()
    images, targets = torch.randn(6, 1, 8, 8), torch.arange(6)
    loss = F.cross_entropy(model(images), targets).item()
    assert loss == pytest.approx(math.log(10), rel=0.3 if name == "resnet-tiny" else 1e-6)


def test_a_row_is_a_family_with_sizes():
    spec = resolve_model("vit-s16", {})
    assert spec.name == "vit"
    assert spec.arguments == {
        "image_size": 224,
        "num_classes": 1000,
        "patch_size": 16,
        "dim": 384,
        "depth": 12,
        "heads": 6,
        "mlp_dim": 1536,
    }


def test_facts_fill_only_what_the_row_leaves_open():
    spec = resolve_model("vit-s16", {}, {"image_size": 32, "channels": 1, "num_classes": 10})
    assert spec.arguments["image_size"] == 224
    assert spec.arguments["num_classes"] == 1000
    assert spec.arguments["channels"] == 1


def test_facts_win_over_the_row_for_a_model_to_be_trained():
    facts = {"image_size": 32, "channels": 1, "num_classes": 10}
    spec = resolve_model("vit-s16", {}, facts, fit_to_data=True)
    assert {key: spec.arguments[key] for key in facts} == facts
    assert spec.arguments["patch_size"] == 16


@pytest.mark.parametrize("fit_to_data", [True, False])
def test_arguments_win_over_everything(fit_to_data):
    arguments = {"num_classes": 7, "depth": 2}
    spec = resolve_model("vit-s16", arguments, {"num_classes": 10}, fit_to_data=fit_to_data)
    assert spec.arguments["num_classes"] == 7
    assert spec.arguments["depth"] == 2


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_with_every_size_given(family):
    facts = {"image_size": 8, "channels": 2, "num_classes": 3}
    spec = resolve_model(family, SIZES[family], facts)
    assert spec == ModelSpec(family, {**facts, **SIZES[family]})
    assert spec.build()(torch.zeros(2, 2, 8, 8)).shape == (2, 3)


@pytest.mark.parametrize("name", [*TINY, *FAMILIES])
def test_a_spec_survives_json(name):
    arguments = SIZES.get(name, {})
    spec = resolve_model(name, arguments, DIGITS)
    read = ModelSpec(**json.loads(json.dumps({"name": spec.name, "arguments": spec.arguments})))
    written, loaded = randomise(spec.build()), read.build()
    loaded.load_state_dict(written.state_dict())
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(written.eval()(images), loaded.eval()(images))


def test_one_number_of_layers_is_a_single_stage():
    model = resolve_model("resnet", {**SIZES["resnet"], "layers": 2}, DIGITS).build()
    assert model.stages == ["layer1"]
    assert len(model.layer1) == 2


@pytest.mark.parametrize("family", ["vit", "mixer"])
def test_drop_path_grows_to_its_rate_and_is_off_in_eval_mode(family):
    arguments = {**SIZES[family], "depth": 3, "drop_path": 0.4}
    model = randomise(resolve_model(family, arguments, DIGITS).build())
    rates = [module.rate for module in model.modules() if isinstance(module, DropPath)]
    assert rates == pytest.approx([0.0, 0.2, 0.4])
    images = torch.randn(4, 1, 8, 8)
    plain = resolve_model(family, {**arguments, "drop_path": 0.0}, DIGITS).build()
    plain.load_state_dict(model.state_dict())
    expected = plain.eval()(images)
    assert torch.equal(model.eval()(images), expected)
    assert not torch.equal(model.train()(images), expected)


def test_drop_path_keeps_the_mean():
    drop = DropPath(0.25).train()
    ones = torch.ones(20_000, 1, 1, dtype=torch.float64)
    out = drop(ones)
    assert set(out.unique().tolist()) == {0.0, 1.0 / 0.75}
    assert out.mean().item() == pytest.approx(1.0, abs=0.02)
    assert torch.equal(drop.eval()(ones), ones)


# ------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("vit-tinny", "did you mean vit-tiny?"),
        ("resnet18", "did you mean resnet?"),
        ("qqqq", "unknown model 'qqqq'; expected one of vit-tiny, "),
    ],
)
def test_an_unknown_name_is_refused(name, hint):
    with pytest.raises(InputError, match="FILE.py:FUNCTION") as caught:
        resolve_model(name, {})
    assert hint in str(caught.value)


def test_a_missing_size_is_named():
    with pytest.raises(InputError, match="--model vit also needs --model-args .*depth=... heads"):
        resolve_model("vit", {"dim": 8}, DIGITS).build()
    with pytest.raises(InputError, match="needs --model-args image_size=... patch_size=... num"):
        resolve_model("vit-tiny", {}).build()


def test_an_argument_that_the_family_does_not_take_is_named():
    with pytest.raises(InputError, match="--model mixer takes no argument heads; it takes image_"):
        resolve_model("mixer-tiny", {"heads": 2}, DIGITS).build()


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("vit-tiny", {"patch_size": 3}, "patches of 3 pixels don't tile an image of 8"),
        ("mixer-tiny", {"patch_size": 3}, "patches of 3 pixels don't tile an image of 8"),
        ("vit-tiny", {"heads": 5}, "dim=48 is not divisible by heads=5"),
        ("vit-tiny", {"activation": "swish"}, "unknown activation 'swish'; expected one of gelu"),
        ("resnet-tiny", {"block": "wide"}, "unknown block 'wide'"),
        ("resnet-tiny", {"stem": "big"}, "unknown stem 'big'"),
        ("vit-tiny", {"dim": "wide"}, "--model-args dim has to be a whole number"),
        ("vit-tiny", {"heads": 0}, "--model-args heads has to be a whole number"),
        ("vit-tiny", {"patch_size": 0}, "--model-args patch_size has to be a whole number"),
        ("mixer-tiny", {"dim": -4}, "--model-args dim has to be a whole number"),
    ],
)
def test_sizes_that_make_no_model_are_refused(name, arguments, message):
    with pytest.raises(InputError) as caught:
        resolve_model(name, arguments, DIGITS).build()
    assert message in str(caught.value)


def test_a_spec_of_no_known_family_is_refused():
    """A config.json can hold any name: that of a later version, say."""
    with pytest.raises(InputError, match="unknown model 'convnet'"):
        ModelSpec("convnet", {}).build()


# ------------------------------------------------------------------------------- other sources

USER_FILE = """
from torch import nn

def make(num_classes, width=5):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.Linear(width, num_classes))

def number():
    return 3
"""


@pytest.fixture
def user_file(tmp_path):
    (tmp_path / "mine.py").write_text(USER_FILE)
    return str(tmp_path / "mine.py")


def test_a_users_model_is_fitted_to_the_data_it_takes(user_file):
    spec = resolve_model(f"{user_file}:make", {"width": 6}, DIGITS, fit_to_data=True)
    assert spec == ModelSpec(f"{user_file}:make", {"num_classes": 10, "width": 6})
    assert spec.build()(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_facts_fill_what_a_users_model_requires(user_file):
    """As for our own: they fill what nothing else settles, in this case a required argument."""
    spec = resolve_model(f"{user_file}:make", {}, DIGITS)
    assert spec.build()(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_what_is_no_module_is_refused(user_file):
    with pytest.raises(InputError, match="has to return a torch.nn.Module, got int"):
        resolve_model(f"{user_file}:number", {}).build()


def test_a_timm_that_runs_code_in_weights_is_refused(timm, monkeypatch):
    for version, is_new in (("1.0.31", True), ("1.1.0.dev0", True), ("1.0.30", False)):
        monkeypatch.setattr(timm, "__version__", version)
        if is_new:
            assert resolve_model("timm:resnet10t", {}).build() is not None
        else:
            with pytest.raises(InputError, match=r"needs timm 1\.0\.31 or later, got 1\.0\.30"):
                resolve_model("timm:resnet10t", {}).build()


def test_without_timm_its_models_are_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"needs timm.*pip install 'loss-landscape-toolkit\[timm"):
        resolve_model("timm:vit_tiny_patch16_224", {}).build()


@pytest.mark.parametrize(
    ("name", "size"),
    [("vit-b16", 224), ("resnet50", 224), ("vit-tiny", 0), ("a.py:b", 0), (None, 0)],
)
def test_pictures_for_a_named_model_have_its_size(name, size):
    assert native_image_size(name) == size

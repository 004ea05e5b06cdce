"""Pictures as a model takes them, held to the transforms of the library that the model is from."""

import logging
from dataclasses import asdict

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from landscape.checkpoints.preprocessing import check_class_order, with_model_defaults
from landscape.data.catalog import load_data
from landscape.data.samples import TensorSamples
from landscape.data.settings import DataSettings
from landscape.errors import InputError
from tests.pretrained import adapted, vit

# Wide, high, square and small, with sides that no model's are a multiple of.
SIZES = ((301, 227), (230, 411), (256, 256), (57, 43))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """An image folder of colourful pictures, and they themselves."""
    root, generator = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    kept = []
    for k, size in enumerate(SIZES):
        coarse = Image.fromarray(generator.integers(0, 256, (14, 18, 3), dtype=np.uint8))
        kept.append(coarse.resize(size, Image.Resampling.BICUBIC))
        (root / "train" / "a").mkdir(parents=True, exist_ok=True)
        kept[-1].save(root / "train" / "a" / f"{k}.png")
    return root, kept


def settings_of(root, path, model=None, model_args=None, **given):
    given = {"data": "imagefolder", "data_dir": str(root), **given}
    return with_model_defaults(DataSettings(**given), given, path, model, model_args or {})


def inputs_of(settings):
    samples = load_data(settings, "train")
    return samples.fetch(torch.arange(len(samples)))


@pytest.mark.parametrize(
    "name",
    [
        "vit_tiny_patch16_224",  # bicubic, 0.9
        "resnet18.tv_in1k",  # bilinear, 0.875
        "efficientnet_b1.ra4_e3600_r240_in1k",
        "vit_pe_core_tiny_patch16_384.fb",  # squashed
    ],
)
def test_those_of_timm(timm, pictures, tmp_path, name):
    root, kept = pictures
    config = timm.data.resolve_data_config(
        {}, pretrained_cfg=timm.get_pretrained_cfg(name).to_dict()
    )
    transform = timm.data.create_transform(**config)
    settings = settings_of(root, tmp_path / "a.pth", f"timm:{name}")
    expected = torch.stack([transform(picture) for picture in kept])
    torch.testing.assert_close(inputs_of(settings), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "swin_t", "efficientnet_b1"])
def test_those_of_torchvision(torchvision, pictures, tmp_path, name):
    root, kept = pictures
    transform = torchvision.get_model_weights(name).DEFAULT.transforms()
    settings = settings_of(root, tmp_path / "a.pth", f"torchvision:{name}")
    expected = torch.stack([transform(picture) for picture in kept])
    torch.testing.assert_close(inputs_of(settings), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ViTImageProcessor", {}),
        ("ViTImageProcessor", {"do_normalize": False, "size": {"height": 32, "width": 32}}),
        ("DeiTImageProcessor", {}),
        ("CLIPImageProcessor", {}),
        ("MobileNetV2ImageProcessor", {}),
        ("ConvNextImageProcessor", {"size": {"shortest_edge": 224}}),
        ("ConvNextImageProcessor", {"size": {"shortest_edge": 384}}),
        ("EfficientNetImageProcessor", {"include_top": False}),
        ("ViTImageProcessor", {"rescale_factor": 1 / 127.5, "image_mean": [1.0, 1.0, 1.0]}),
    ],
)
def test_those_of_hugging_face(transformers, pictures, tmp_path, name, options):
    """They resize tensors, which rounds otherwise: the mean of the differences is below 1/255."""
    root, kept = pictures
    processor = getattr(transformers, name)(**options)
    vit(transformers).save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    settings = settings_of(root, tmp_path)
    expected = processor(images=kept, return_tensors="pt")["pixel_values"]
    difference = (inputs_of(settings) - expected) * torch.tensor(settings.std).view(1, -1, 1, 1)
    assert difference.abs().mean() < 1 / 255


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("MobileViTImageProcessor", {}),  # turns the colours around
        ("EfficientNetImageProcessor", {"include_top": True}),  # normalises twice
        ("LevitImageProcessor", {}),  # resizes to another side than it says
        ("CLIPImageProcessor", {"do_center_crop": False}),  # pictures of many shapes
    ],
)
def test_a_processor_that_does_more_than_flags_say_is_refused(
    transformers, pictures, tmp_path, name, options
):
    vit(transformers).save_pretrained(tmp_path)
    getattr(transformers, name)(**options).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=f"{name}.*does what no flag says; pass --image-size"):
        settings_of(pictures[0], tmp_path)
    given = {"image_size": 32, "mean": (0.5,), "std": (0.5,)}
    settings = settings_of(pictures[0], tmp_path, **given)
    assert {key: asdict(settings)[key] for key in given} == given


def test_flags_override_and_what_is_used_is_said(torchvision, pictures, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    settings = settings_of(
        pictures[0], tmp_path, "torchvision:resnet50", image_size=32, mean=(0.5,), std=(0.25,)
    )
    assert (settings.image_size, settings.mean, settings.std) == (32, (0.5,), (0.25,))
    assert settings.crop == 224 / 232
    assert caplog.messages == [
        "pictures as torchvision:resnet50 takes them: --image-size 32 --crop 0.9655 --resize "
        "shorter --crop-offset rounded --interpolation bilinear --mean 0.5 --std 0.25"
    ]
    size = settings_of(pictures[0], tmp_path, "torchvision:vit_b_16", {"image_size": 64})
    assert size.image_size == 64


def test_other_models_and_data_are_as_before(timm, pictures, tmp_path):
    plain = DataSettings("imagefolder", str(pictures[0]))
    for model, size in (("vit-b16", 224), ("vit-tiny", 0), ("mine.py:net", 0), (None, 0)):
        settings = settings_of(pictures[0], tmp_path / "a.pt", model)
        assert settings == DataSettings(**{**asdict(plain), "image_size": size})
    cifar = DataSettings("cifar10", "somewhere")
    assert with_model_defaults(cifar, {}, tmp_path / "a.pt", "timm:resnet18", {}) == cifar


def test_a_processor_is_for_cifar_too(transformers, tmp_path):
    """It belongs to the checkpoint; a name of timm says only what its own weights were made for."""
    vit(transformers).save_pretrained(tmp_path)
    transformers.ViTImageProcessor(size={"height": 48, "width": 48}).save_pretrained(tmp_path)
    settings = with_model_defaults(DataSettings("cifar10", "x"), {}, tmp_path, None, {})
    assert (settings.image_size, settings.mean) == (48, (0.5, 0.5, 0.5))


def test_where_the_processor_is_found(transformers, peft, pictures, tmp_path):
    """In the folder of a Trainer's checkpoints, and beside the base model of an adapter."""
    base, root = tmp_path / "run" / "checkpoint-20", pictures[0]
    vit(transformers).save_pretrained(base)
    assert settings_of(root, base).image_size == 8  # that of config.json
    transformers.ViTImageProcessor(size={"height": 48, "width": 48}).save_pretrained(base.parent)
    assert settings_of(root, base).image_size == 48
    model = transformers.ViTForImageClassification.from_pretrained(base)
    adapted(peft, model, target_modules=["q_proj"]).save_pretrained(tmp_path / "adapter")
    assert settings_of(root, tmp_path / "adapter", f"hf:{base}").image_size == 48
    with pytest.raises(InputError, match="is not opened because a file names it"):
        settings_of(root, tmp_path / "adapter")
    # An architecture alone, for the weights of a file.
    assert settings_of(root, tmp_path / "a.pt", f"hf:{base}").image_size == 48


def test_classes_in_another_order_are_refused(transformers, tmp_path):
    model = vit(transformers, id2label={0: "dog", 1: "ant", 2: "cat"})
    samples = TensorSamples(torch.zeros(3, 1), torch.arange(3), ("ant", "cat", "dog"))
    with pytest.raises(InputError, match="number 0 is 'dog' for the model and 'ant' for the data"):
        check_class_order(model, samples, tmp_path)
    check_class_order(vit(transformers), samples, tmp_path)  # LABEL_0 says nothing
    check_class_order(nn.Linear(1, 3), samples, tmp_path)

"""Each family against its definition, or Pillow, or what every corruption has to satisfy."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from landscape.data.corruptions.catalog import FAMILIES, GROUPS, PARAMETERS, SEVERITIES, corrupt
from landscape.errors import InputError
from landscape.runtime import choices

GREY = 128 / 255


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def scene(n=3, channels=3, height=32, width=32):
    """Smooth pictures with edges: waves behind a bright box."""
    y = torch.linspace(0, 3, height).view(1, 1, -1, 1)
    x = torch.linspace(0, 3, width).view(1, 1, 1, -1)
    phase = torch.arange(n * channels).view(n, channels, 1, 1)
    pictures = 110 + 60 * torch.sin(2 * x + phase) * torch.cos(3 * y - phase)
    pictures[:, :, height // 4 : height // 2, width // 3 : 2 * width // 3] += 60
    return pictures.round().to(torch.uint8)


def constant(value=128, n=2, side=64):
    return torch.full((n, 3, side, side), value, dtype=torch.uint8)


def as_floats(pixels):
    return pixels.double() / 255


def test_families_are_those_that_users_choose_among():
    assert tuple(FAMILIES) == choices.CORRUPTIONS
    assert tuple(PARAMETERS) == choices.CORRUPTIONS
    assert sum(GROUPS.values(), ()) == choices.CORRUPTIONS


@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (3, 40, 24)], ids=str)
def test_every_severity_keeps_shape_and_type_and_draws_from_the_generator(family, shape):
    pictures = scene(2, *shape)
    before = pictures.clone()
    for severity in SEVERITIES:
        corrupted = corrupt(pictures, family, severity, seeded(3))
        assert corrupted.shape == pictures.shape
        assert corrupted.dtype == torch.uint8
        assert torch.equal(corrupted, corrupt(pictures, family, severity, seeded(3)))
        assert corrupted.float().std() > 0.5
    assert torch.equal(pictures, before)


@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize("side", [32, 96])
def test_the_highest_severity_is_further_from_the_picture_than_the_lowest(family, side):
    pictures = scene(4, 3, side, side)

    def distance(severity):
        changed = as_floats(corrupt(pictures, family, severity, seeded())) - as_floats(pictures)
        return changed.square().mean().item()

    if family == "elastic_transform" or (family, side) == ("pixelate", 32):
        # As published, the lowest severities bend the whole picture and the highest ripple it
        # finely; 30 of 32 pixels displace every edge, 20 blur it.
        assert min(distance(severity) for severity in SEVERITIES) > 1e-5
        return
    assert distance(5) > distance(1) >= 0
    assert distance(5) > 1e-5


@pytest.mark.parametrize("severity", SEVERITIES)
def test_gaussian_noise_has_its_standard_deviation(severity):
    noise = as_floats(corrupt(constant(n=4), "gaussian_noise", severity, seeded())) - GREY
    std = PARAMETERS["gaussian_noise"]["std"].cifar[severity - 1]
    assert noise.std().item() == pytest.approx(std, rel=0.05)
    assert abs(noise.mean().item()) < 0.003


@pytest.mark.parametrize("severity", SEVERITIES)
def test_shot_noise_has_the_variance_of_counted_photons(severity):
    noisy = as_floats(corrupt(constant(n=4), "shot_noise", severity, seeded()))
    photons = PARAMETERS["shot_noise"]["photons"].cifar[severity - 1]
    assert noisy.var().item() == pytest.approx(GREY / photons, rel=0.07)
    assert noisy.mean().item() == pytest.approx(GREY, abs=0.003)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_impulse_noise_is_salt_and_pepper_in_equal_shares(severity):
    noisy = corrupt(constant(n=8), "impulse_noise", severity, seeded())
    share = PARAMETERS["impulse_noise"]["share"].cifar[severity - 1]
    salt, pepper = ((noisy == value).double().mean().item() for value in (255, 0))
    assert salt + pepper == pytest.approx(share, rel=0.1)
    assert salt == pytest.approx(pepper, rel=0.2)
    assert ((noisy == 128) | (noisy == 0) | (noisy == 255)).all()


@pytest.mark.parametrize("family", ["defocus_blur", "glass_blur", "motion_blur", "zoom_blur"])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_blur_leaves_a_constant_picture(family, severity):
    blurred = corrupt(constant(), family, severity, seeded())
    assert (blurred.int() - 128).abs().max() <= 1


@pytest.mark.parametrize("family", ["defocus_blur", "motion_blur", "zoom_blur"])
def test_a_blur_takes_out_detail(family):
    pictures = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    stds = [corrupt(pictures, family, s, seeded()).float().std().item() for s in (1, 5)]
    assert pictures.float().std().item() > stds[0] > stds[1]


@pytest.mark.parametrize("severity", SEVERITIES)
def test_contrast_shrinks_towards_the_mean_of_each_channel(severity):
    pictures = scene()
    factor = PARAMETERS["contrast"]["factor"].cifar[severity - 1]
    x = as_floats(pictures)
    mean = x.mean((2, 3), keepdim=True)
    expected = ((x - mean) * factor + mean).clamp(0, 1)
    corrupted = as_floats(corrupt(pictures, "contrast", severity, seeded()))
    torch.testing.assert_close(corrupted, expected, rtol=0, atol=0.51 / 255)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_brightness_adds_to_the_value_of_hsv(severity):
    """The value of a pixel is its largest channel; hue and saturation stay."""
    pictures = scene()
    shift = PARAMETERS["brightness"]["shift"].cifar[severity - 1]
    x = as_floats(pictures)
    value = x.amax(1, keepdim=True)
    expected = x * (value + shift).clamp(max=1) / value
    corrupted = as_floats(corrupt(pictures, "brightness", severity, seeded()))
    torch.testing.assert_close(corrupted, expected, rtol=0, atol=0.51 / 255 + 1e-6)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_jpeg_is_pillows(severity):
    pictures = scene(2)
    quality = PARAMETERS["jpeg_compression"]["quality"].cifar[severity - 1]
    corrupted = corrupt(pictures, "jpeg_compression", severity, seeded())
    for before, after in zip(pictures, corrupted, strict=True):
        buffer = io.BytesIO()
        Image.fromarray(before.permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=quality)
        expected = np.array(Image.open(buffer).convert("RGB"))
        assert np.array_equal(after.permute(1, 2, 0).numpy(), expected)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_pixelate_is_pillows_box_filter_and_back(severity):
    pictures = scene(2)
    factor = PARAMETERS["pixelate"]["factor"].cifar[severity - 1]
    small = (int(32 * factor), int(32 * factor))
    corrupted = corrupt(pictures, "pixelate", severity, seeded())
    for before, after in zip(pictures, corrupted, strict=True):
        picture = Image.fromarray(before.permute(1, 2, 0).numpy())
        there = picture.resize(small, Image.Resampling.BOX)
        expected = np.array(there.resize((32, 32), Image.Resampling.NEAREST)).astype(int)
        assert np.abs(after.permute(1, 2, 0).numpy() - expected).max() <= 2


@pytest.mark.parametrize("family", ["frost", "snow"])
def test_weather_lies_over_the_picture(family):
    dark = constant(20, n=3)
    for severity in (1, 5):
        changed = corrupt(dark, family, severity, seeded())
        assert changed.float().mean() > 21
        assert not torch.equal(changed[0], changed[1])  # each picture has its own


def test_fog_takes_contrast_and_no_more_than_the_range():
    pictures = scene(3, 3, 64, 64)
    for severity in SEVERITIES:
        changed = corrupt(pictures, "fog", severity, seeded())
        assert changed.amax() <= pictures.amax() + 1
        assert not torch.equal(changed[0], changed[1])
    dark = constant(20, n=2)
    assert corrupt(dark, "fog", 5, seeded()).float().std() > 1


def test_other_sizes_scale_lengths():
    radius = PARAMETERS["defocus_blur"]["radius"]
    assert radius.at(5, 32) == 1.5
    assert radius.at(5, 64) == 3.0
    assert radius.at(5, 224) == 10
    assert radius.at(5, 112) == 5
    assert radius.at(5, 8) == 1.5
    assert PARAMETERS["jpeg_compression"]["quality"].at(1, 448) == 25


@pytest.mark.parametrize(
    ("pixels", "family", "severity", "message"),
    [
        (scene(), "rain", 1, "unknown corruption 'rain'; expected one of gaussian_noise"),
        (scene(), "fog", 6, "whole number 1 to 5, got 6"),
        (scene().float(), "fog", 1, "uint8 pictures"),
        (scene()[0], "fog", 1, "uint8 pictures"),
    ],
)
def test_refusals(pixels, family, severity, message):
    with pytest.raises(InputError, match=message):
        corrupt(pixels, family, severity, seeded())

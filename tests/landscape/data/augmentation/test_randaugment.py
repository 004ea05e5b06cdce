import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps

from landscape.data.augmentation import randaugment
from landscape.data.augmentation.randaugment import OPERATIONS, Draws, rand_augment
from landscape.data.augmentation.randaugment import contrast as contrast_of
from landscape.errors import InputError
from tests.profile import repeats


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(low=0, high=256, shape=(24, 30, 3), seed=0):
    return np.random.default_rng(seed).integers(low, high, shape, dtype=np.uint8)


def photographs():
    """(H, W, 3) bytes of many kinds: wide, narrow and uneven histograms, a slope, one colour."""
    y, x = np.mgrid[:24, :30]
    slope = np.stack([x * 8, y * 10, x * 4 + y * 4], 2).astype(np.uint8)
    dark = (noise(seed=1).astype(np.float64) ** 2 / 300).astype(np.uint8)
    return [noise(), noise(90, 150, seed=2), slope, dark, np.full((24, 30, 3), 77, np.uint8)]


def as_tensor(pictures):
    """A list of (H, W, C) bytes as grey levels (n, C, H, W)."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()


def as_bytes(tensor):
    """Grey levels (n, C, H, W) as a list of (H, W, C) bytes; they have to be whole."""
    assert torch.equal(tensor, tensor.floor())
    return list(tensor.permute(0, 2, 3, 1).numpy().astype(np.uint8))


def draws(signs, centres=None):
    """Random numbers of an operation."""
    centres = torch.rand(len(signs), 2, generator=generator(1)) if centres is None else centres
    return Draws(torch.tensor(signs), centres)


# The published formulas in numpy, for one picture (H, W, 3) of bytes.


def truncated(levels):
    return np.clip(levels, 0, 255).astype(np.uint8)


def blended(start, end, factor):
    start, end = np.float32(start), np.float32(end)
    return truncated(start + np.float32(factor) * (end - start))


def autocontrast(picture):
    result = picture.copy()
    for k in range(3):
        low, high = np.float32(picture[..., k].min()), np.float32(picture[..., k].max())
        if high > low:
            scale = np.float32(255) / (high - low)
            result[..., k] = truncated(np.float32(picture[..., k]) * scale + -low * scale)
    return result


def equalize(picture):
    result = picture.copy()
    for k in range(3):
        histogram = np.bincount(picture[..., k].ravel(), minlength=256)
        present = histogram[histogram > 0]
        step = (present.sum() - present[-1]) // 255
        if step:
            table = (np.cumsum(histogram) + step // 2) // step
            table = np.clip(np.concatenate([[0], table[:-1]]), 0, 255)
            result[..., k] = table[picture[..., k]]
    return result


def color(picture, factor):
    luma = (np.float32(picture) / 255) @ np.array([0.2989, 0.587, 0.114])
    grey = np.floor(luma * 255.5)
    return blended(np.repeat(grey[..., None], 3, 2), picture, factor)


def contrast(picture, factor):
    """The sum of a grey histogram at a side of 224 over its 256 bins: not the mean level."""
    histogram = np.bincount(np.zeros(224 * 224, np.int64), minlength=256)
    level = np.floor(min(histogram.sum() / 256, 255))
    return blended(np.full(picture.shape, level), picture, factor)


def sharpness(picture, factor):
    smooth = picture.astype(int)
    for y in range(1, picture.shape[0] - 1):
        for x in range(1, picture.shape[1] - 1):
            window = picture[y - 1 : y + 2, x - 1 : x + 2].astype(int)
            smooth[y, x] = (window.sum((0, 1)) + 4 * window[1, 1]) // 13
    return blended(smooth, picture, factor)


def transformed(picture, a, b, c, d, e, f):
    """Each pixel (x, y) is the one nearest to (ax + by + c, dx + ey + f), or 128."""
    height, width = picture.shape[:2]
    result = np.full_like(picture, 128)
    a, b, c, d, e, f = (np.float32(value) for value in (a, b, c, d, e, f))
    for y in range(height):
        for x in range(width):
            x32, y32 = np.float32(x), np.float32(y)  # numpy 1 makes float64 of float32 and int
            positions = (a * x32 + b * y32 + c, d * x32 + e * y32 + f)
            column, row = (int(math.copysign(math.floor(abs(p) + 0.5), p)) for p in positions)
            if 0 <= column < width and 0 <= row < height:
                result[y, x] = picture[row, column]
    return result


def rotate(picture, degrees):
    height, width = picture.shape[:2]
    angle = np.float32([degrees]) * np.float32(math.pi / 180)  # an array stays float32 in numpy 1
    cos, sin = np.cos(angle), np.sin(angle)
    x = ((width - 1) - (cos * (width - 1) - sin * (height - 1))) / 2
    y = ((height - 1) - (sin * (width - 1) + cos * (height - 1))) / 2
    return transformed(picture, *(value.item() for value in (cos, -sin, x, sin, cos, y)))


def cutout(picture, pads, centre):
    result = picture.copy()
    (y, x), (rows, columns) = centre, pads
    result[max(0, y - rows) : y + rows, max(0, x - columns) : x + columns] = 128
    return result


SIDES = (24, 30)
CENTRES = torch.tensor([[0.0, 0.5], [0.34, 0.99], [0.5, 0.1], [0.99, 0.999], [0.7, 0.0]])


def published(name, picture, magnitude, sign, centre):
    """What the published code makes of a picture."""
    level = magnitude / 10
    rows, columns = (side / 224 for side in SIDES)
    factor = level * 1.8 + 0.1
    return {
        "autocontrast": lambda: autocontrast(picture),
        "equalize": lambda: equalize(picture),
        "invert": lambda: 255 - picture,
        "rotate": lambda: rotate(picture, sign * level * 30),
        "posterize": lambda: (
            (picture >> (8 - max(int(level * 4), 1))) << (8 - max(int(level * 4), 1))
        ),
        "solarize": lambda: np.where(picture < int(level * 256) % 256, picture, 255 - picture),
        "color": lambda: color(picture, factor),
        "contrast": lambda: contrast(picture, factor),
        "brightness": lambda: blended(np.zeros_like(picture), picture, factor),
        "sharpness": lambda: sharpness(picture, factor),
        "shear_x": lambda: transformed(picture, 1, sign * level * 0.3, 0, 0, 1, 0),
        "shear_y": lambda: transformed(picture, 1, 0, 0, sign * level * 0.3, 1, 0),
        "translate_x": lambda: transformed(picture, 1, 0, sign * level * 100 * columns, 0, 1, 0),
        "translate_y": lambda: transformed(picture, 1, 0, 0, 0, 1, sign * level * 100 * rows),
        "cutout": lambda: cutout(
            picture, (int(level * 40 * rows), int(level * 40 * columns)), centre
        ),
        "solarize_add": lambda: np.where(
            picture < 128, truncated(picture.astype(int) + int(level * 110)), picture
        ),
    }[name]()


@pytest.mark.parametrize("magnitude", [0, 5, 10, 15])
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_each_operation_is_the_published_one(name, magnitude):
    """Every level, for pictures of many kinds, both signs, and centres also at the border."""
    pictures, signs = photographs(), [1, -1, 1, -1, 1]
    ours = OPERATIONS[name](as_tensor(pictures), magnitude / 10, draws(signs, CENTRES))
    centres = (CENTRES * torch.tensor(SIDES)).long().tolist()
    cases = zip(as_bytes(ours), pictures, signs, centres, strict=True)
    for result, picture, sign, centre in cases:
        expected = published(name, picture, magnitude, sign, centre)
        np.testing.assert_array_equal(result, expected)


def test_at_224_pixels_moves_and_rectangles_have_the_published_size():
    """150 pixels, and 60 on either side of the centre, at the paper's magnitude."""
    picture = as_tensor([noise(shape=(224, 224, 3))])
    moved = OPERATIONS["translate_x"](picture, 1.5, draws([1]))
    assert torch.equal(moved[..., : 224 - 150], picture[..., 150:])
    assert (moved[..., 224 - 150 :] == 128).all()
    centre = torch.tensor([[0.5, 0.5]])
    cut = OPERATIONS["cutout"](torch.zeros(1, 3, 224, 224), 1.5, draws([1], centre))
    assert (cut[:, :, 52:172, 52:172] == 128).all()
    assert cut.sum() == 3 * 120 * 120 * 128


@pytest.mark.parametrize("side", [8, 32, 224, 300])
def test_contrast_blends_towards_the_level_of_224_pixels_at_every_size(side):
    picture = torch.full((1, 1, side, side), 100.0)
    assert (contrast_of(picture, 0.0) == 224 * 224 / 256).all()


# What Pillow does with a picture, which the published code follows; by how many levels they differ.
PILLOW = {
    "autocontrast": (ImageOps.autocontrast, 1),
    "equalize": (ImageOps.equalize, 0),
    "invert": (ImageOps.invert, 0),
    "posterize": (lambda picture: ImageOps.posterize(picture, 4), 0),
    "color": (lambda picture: ImageEnhance.Color(picture).enhance(1.9), 2),
    "brightness": (lambda picture: ImageEnhance.Brightness(picture).enhance(1.9), 1),
    "sharpness": (lambda picture: ImageEnhance.Sharpness(picture).enhance(1.9), 2),
    "solarize_add": (lambda picture: picture.point(lambda v: v + 110 * (v < 128)), 0),
}


@pytest.mark.parametrize("name", PILLOW)
def test_where_the_published_code_follows_pillow_so_do_we(name):
    pictures, (pillow, levels) = photographs(), PILLOW[name]
    ours = OPERATIONS[name](as_tensor(pictures), 1.0, draws([1] * 5))
    theirs = as_tensor([np.asarray(pillow(Image.fromarray(picture))) for picture in pictures])
    assert (ours - theirs).abs().max() <= levels


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_a_grey_picture_is_treated_like_one_of_three_equal_channels(name):
    grey = as_tensor(photographs())[:1, :1]
    alone = OPERATIONS[name](grey, 1.5, draws([1]))
    together = OPERATIONS[name](grey.expand(-1, 3, -1, -1), 1.5, draws([1]))
    assert alone.shape == grey.shape
    assert torch.equal(alone.expand(-1, 3, -1, -1), together)


def test_operations_and_signs_are_drawn_uniformly_for_each_picture_and_layer(monkeypatch):
    """Operation k writes its signed number into the pixels, the second layer beside the first."""
    n, kinds = 16000, len(OPERATIONS)

    def record(number):
        return lambda pictures, level, draws: (
            100 * pictures + (draws.signs * (number + 1)).view(-1, 1, 1, 1)
        )

    recorders = {str(k): record(k) for k in range(kinds)}
    monkeypatch.setattr(randaugment, "OPERATIONS", recorders)
    written = 255 * rand_augment(torch.zeros(n, 1, 1, 1), 2, 15, generator()).flatten()
    written = written.round()
    first = (written / 100).round()
    second = written - 100 * first
    for drawn in (first, second):
        counts = torch.bincount(drawn.abs().long(), minlength=kinds + 1)[1:]
        assert (counts - n / kinds).abs().max() < 5 * (n / kinds) ** 0.5
        assert abs((drawn > 0).sum().item() - n / 2) < 5 * (n / 4) ** 0.5
    alike = (first.abs() == second.abs()).sum().item()
    assert abs(alike - n / kinds) < 5 * (n / kinds) ** 0.5
    assert abs((first * second > 0).sum().item() - n / 2) < 5 * (n / 4) ** 0.5


@settings(max_examples=repeats(10, 40), deadline=None)
@given(
    seed=st.integers(0, 1000),
    channels=st.sampled_from([1, 3]),
    sides=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    layers=st.integers(1, 3),
    magnitude=st.floats(0, 40),
    dtype=st.sampled_from([torch.uint8, torch.float16, torch.float32, torch.float64]),
)
def test_pictures_stay_pictures(seed, channels, sides, layers, magnitude, dtype):
    pixels = torch.rand(6, channels, *sides, generator=generator(seed))
    pixels = (255 * pixels).to(dtype) if dtype == torch.uint8 else pixels.to(dtype)
    before = pixels.clone()
    result = rand_augment(pixels, layers, magnitude, generator(seed))
    assert result.shape == pixels.shape
    assert result.dtype == dtype
    assert result.min() >= 0
    assert result.max() <= (255 if dtype == torch.uint8 else 1)
    assert torch.equal(pixels, before)


def test_bytes_and_floats_are_augmented_alike():
    pixels = torch.from_numpy(noise(shape=(40, 3, 12, 12)))
    of_bytes = rand_augment(pixels, 2, 15, generator(1))
    of_floats = rand_augment(pixels.float() / 255, 2, 15, generator(1))
    torch.testing.assert_close(of_bytes.float() / 255, of_floats)


def test_the_same_generator_gives_the_same_pictures():
    pixels, source = torch.rand(20, 3, 8, 8), generator(3)
    first = rand_augment(pixels, 2, 15, source)
    torch.manual_seed(1)
    assert torch.equal(rand_augment(pixels, 2, 15, generator(3)), first)
    assert not torch.equal(rand_augment(pixels, 2, 15, source), first)


def test_pictures_of_other_channels_are_refused():
    with pytest.raises(InputError, match="1 or 3 channels, got 4"):
        rand_augment(torch.rand(2, 4, 8, 8), 2, 15, generator())

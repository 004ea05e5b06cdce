import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps

from landscape.data.augmentation import randaugment
from landscape.data.augmentation.randaugment import OPERATIONS, rand_augment
from landscape.errors import InputError
from tests.profile import repeats

GREY = (128, 128, 128)
BILINEAR = Image.Resampling.BILINEAR


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


def framed():
    """Noise inside of grey, where it doesn't matter how pixels at the border are mixed with it."""
    picture = np.full((24, 30, 3), 128, np.uint8)
    picture[2:-2, 2:-2] = noise(shape=(20, 26, 3))
    return picture


def as_tensor(pictures):
    """A list of (H, W, 3) bytes as floats (n, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


def differences(tensors, pillow):
    """The largest differences from a list of Pillow's pictures, in grey levels."""
    expected = 255 * as_tensor([np.asarray(picture) for picture in pillow])
    return (255 * tensors - expected).abs().amax((1, 2, 3)).tolist()


def affine(picture, *coefficients):
    method = Image.Transform.AFFINE
    return picture.transform(picture.size, method, coefficients, BILINEAR, fillcolor=GREY)


# What Pillow does with a picture; how far from its whole grey levels we may be.
AT_TEN = {
    "identity": (lambda picture: picture, 0.01),
    "autocontrast": (ImageOps.autocontrast, 1),
    "equalize": (ImageOps.equalize, 0.01),
    "invert": (ImageOps.invert, 0.01),
    "posterize": (lambda picture: ImageOps.posterize(picture, 4), 0.01),
    "solarize": (lambda picture: ImageOps.solarize(picture, 256), 0.01),
    "solarize_add": (lambda picture: picture.point(lambda v: v + 110 * (v < 128)), 0.01),
    "color": (lambda picture: ImageEnhance.Color(picture).enhance(1.9), 2),
    "contrast": (lambda picture: ImageEnhance.Contrast(picture).enhance(1.9), 2),
    "brightness": (lambda picture: ImageEnhance.Brightness(picture).enhance(1.9), 1),
    "sharpness": (lambda picture: ImageEnhance.Sharpness(picture).enhance(1.9), 2),
}
AT_FIFTEEN = {
    "posterize": (lambda picture: ImageOps.posterize(picture, 6), 0.01),
    "solarize": (lambda picture: picture, 0.01),
    "color": (lambda picture: ImageEnhance.Color(picture).enhance(2.8), 2),
    "contrast": (lambda picture: ImageEnhance.Contrast(picture).enhance(2.8), 2),
    "sharpness": (lambda picture: ImageEnhance.Sharpness(picture).enhance(2.8), 2),
}
AT_FIVE = {
    "posterize": (lambda picture: ImageOps.posterize(picture, 2), 0.01),
    "solarize": (lambda picture: ImageOps.solarize(picture, 128), 0.01),
}
AT_ZERO = {
    "posterize": (lambda picture: ImageOps.posterize(picture, 1), 0.01),
    "solarize": (ImageOps.invert, 0.01),
    "color": (lambda picture: ImageEnhance.Color(picture).enhance(0.1), 2),
    "contrast": (lambda picture: ImageEnhance.Contrast(picture).enhance(0.1), 2),
    "sharpness": (lambda picture: ImageEnhance.Sharpness(picture).enhance(0.1), 2),
}
CASES = [
    (name, magnitude, pillow, tolerance)
    for magnitude, table in ((10, AT_TEN), (15, AT_FIFTEEN), (5, AT_FIVE), (0, AT_ZERO))
    for name, (pillow, tolerance) in table.items()
]


@pytest.mark.parametrize(("name", "magnitude", "pillow", "tolerance"), CASES)
def test_values_become_what_pillow_makes_of_them(name, magnitude, pillow, tolerance):
    pictures = photographs()
    signs = torch.ones(len(pictures), dtype=torch.int64)
    ours = OPERATIONS[name](as_tensor(pictures), magnitude / 10, signs)
    theirs = [pillow(Image.fromarray(picture)) for picture in pictures]
    assert max(differences(ours, theirs)) <= tolerance


MOVES = {
    "rotate": lambda picture, sign: picture.rotate(-sign * 45, BILINEAR, fillcolor=GREY),
    "shear_x": lambda picture, sign: affine(picture, 1, sign * 0.45, 0, 0, 1, 0),
    "shear_y": lambda picture, sign: affine(picture, 1, 0, 0, sign * 0.45, 1, 0),
    "translate_x": lambda picture, sign: affine(picture, 1, 0, sign * 150 / 224 * 30, 0, 1, 0),
    "translate_y": lambda picture, sign: affine(picture, 1, 0, 0, 0, 1, sign * 150 / 224 * 24),
}


@pytest.mark.parametrize("name", MOVES)
def test_pictures_move_where_pillow_moves_them(name):
    """A batch of both signs; Pillow's grey is 128, ours 127.5."""
    picture = framed()
    ours = OPERATIONS[name](as_tensor([picture] * 2), 1.5, torch.tensor([1, -1]))
    theirs = [MOVES[name](Image.fromarray(picture), sign) for sign in (1, -1)]
    assert max(differences(ours, theirs)) <= 1.5


def test_each_operation_is_compared_with_pillow():
    assert set(OPERATIONS) == set(AT_TEN) | set(MOVES)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_a_grey_picture_is_treated_like_one_of_three_equal_channels(name):
    grey = as_tensor(photographs())[:1, :1]
    alone = OPERATIONS[name](grey, 1.5, torch.tensor([1]))
    together = OPERATIONS[name](grey.expand(-1, 3, -1, -1), 1.5, torch.tensor([1]))
    assert alone.shape == grey.shape
    torch.testing.assert_close(alone.expand(-1, 3, -1, -1), together, rtol=0, atol=1e-6)


def test_operations_and_signs_are_drawn_uniformly_for_each_picture_and_layer(monkeypatch):
    """Operation k writes its signed number into the pixels, the second layer beside the first."""
    n, kinds = 16000, len(OPERATIONS)

    def record(number):
        return lambda pictures, level, signs: (
            100 * pictures + (signs * (number + 1)).view(-1, 1, 1, 1)
        )

    recorders = {str(k): record(k) for k in range(kinds)}
    monkeypatch.setattr(randaugment, "OPERATIONS", recorders)
    written = rand_augment(torch.zeros(n, 1, 1, 1), 2, 15, generator()).flatten()
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
    layers=st.integers(0, 3),
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
    assert layers > 0 or torch.equal(result, pixels)


def test_bytes_and_floats_are_augmented_alike():
    pixels = torch.from_numpy(noise(shape=(40, 3, 12, 12)))
    of_bytes = rand_augment(pixels, 2, 15, generator(1))
    of_floats = rand_augment(pixels.float() / 255, 2, 15, generator(1))
    assert (of_bytes - 255 * of_floats).abs().max() <= 0.51


def test_the_same_generator_gives_the_same_pictures():
    pixels, source = torch.rand(20, 3, 8, 8), generator(3)
    first = rand_augment(pixels, 2, 15, source)
    torch.manual_seed(1)
    assert torch.equal(rand_augment(pixels, 2, 15, generator(3)), first)
    assert not torch.equal(rand_augment(pixels, 2, 15, source), first)


def test_pictures_of_other_channels_are_refused():
    with pytest.raises(InputError, match="1 or 3 channels, got 4"):
        rand_augment(torch.rand(2, 4, 8, 8), 2, 15, generator())

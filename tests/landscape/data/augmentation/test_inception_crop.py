import math
from random import Random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp, kstest

from landscape.data.augmentation.inception_crop import boxes_of, crop_tensors, draw_crops
from landscape.errors import InputError
from tests.profile import repeats


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(count, height, width, seed=0, min_area=0.05):
    return boxes_of(draw_crops(count, generator(seed)), height, width, min_area)


def box(left, top, width, height, is_mirrored=False):
    return torch.tensor([[left, top, width, height, float(is_mirrored)]])


def published_sides(height, width, random, min_area=0.05):
    """Height and width as TensorFlow draws them, one number after the other in plain Python."""
    area = height * width
    for _ in range(100):
        aspect = random.uniform(0.75, 1.33)
        low, high = round(math.sqrt(min_area * area / aspect)), round(math.sqrt(area / aspect))
        while round(high * aspect) > width:
            high -= 1
        high = min(high, height)
        tall = high if low >= high else random.randint(low, high)
        wide = round(tall * aspect)
        if wide * tall < min_area * area:
            tall, wide = tall + 1, round((tall + 1) * aspect)
        if wide * tall > area:
            tall, wide = tall - 1, round((tall - 1) * aspect)
        is_inside = 0 < wide <= width and 0 < tall <= height
        if is_inside and min_area * area <= wide * tall <= area:
            return tall, wide
    return height, width


# Landscape, portrait, a digit, and pictures of which many attempts, or all, don't fit.
SIZES = [(375, 500), (640, 427), (8, 8), (100, 2000), (1500, 90), (1, 1), (3, 5)]


@settings(max_examples=repeats(10, 30), deadline=None)
@given(
    seed=st.integers(0, 10000),
    min_area=st.floats(0.01, 1.0),
    height=st.integers(1, 600),
    width=st.integers(1, 600),
)
def test_boxes_lie_in_the_picture_and_have_the_area_and_shape_they_should(
    seed, min_area, height, width
):
    left, top, wide, tall, mirrored = drawn(200, height, width, seed, min_area).unbind(1)
    for start, length, side in ((left, wide, width), (top, tall, height)):
        assert (start >= 0).all()
        assert (length >= 1).all()
        assert (start + length <= side).all()
    assert (wide * tall >= min_area * height * width).all()
    is_whole = (wide == width) & (tall == height)
    in_range = (wide <= (1.33 * tall).ceil()) & (wide >= (0.75 * tall).floor())
    assert (is_whole | in_range).all()
    assert set(mirrored.tolist()) == {0, 1}


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_heights_and_areas_are_distributed_as_tensorflow_draws_them(height, width):
    """Two samples of 2,000, compared by Kolmogorov and Smirnov's test."""
    n, random = 2000, Random(1)
    *_, wide, tall, _ = drawn(n, height, width, seed=2).unbind(1)
    tall_by_hand, wide_by_hand = zip(
        *(published_sides(height, width, random) for _ in range(n)), strict=True
    )
    areas_by_hand = [a * b for a, b in zip(tall_by_hand, wide_by_hand, strict=True)]
    for ours, theirs in (
        (tall, tall_by_hand),
        (wide, wide_by_hand),
        (tall * wide, areas_by_hand),
    ):
        assert ks_2samp(ours.numpy(), theirs).pvalue > 1e-4


def test_a_quarter_of_the_crops_of_a_common_picture_are_small():
    """Mean and share by summing over heights and a fine grid of aspect ratios, in float64."""
    height, width, n = 375, 500, 20000
    areas = []
    for aspect in np.linspace(0.75, 1.33, 2001):
        low = np.rint(np.sqrt(0.05 * height * width / aspect))
        tall = np.arange(low, min(height, math.floor((width + 0.4999) / aspect)) + 1)
        share = tall * np.rint(tall * aspect) / (height * width)
        areas.append((share.mean(), (share < 0.15).mean()))
    mean, small = np.mean(areas, 0)
    assert mean == pytest.approx(0.342, abs=0.001)
    assert small == pytest.approx(0.25, abs=0.005)
    shares = drawn(n, height, width)[:, 2:4].prod(1) / (height * width)
    assert abs(shares.mean().item() - mean) < 5 * shares.std().item() / math.sqrt(n)
    assert abs((shares < 0.15).double().mean().item() - small) < 5 * math.sqrt(small / n)


def test_places_are_uniform_and_half_of_the_crops_are_mirrored():
    """Of a picture of 375x500, where a place is one of (side - length) pixels."""
    n = 20000
    left, top, wide, tall, mirrored = drawn(n, 375, 500, seed=3).unbind(1)
    for start, length, side in ((left, wide, 500), (top, tall, 375)):
        has_room = side - length > 100
        shares = (start[has_room] + 0.5) / (side - length)[has_room]
        assert kstest(shares.numpy(), "uniform").pvalue > 1e-4
        assert (start + length < side)[length < side].all()
    assert abs(mirrored.sum().item() - n / 2) < 5 * math.sqrt(n / 4)


def test_the_whole_picture_is_taken_if_no_attempt_fits():
    boxes = drawn(50, 20, 900)
    assert torch.equal(boxes[:, :4], torch.tensor([0, 0, 900, 20]).expand(50, 4))


@pytest.mark.parametrize("min_area", [0.0, -0.1, 1.1, math.nan])
def test_impossible_areas_are_refused(min_area):
    with pytest.raises(InputError, match=r"has to be in \(0, 1\]"):
        drawn(3, 8, 8, min_area=min_area)


def test_the_same_generator_gives_the_same_crops():
    source = generator(3)
    first = draw_crops(9, source)
    torch.manual_seed(1)
    assert torch.equal(draw_crops(9, generator(3)), first)
    assert not torch.equal(draw_crops(9, source), first)


def test_the_boxes_of_some_crops_are_those_of_all():
    crops = draw_crops(60, generator(4))
    assert torch.equal(boxes_of(crops, 90, 2000)[7:9], boxes_of(crops[7:9], 90, 2000))


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 7, 12)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_whole_picture_is_shown_as_it_is_or_mirrored(shape, dtype):
    pixels = torch.rand(2, *shape, dtype=dtype)
    whole = (0, 0, shape[2], shape[1])
    boxes = torch.cat([box(*whole), box(*whole, is_mirrored=True)])
    shown = crop_tensors(pixels, boxes)
    assert shown.dtype == dtype
    torch.testing.assert_close(shown[0], pixels[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(shown[1], pixels[1].flip(2), rtol=0, atol=1e-5)


@settings(max_examples=repeats(10, 40), deadline=None)
@given(
    data=st.data(),
    height=st.integers(2, 12),
    width=st.integers(2, 12),
    is_mirrored=st.booleans(),
)
def test_a_box_of_whole_pixels_is_cut_out_and_resized(data, height, width, is_mirrored):
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    right = data.draw(st.integers(left + 1, width))
    bottom = data.draw(st.integers(top + 1, height))
    pixels = torch.rand(1, 2, height, width, dtype=torch.float64, generator=generator(left))
    cut = pixels[:, :, top:bottom, left:right]
    expected = F.interpolate(cut, (height, width), mode="bilinear", align_corners=False)
    boxes = box(left, top, right - left, bottom - top, is_mirrored)
    shown = crop_tensors(pixels, boxes)
    torch.testing.assert_close(shown, expected.flip(3) if is_mirrored else expected)


def test_between_pixels_a_slope_stays_a_slope():
    """A picture whose value is x + 10 y, in units of its sides; the box lies between pixels."""
    centres = (torch.arange(16, dtype=torch.float64) + 0.5) / 16
    slope = (centres + 10 * centres.view(16, 1)).view(1, 1, 16, 16)
    shown = crop_tensors(slope, 16 * box(0.23, 0.31, 0.5, 0.4).double())[0, 0]
    expected = 0.23 + 0.5 * centres + 10 * (0.31 + 0.4 * centres.view(16, 1))
    inner = slice(1, -1)  # half a pixel at the border repeats the outermost values
    torch.testing.assert_close(shown[inner, inner], expected[inner, inner])


def test_each_picture_has_its_own_box():
    pixels, boxes = torch.rand(6, 3, 8, 8), drawn(6, 8, 8, seed=5)
    one_by_one = [crop_tensors(pixels[k : k + 1], boxes[k : k + 1]) for k in range(6)]
    torch.testing.assert_close(crop_tensors(pixels, boxes), torch.cat(one_by_one))


@pytest.mark.parametrize(("left", "top"), [(0.35, 0.6), (0.0, 0.95), (0.95, 0.0)])
def test_a_box_smaller_than_a_pixel_shows_the_pixel_it_is_in(left, top):
    """In the middle of a pixel, or at the border of the picture."""
    pixels = torch.rand(1, 1, 4, 4)
    shown = crop_tensors(pixels, 4 * box(left, top, 0.05, 0.05))
    expected = pixels[:, :, int(4 * top), int(4 * left)]
    torch.testing.assert_close(shown, expected.expand_as(shown))

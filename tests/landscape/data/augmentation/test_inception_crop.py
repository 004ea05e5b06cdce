import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.data.augmentation.inception_crop import crop_tensors, draw_boxes
from landscape.errors import InputError
from tests.profile import repeats

WHOLE = [0.0, 0.0, 1.0, 1.0]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def box(left, top, width, height, is_mirrored=False):
    return torch.tensor([[left, top, width, height, float(is_mirrored)]])


@settings(max_examples=repeats(10, 30), deadline=None)
@given(seed=st.integers(0, 10000), min_area=st.floats(0.01, 1.0))
def test_boxes_lie_in_the_square_and_have_the_area_and_shape_they_should(seed, min_area):
    left, top, width, height, mirrored = draw_boxes(200, generator(seed), min_area).unbind(1)
    for start, length in ((left, width), (top, height)):
        assert (start >= 0).all()
        assert (start + length <= 1).all()
    assert (width * height >= min_area - 1e-6).all()
    assert ((width / height).log().abs() <= math.log(4 / 3) + 1e-6).all()
    assert set(mirrored.tolist()) == {0.0, 1.0}


def test_area_and_aspect_are_uniform_where_every_attempt_fits():
    """Below three quarters no box is too long: areas up to there and their aspects are even."""
    n = 40000
    left, top, width, height, mirrored = draw_boxes(n, generator(1)).unbind(1)
    areas = width * height
    small = areas < 0.75
    shares = (areas[small] - 0.05) / 0.7
    aspects = ((width / height)[small].log() / math.log(4 / 3) + 1) / 2
    places = [left[small] / (1 - width[small]), top[small] / (1 - height[small])]
    for values in (shares, aspects, *places):
        counts = torch.histc(values, 10, 0, 1)
        expected = len(values) / 10
        assert (counts - expected).abs().max() < 5 * math.sqrt(expected)
    assert abs(mirrored.sum().item() - n / 2) < 5 * math.sqrt(n / 4)
    # The density of the attempts that fit, integrated by hand (a box fits if its longer side does).
    fits = 0.7 + (0.25 - 0.75 * math.log(4 / 3)) / math.log(4 / 3)
    assert abs(small.float().mean().item() - 0.7 / fits) < 0.01


def test_the_whole_square_is_taken_if_no_attempt_fits():
    boxes = draw_boxes(50, generator(), min_area=1.0)
    assert torch.equal(boxes[:, :4], torch.tensor(WHOLE).expand(50, 4))


@pytest.mark.parametrize("min_area", [0.0, -0.1, 1.1, math.nan])
def test_impossible_areas_are_refused(min_area):
    with pytest.raises(InputError, match=r"has to be in \(0, 1\]"):
        draw_boxes(3, generator(), min_area)


def test_the_same_generator_gives_the_same_boxes():
    source = generator(3)
    first = draw_boxes(9, source)
    torch.manual_seed(1)
    assert torch.equal(draw_boxes(9, generator(3)), first)
    assert not torch.equal(draw_boxes(9, source), first)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 7, 12)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_whole_picture_is_shown_as_it_is_or_mirrored(shape, dtype):
    pixels = torch.rand(2, *shape, dtype=dtype)
    boxes = torch.cat([box(*WHOLE), box(*WHOLE, is_mirrored=True)])
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
    corner_and_sides = torch.tensor(
        [[left / width, top / height, (right - left) / width, (bottom - top) / height]],
        dtype=torch.float64,
    )
    boxes = torch.cat([corner_and_sides, torch.full((1, 1), is_mirrored)], 1)
    shown = crop_tensors(pixels, boxes)
    torch.testing.assert_close(shown, expected.flip(3) if is_mirrored else expected)


def test_between_pixels_a_slope_stays_a_slope():
    """A picture whose value is x + 10 y, in units of its sides; the box lies between pixels."""
    centres = (torch.arange(16, dtype=torch.float64) + 0.5) / 16
    slope = (centres + 10 * centres.view(16, 1)).view(1, 1, 16, 16)
    shown = crop_tensors(slope, box(0.23, 0.31, 0.5, 0.4).double())[0, 0]
    expected = 0.23 + 0.5 * centres + 10 * (0.31 + 0.4 * centres.view(16, 1))
    inner = slice(1, -1)  # half a pixel at the border repeats the outermost values
    torch.testing.assert_close(shown[inner, inner], expected[inner, inner])


def test_each_picture_has_its_own_box():
    pixels, boxes = torch.rand(6, 3, 8, 8), draw_boxes(6, generator(5))
    one_by_one = [crop_tensors(pixels[k : k + 1], boxes[k : k + 1]) for k in range(6)]
    torch.testing.assert_close(crop_tensors(pixels, boxes), torch.cat(one_by_one))


@pytest.mark.parametrize(("left", "top"), [(0.35, 0.6), (0.0, 0.95), (0.95, 0.0)])
def test_a_box_smaller_than_a_pixel_shows_the_pixel_it_is_in(left, top):
    """In the middle of a pixel, or at the border of the picture."""
    pixels = torch.rand(1, 1, 4, 4)
    shown = crop_tensors(pixels, box(left, top, 0.05, 0.05))
    expected = pixels[:, :, int(4 * top), int(4 * left)]
    torch.testing.assert_close(shown, expected.expand_as(shown))

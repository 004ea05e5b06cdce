"""Each family against the published code: its loops and formulas in NumPy, and its RMS changes."""

import json
import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from benchmarks.corruptions import PUBLISHED, leaves, published_changes, rms_change
from landscape.data.corruptions.blur import clipped_zoom, disk, glass_blur, scattered, zoom_blur
from landscape.data.corruptions.catalog import FAMILIES, PARAMETERS, SEVERITIES, corrupt
from landscape.data.corruptions.digital import elastic_transform
from landscape.data.corruptions.weather import FROSTS, frost, plasma
from tests.profile import some

TOLERANCE = 0.1  # of an RMS change, relative


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape, seed=0):
    return torch.rand(shape, generator=seeded(seed))


@pytest.fixture(scope="module")
def pictures():
    return leaves()


@pytest.mark.parametrize("family", some(FAMILIES, 8))
def test_rms_changes_at_32_are_those_of_the_published_code(pictures, family):
    published = published_changes()["leaves 32"][family]
    ours = [rms_change(pictures["leaves 32"], family, s, draws=10) for s in SEVERITIES]
    assert ours == pytest.approx(published, rel=TOLERANCE)


@pytest.mark.parametrize("family", some(FAMILIES, 8))
def test_rms_changes_at_224_are_those_of_the_published_code(pictures, family):
    published = published_changes()["leaves 224"][family][2]
    draws = 4 if family in ("frost", "fog") else 1  # they differ most from draw to draw
    ours = rms_change(pictures["leaves 224"], family, 3, draws)
    assert ours == pytest.approx(published, rel=TOLERANCE)


def diamond_square(size, decay, generator):
    """One map, point by point, on a torus."""
    heights = np.zeros((size, size))
    step, amplitude = size, 1.0
    while step > 1:
        half = step // 2
        drawn = [2 * torch.rand(1, size // step, size // step, generator=generator) - 1]
        drawn += [2 * torch.rand(drawn[0].shape, generator=generator) - 1 for _ in range(2)]
        centres, tops, sides = (amplitude * array[0].double().numpy() for array in drawn)
        starts = [(row, column) for row in range(0, size, step) for column in range(0, size, step)]

        def mean(row, column, offsets, size=size):
            corners = [
                heights[(row + down) % size, (column + right) % size] for down, right in offsets
            ]
            return sum(corners) / 4

        diagonal = [(-half, -half), (-half, half), (half, -half), (half, half)]
        straight = [(-half, 0), (half, 0), (0, -half), (0, half)]
        for row, column in starts:
            place = row + half, column + half
            heights[place] = mean(*place, diagonal) + centres[row // step, column // step]
        for row, column in starts:
            place = row, column + half
            heights[place] = mean(*place, straight) + tops[row // step, column // step]
            place = row + half, column
            heights[place] = mean(*place, straight) + sides[row // step, column // step]
        # The published amplitude multiplies itself, so that its decay counts twice.
        step, amplitude = half, amplitude / decay / decay
    heights -= heights.min()
    return heights / heights.max()


@pytest.mark.parametrize(("size", "decay"), [(2, 3.0), (8, 1.4), (32, 2.0)])
def test_a_plasma_is_that_of_the_diamond_square_algorithm_in_plain_loops(size, decay):
    expected = diamond_square(size, decay, seeded(size))
    heights = plasma(1, size, size, decay, seeded(size))
    np.testing.assert_allclose(heights[0, 0].numpy(), expected, atol=2e-5)


@pytest.mark.parametrize(
    ("side", "decay", "rms", "mean"),
    [
        # Measured with the published function, on hundreds of maps of 32 and of 256.
        (32, 2.0, 0.0315, 0.0243),
        (32, 1.7, 0.0387, 0.0304),
        (32, 1.5, 0.0534, 0.0416),
        (32, 1.4, 0.0662, 0.0520),
        (224, 2.0, 0.0036, 0.0030),
        (224, 1.5, 0.0068, 0.0054),
    ],
)
def test_neighbours_in_a_plasma_differ_as_in_the_published_code(side, decay, rms, mean):
    heights = plasma(300 if side == 32 else 40, side, side, decay, seeded())
    difference = heights.diff(dim=3)
    assert difference.square().mean().sqrt().item() == pytest.approx(rms, rel=0.08)
    assert difference.abs().mean().item() == pytest.approx(mean, rel=0.08)


def test_a_plasma_is_cropped_from_a_square():
    heights = plasma(2, 5, 12, 2.0, seeded(3))
    assert torch.equal(heights, plasma(2, 16, 16, 2.0, seeded(3))[:, :, :5, :12])
    assert plasma(1, 1, 1, 2.0, seeded()).isfinite().all()


def published_glass(height, width, reach, moves):
    """A pass of the published swap over an array of pixels, which are views of it."""
    pixels = np.arange(height * width).reshape(height, width, 1)
    for row in range(height - reach, reach, -1):
        for column in range(width - reach, reach, -1):
            down, right = moves[row, column]
            there = row + down, column + right
            pixels[row, column], pixels[there] = pixels[there], pixels[row, column]
    return pixels.flatten()


@pytest.mark.parametrize("reach", [1, 2, 4])
def test_a_pass_of_glass_is_the_published_loop_over_views(reach):
    height, width = 17, 23
    drawn = 2 * torch.rand(2, 3, (height - 2 * reach) * (width - 2 * reach), generator=seeded()) - 1
    drawn = (reach * drawn).floor().long().numpy()
    result = scattered(3, height, width, reach, seeded()).numpy()
    for picture in range(3):
        moves = np.zeros((height, width, 2), int)
        inside = slice(reach + 1, height - reach + 1), slice(reach + 1, width - reach + 1)
        moves[inside] = drawn[:, picture].reshape(2, height - 2 * reach, -1).transpose(1, 2, 0)
        expected = published_glass(height, width, reach, moves)
        assert np.array_equal(result[picture], expected)
    assert len(set(result[0])) < height * width  # pixels are duplicated


def test_passes_of_glass_follow_each_other():
    images = noise(1, 3, 12, 12)
    glassy = glass_blur(images, seeded(5), sigma=0.05, reach=1, passes=2)
    generator, pixels = seeded(5), images.flatten(2)
    for _ in range(2):
        pixels = pixels[:, :, scattered(1, 12, 12, 1, generator)[0]]
    assert torch.equal(glassy.flatten(2), pixels)


def test_a_reach_below_1_moves_fewer_pixels_and_a_row_none():
    still = torch.arange(40 * 40)
    moved = [(scattered(1, 40, 40, reach, seeded())[0] != still).sum() for reach in (0.5, 1)]
    assert 0 < moved[0] < 0.4 * moved[1]
    assert torch.equal(scattered(1, 1, 9, 1, seeded())[0], torch.arange(9))


def published_disk(radius, edge):
    reach, ring = (8, 1) if radius <= 8 else (radius, 2)
    size = 2 * reach + 1
    kernel = np.zeros((size, size))
    for row in range(-reach, reach + 1):
        for column in range(-reach, reach + 1):
            kernel[row + reach, column + reach] = row**2 + column**2 <= radius**2
    weights = [math.exp(-(place**2) / (2 * edge**2)) for place in range(-ring, ring + 1)]
    smooth = np.pad(kernel / kernel.sum(), ring, mode="reflect")
    for axis in (0, 1):
        smooth = np.apply_along_axis(np.convolve, axis, smooth, np.array(weights), "valid")
    return smooth / sum(weights) ** 2


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("table", ["cifar", "imagenet"])
def test_the_disk_is_the_published_kernel(table, severity):
    values = PARAMETERS["defocus_blur"]
    radius, edge = (getattr(values[name], table)[severity - 1] for name in ("radius", "edge"))
    expected = published_disk(radius, edge)
    kernel = disk(radius, edge).numpy()
    margin = (len(expected) - len(kernel)) // 2
    np.testing.assert_allclose(np.pad(kernel, margin), expected, atol=2e-6)
    assert kernel.sum() == pytest.approx(1.01 if radius >= 8 else 1, abs=4e-3)


def published_zoom(picture, factor):
    """Of a square (H, H, C): the published crop, SciPy's zoom, and the published trim."""
    side = len(picture)
    crop = math.ceil(side / factor)
    top = (side - crop) // 2
    cropped = picture[top : top + crop, top : top + crop]
    large = ndimage.zoom(cropped, (factor, factor, 1), order=1)
    trim = (len(large) - side) // 2
    return large[trim : trim + side, trim : trim + side]


@pytest.mark.parametrize("side", [32, 60])
@pytest.mark.parametrize("factor", [1, 1.01, 1.06, 1.25, 1.3, 2.25, 4.5])
def test_an_enlargement_is_that_of_whole_pixels(side, factor):
    images = noise(2, 3, side, side)
    enlarged = clipped_zoom(images, factor)
    for before, after in zip(images, enlarged, strict=True):
        expected = published_zoom(before.permute(1, 2, 0).double().numpy(), factor)
        np.testing.assert_allclose(after.permute(1, 2, 0).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("stop", "step", "largest"),
    [(1.06, 0.01, 1.06), (1.16, 0.01, 1.15), (1.21, 0.02, 1.2), (1.31, 0.03, 1.3)],
)
def test_a_zoom_blur_averages_the_published_factors(stop, step, largest):
    images = noise(1, 3, 32, 32)
    picture = images[0].permute(1, 2, 0).double().numpy()
    factors = np.arange(1, stop, step)
    expected = (picture + sum(published_zoom(picture, f) for f in factors)) / (len(factors) + 1)
    blurred = zoom_blur(images, seeded(), largest=largest, step=step)
    np.testing.assert_allclose(blurred[0].permute(1, 2, 0).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(("alpha", "sigma"), [(0, 0), (60, 5.0)])
def test_an_elastic_transform_is_an_affine_map_and_then_a_field(alpha, sigma):
    height, width, corner = 30, 24, 0.1
    images = noise(1, 3, height, width)
    result = elastic_transform(images, seeded(1), alpha=alpha, sigma=sigma, corner=corner)

    generator = seeded(1)
    shifts = 2 * torch.rand(1, 3, 2, generator=generator, dtype=torch.float64)[0].numpy() - 1
    fields = 2 * torch.rand(1, 2, height, width, generator=generator)[0].double().numpy() - 1
    side, middle = min(height, width), np.array([width // 2, height // 2])
    before = middle + side // 3 * np.array([[1, 1], [1, -1], [-1, -1]])
    after = before + corner * side * shifts
    forward = np.linalg.solve(np.column_stack([before, np.ones(3)]), after).T
    back = np.linalg.inv(np.vstack([forward, [0, 0, 1]]))
    down, right = np.mgrid[:height, :width]
    columns, rows, _ = np.tensordot(back, np.stack([right, down, np.ones_like(down)]), 1)
    field_columns, field_rows = (
        alpha * ndimage.gaussian_filter(field, sigma, mode="reflect", truncate=3)
        for field in fields
    )
    for channel in range(3):
        plane = images[0, channel].double().numpy()
        warped = ndimage.map_coordinates(plane, [rows, columns], order=1, mode="mirror")
        places = [down + field_rows, right + field_columns]
        expected = ndimage.map_coordinates(warped, places, order=1, mode="reflect")
        np.testing.assert_allclose(result[0, channel].numpy(), expected, atol=5e-4)


def test_frost_is_as_bright_and_as_rough_as_the_photographs():
    textures = frost(torch.zeros(60, 3, 224, 224), seeded(), kept=1, ice=1)
    mean, std = np.array(FROSTS).transpose(1, 0, 2)
    kinds = {tuple(row): spread for row, spread in zip(mean, std, strict=True)}
    for texture in 255 * textures:
        levels = texture.mean((1, 2)).numpy()
        nearest = min(kinds, key=lambda row: np.abs(levels - row).max())
        np.testing.assert_allclose(levels, nearest, atol=1)
        np.testing.assert_allclose(texture.std((1, 2)).numpy(), kinds[nearest], rtol=0.05)
    assert (255 * textures).mean() == pytest.approx(mean.mean(), rel=0.03)
    # Neighbours in the photographs differ by 0.62 to 0.80 standard deviations.
    roughness = textures.diff(dim=3).square().mean((1, 2, 3)).sqrt() / textures.std((2, 3)).mean(1)
    assert roughness.mean().item() == pytest.approx(0.7, abs=0.1)


def test_frost_of_grey_pictures_has_the_luma_of_the_photographs():
    grey = frost(torch.zeros(200, 1, 32, 32), seeded(), kept=1, ice=1)
    weights = np.array([0.299, 0.587, 0.114])
    assert 255 * grey.mean().item() == pytest.approx(
        (np.array(FROSTS)[:, 0] @ weights).mean(), rel=0.03
    )


def test_frost_leaves_pictures_as_bright_as_the_published_code_does(pictures):
    before = torch.from_numpy(pictures["leaves 224"]).permute(0, 3, 1, 2)
    generator = seeded()
    bright = [corrupt(before, "frost", 5, generator).double().mean() for _ in range(6)]
    published = json.loads(PUBLISHED.read_text())["mean_brightness_after_frost"]["leaves 224"]
    assert np.mean(bright) == pytest.approx(published[4], rel=0.05)

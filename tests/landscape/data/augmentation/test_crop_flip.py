import math

import pytest
import torch

from landscape.data.augmentation.crop_flip import crop_and_flip


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def one_by_one(image, rows, columns, mirrored):
    """``image`` (C, H, W) moved up by ``rows``, left by ``columns``, then mirrored: pixel by pixel.

    Zeros come in where there was no pixel.
    """
    channels, height, width = image.shape
    moved = torch.zeros_like(image)
    for c in range(channels):
        for i in range(height):
            for j in range(width):
                y, x = i + rows, j + columns
                if 0 <= y < height and 0 <= x < width:
                    moved[c, i, width - 1 - j if mirrored else j] = image[c, y, x]
    return moved


def found_moves(images, augmented, pad):
    """The (rows, columns, mirrored) that explain each picture; all of them have to have one."""
    moves = []
    for image, result in zip(images, augmented, strict=True):
        matching = [
            (rows, columns, mirrored)
            for rows in range(-pad, pad + 1)
            for columns in range(-pad, pad + 1)
            for mirrored in (False, True)
            if torch.equal(one_by_one(image, rows, columns, mirrored), result)
        ]
        assert len(matching) == 1
        moves.append(matching[0])
    return moves


@pytest.mark.parametrize(
    ("shape", "pad"), [((1, 8, 8), 1), ((3, 8, 8), 1), ((1, 16, 18), 2), ((1, 4, 4), 1)]
)
def test_each_picture_is_shifted_by_up_to_an_eighth_and_perhaps_mirrored(shape, pad):
    images = 1 + torch.rand(8, *shape)
    augmented = crop_and_flip(images, generator())
    assert augmented.shape == images.shape
    assert augmented.is_contiguous()
    assert len(set(found_moves(images, augmented, pad))) > 3  # not one move for all


def test_all_shifts_and_both_sides_are_equally_likely():
    """From one lit pixel per picture the move can be read; counts within five deviations."""
    n = 9000
    images = torch.zeros(n, 1, 8, 8)
    images[:, 0, 3, 2] = 1.0
    augmented = crop_and_flip(images, generator(1))
    assert augmented.sum().item() == n  # a pixel off the border never leaves
    places = augmented[:, 0].flatten(1).argmax(1)
    rows, columns = places // 8, places % 8
    mirrored = columns > 3  # 1 to 3 as it was, 4 to 6 mirrored
    moves = rows * 8 + torch.where(mirrored, 7 - columns, columns)
    values, counts = moves.unique(return_counts=True)
    assert values.tolist() == [8 * row + column for row in (2, 3, 4) for column in (1, 2, 3)]
    assert (counts - n / 9).abs().max() < 5 * math.sqrt(n * 8 / 81)
    assert abs(mirrored.sum().item() - n / 2) < 5 * math.sqrt(n / 4)


def test_the_same_generator_gives_the_same_pictures():
    images = torch.rand(20, 3, 8, 8)
    first = crop_and_flip(images, generator(3))
    torch.manual_seed(1)
    assert torch.equal(crop_and_flip(images, generator(3)), first)
    assert not torch.equal(crop_and_flip(images, generator(4)), first)


def test_a_generator_goes_on():
    images, source = torch.rand(20, 3, 8, 8), generator(3)
    assert not torch.equal(crop_and_flip(images, source), crop_and_flip(images, source))


def test_the_pictures_given_stay_as_they_are():
    images = torch.rand(5, 1, 8, 8)
    before = images.clone()
    crop_and_flip(images, generator()).zero_()
    assert torch.equal(images, before)


def test_type_is_kept():
    assert crop_and_flip(torch.rand(2, 1, 8, 8).double(), generator()).dtype == torch.float64

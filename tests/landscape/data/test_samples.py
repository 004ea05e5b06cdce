import math

import pytest
import torch

from landscape.data.samples import (
    Normalization,
    TensorSamples,
    check_targets,
    choose,
    count_classes,
)
from landscape.errors import InputError


def labelled(targets, classes=()):
    return TensorSamples(torch.zeros(len(targets), 2), torch.as_tensor(targets), classes)


def test_choose_draws_without_replacement_and_in_order():
    chosen = choose(labelled([0] * 100), 30, seed=4)
    assert len(chosen) == 30
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert chosen.min() >= 0
    assert chosen.max() < 100


def test_choose_is_a_function_of_the_seed():
    data = labelled([0] * 100)
    first = choose(data, 30, seed=4)
    torch.rand(3)
    assert torch.equal(choose(data, 30, seed=4), first)
    assert len({tuple(choose(data, 30, seed=k).tolist()) for k in range(10)}) == 10


def test_choose_prefers_no_sample():
    """Each is drawn in about 3 of 10 draws: 300 of 1000, within five standard deviations."""
    counts = torch.zeros(20)
    data = labelled([0] * 20)
    for seed in range(1000):
        counts[choose(data, 6, seed)] += 1
    assert (counts - 300).abs().max() < 5 * math.sqrt(1000 * 0.3 * 0.7)


@pytest.mark.parametrize("count", [0, 7, 8, 10**9])
def test_choose_all(count):
    assert choose(labelled([0] * 7), count, seed=1).tolist() == list(range(7))


def test_choose_refuses_a_negative_count():
    with pytest.raises(InputError, match=r"--samples has to be 0 \(all\) or more, got -1"):
        choose(labelled([0] * 7), -1, seed=1)


def test_bytes_become_numbers_from_0_to_1_before_normalisation():
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 1, 3)
    normalised = Normalization((0.2,), (0.5,))(pixels)
    assert normalised.dtype == torch.float32
    torch.testing.assert_close(normalised.flatten(), torch.tensor([-0.4, 0.0, 1.6]))


def test_one_number_is_for_all_channels():
    pixels = torch.rand(2, 3, 4, 4)
    assert torch.equal(Normalization((0.5,), (0.25,))(pixels), (pixels - 0.5) / 0.25)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_several_numbers_are_by_channel(dtype):
    pixels = torch.rand(2, 3, 4, 5, dtype=dtype)
    mean, std = (0.1, 0.2, 0.3), (0.5, 1.0, 2.0)
    normalised = Normalization(mean, std)(pixels)
    assert normalised.dtype == dtype
    for channel in range(3):
        expected = (pixels[:, channel] - mean[channel]) / std[channel]
        torch.testing.assert_close(normalised[:, channel], expected)


def test_one_mean_goes_with_several_deviations():
    pixels = torch.rand(2, 3, 4, 4)
    normalised = Normalization((0.5,), (1.0, 2.0, 4.0))(pixels)
    torch.testing.assert_close(normalised[:, 2], (pixels[:, 2] - 0.5) / 4)


@pytest.mark.parametrize(
    ("mean", "std"), [((0.1, 0.2), (1.0,)), ((0.1,), (1.0, 1.0)), ((0.1,) * 4, (1.0,) * 4)]
)
def test_another_number_of_channels_is_refused(mean, std):
    with pytest.raises(InputError, match="take 1 or 3 numbers for these images, got [24]"):
        Normalization(mean, std)(torch.rand(2, 3, 4, 4))


def test_fetch():
    data = TensorSamples(torch.arange(12.0).view(4, 3), torch.arange(4))
    assert len(data) == 4
    assert data.input_shape == (3,)
    assert torch.equal(data.fetch(torch.tensor([2, 0])), data.inputs[[2, 0]])


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (labelled([0, 1, 4]), 5),
        (labelled([0, 1], ("a", "b", "c")), 3),
        (labelled([0.5, 1.0]), None),
        (labelled([[0, 1], [1, 0]]), None),
    ],
    ids=["numbers", "names", "real", "matrix"],
)
def test_count_classes(samples, expected):
    assert count_classes(samples) == expected


def test_targets_that_fit_are_accepted():
    check_targets(labelled([0, 1, 4]), 5, "the data")
    check_targets(labelled([0, 1]), 1000, "the data")
    check_targets(labelled([0.5, 7.5]), 1, "the data")  # no class numbers, nothing to check


def test_targets_without_an_output_are_refused_with_what_to_do():
    with pytest.raises(InputError) as caught:
        check_targets(labelled([1, 2, 4]), 4, "the test data")
    assert str(caught.value) == (
        "the test data has classes numbered 1 to 4, the model 4 outputs; "
        "pass --model-args num_classes=5 or data with the model's classes"
    )


def test_negative_targets_are_refused():
    with pytest.raises(InputError, match="classes numbered -1 to 2; number them from 0"):
        check_targets(labelled([-1, 0, 2]), 4, "the data")

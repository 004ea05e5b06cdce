import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from landscape.data.samples import Normalization
from landscape.data.sources.digits import MEAN, STD, digits

IDENTITY = Normalization((0.0,), (1.0,))


def everything(samples):
    return samples.fetch(torch.arange(len(samples)))


@pytest.fixture(scope="module")
def splits():
    return digits("train", IDENTITY), digits("test", IDENTITY)


def test_sizes(splits):
    train, test = splits
    assert (len(train), len(test)) == (1442, 355)
    for samples in splits:
        assert samples.inputs.shape == (len(samples), 1, 8, 8)
        assert samples.input_shape == (1, 8, 8)
        assert samples.inputs.dtype == torch.float32
        assert samples.targets.dtype == torch.int64
        assert samples.classes == tuple("0123456789")


def test_together_the_splits_are_scikit_learns_digits_each_once(splits):
    bundle = load_digits()
    expected = sorted(
        (int(target), *image.ravel().tolist())
        for image, target in zip(bundle.images, bundle.target, strict=True)
    )
    pictures = sorted(
        (int(target), *(16 * image).flatten().tolist())
        for samples in splits
        for image, target in zip(everything(samples), samples.targets, strict=True)
    )
    assert pictures == expected


def test_one_in_five_of_each_class_is_held_out(splits):
    train, test = (np.bincount(samples.targets.numpy(), minlength=10) for samples in splits)
    assert (test == (train + test) // 5).all()


def test_the_division_is_the_same_every_time(splits):
    for name, samples in zip(("train", "test"), splits, strict=True):
        torch.manual_seed(5)
        again = digits(name, IDENTITY)
        assert torch.equal(again.inputs, samples.inputs)
        assert torch.equal(again.targets, samples.targets)


def test_by_default_all_pixels_together_have_mean_0_and_deviation_1():
    pixels = torch.cat([everything(digits("train")), everything(digits("test"))]).double()
    assert pixels.mean().item() == pytest.approx(0, abs=1e-3)
    assert pixels.std().item() == pytest.approx(1, abs=1e-3)


def test_another_normalization(splits):
    renormalised = digits("test", Normalization((0.5,), (0.25,)))
    assert torch.equal(everything(renormalised), (everything(splits[1]) - 0.5) / 0.25)
    assert torch.equal(everything(digits("test")), (everything(splits[1]) - MEAN[0]) / STD[0])

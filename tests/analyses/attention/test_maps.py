"""Attention maps are rows of weights worked out by hand, beside the pictures they are of."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from analyses import attention
from analyses.attention.maps import STRETCHED, UNDONE, choose_pictures
from analyses.attention.result import CLASS_TOKEN
from analyses.attention.settings import Settings
from tests.analyses.attention.problems import (
    CLASSES,
    HEADS,
    NUM_SAMPLES,
    SIDE,
    measure,
    objective,
    samples,
    transformer,
    weights_by_hand,
)


def test_maps_by_hand():
    model, source = transformer(), samples()
    maps = measure(model, source, settings=Settings(pictures=3)).maps
    assert maps.query == CLASS_TOKEN
    assert maps.indices.tolist() == [0, 2, 5]
    assert maps.classes == ("cedar", "ash", "$5")
    weights = weights_by_hand(model, source.fetch(torch.tensor([0, 2, 5])))
    expected = weights[-1][:, :, 0, 1:].reshape(3, HEADS, SIDE, SIDE)
    np.testing.assert_allclose(maps.raw, expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(maps.mean, expected.mean(1), rtol=0, atol=1e-13)
    for picture in range(3):
        total = np.eye(SIDE**2 + 1)
        for layer in weights[:, picture]:
            total = (layer.mean(0) / 2 + np.eye(SIDE**2 + 1) / 2) @ total
        expected = total[0, 1:].reshape(SIDE, SIDE)
        np.testing.assert_allclose(maps.rolled[picture], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("count", "indices"),
    [(1, [0]), (4, [0, 2, 5, 7]), (6, [0, 1, 2, 3, 5, 7]), (20, list(range(NUM_SAMPLES)))],
)
def test_the_first_pictures_of_different_classes_are_chosen(count, indices):
    for batch_size in (2, 11):
        maps, classes = choose_pictures(objective(batch_size=batch_size), count)
        assert maps.tolist() == indices
        names = samples().classes
        assert classes == tuple(names[samples().targets[index]] for index in indices)


def test_targets_that_are_no_classes():
    source = replace(samples(), targets=torch.randn(NUM_SAMPLES, CLASSES).double())
    maps = measure(source=source, loss=F.mse_loss, settings=Settings(pictures=2)).maps
    assert maps.indices.tolist() == [0, 1]
    assert maps.classes == ("", "")


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_those_before_normalisation(channels):
    source = samples(channels)
    maps = measure(transformer(channels=channels), source).maps
    assert maps.shown == UNDONE
    expected = (255 * source.inputs[maps.indices]).round().permute(0, 2, 3, 1)
    np.testing.assert_array_equal(maps.pixels, expected)


def test_pixels_of_unknown_normalisation_are_stretched():
    maps = measure(source=samples(), settings=Settings(pictures=3)).maps
    again = measure(transformer(), None, 4, "x", settings=Settings(pictures=3)).maps
    assert np.array_equal(maps.pixels, again.pixels)
    problem = objective()
    problem.source = None
    stretched = attention.compute(problem).maps
    assert stretched.shown == STRETCHED
    assert stretched.classes == ("2", "0", "3", "1")
    inputs = samples().inputs[stretched.indices].numpy()
    low, high = inputs.min((1, 2, 3), keepdims=True), inputs.max((1, 2, 3), keepdims=True)
    expected = (255 * (inputs - low) / (high - low)).transpose(0, 2, 3, 1)
    assert np.abs(stretched.pixels - expected).max() <= 0.5 + 1e-9

"""Accuracies on corrupted pictures, and that all networks see the same ones."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from analyses import robustness
from analyses.robustness.settings import Settings
from landscape.data.corruptions.catalog import FAMILIES, SEVERITIES, corrupt
from tests.analyses.robustness.problems import (
    CLASSES,
    COLOURS,
    NOTHING,
    QUICK,
    answers,
    objective,
    source,
    trained,
    write_picture,
)


def test_clean_accuracy_and_loss_are_the_objectives_own():
    problem = objective()
    result, clean = robustness.compute(problem, NOTHING), problem.evaluate()
    assert result.accuracy.accuracy == pytest.approx(clean.accuracy, rel=1e-12)
    p = clean.accuracy / 100
    assert 0.4 < p < 1
    assert result.accuracy.standard_error == pytest.approx(100 * math.sqrt(p * (1 - p) / 30))
    assert (result.loss, result.loss_stderr) == (clean.loss, clean.loss_stderr)
    assert result.corruption_accuracy is None
    assert result.by_radius("pgd") == {}


@pytest.mark.parametrize("family", ["contrast", "brightness", "jpeg_compression", "pixelate"])
def test_a_corruption_without_chance_is_that_of_the_bytes(family):
    samples = source()
    problem = objective(samples)
    result = robustness.compute(problem, Settings(corruptions=family, attack_radius=()))
    for k, severity in enumerate(SEVERITIES):
        changed = corrupt(samples.inputs, family, severity, torch.Generator())
        right = answers(problem, COLOURS(changed)) == samples.targets.numpy()
        np.testing.assert_array_equal(result.corrupted[:, 0, k], right)


def test_means_over_corruptions_and_their_errors():
    result = robustness.compute(objective(), Settings(attack_radius=()))
    assert result.families == tuple(FAMILIES)
    assert result.corrupted.shape == (30, 15, 5)
    table = 100 * result.corrupted.astype(float)
    assert result.corruption_accuracy.accuracy == pytest.approx(table.mean())
    each = table.reshape(30, 75).mean(1)
    error = each.std(ddof=1) / math.sqrt(30)
    assert result.corruption_accuracy.standard_error == pytest.approx(error)
    for k, name in enumerate(FAMILIES):
        assert result.by_family[name].accuracy == pytest.approx(table[:, k].mean())
        each = table[:, k].mean(1)
        is_yes_or_no = set(each) <= {0.0, 100.0}  # then it is binomial
        error = each.std(ddof=0 if is_yes_or_no else 1) / math.sqrt(30)
        assert result.by_family[name].standard_error == pytest.approx(error)
    for k, severity in enumerate(SEVERITIES):
        assert result.by_severity[severity].accuracy == pytest.approx(table[:, :, k].mean())
    stored = result.arrays()["corruption_accuracy"].values
    np.testing.assert_allclose(stored, table.mean(0), rtol=1e-12)


def test_a_family_is_the_same_by_itself_and_among_others():
    both, alone = (
        robustness.compute(objective(), Settings(corruptions=names, attack_radius=()))
        for names in ("snow,impulse_noise", "impulse_noise")
    )
    np.testing.assert_array_equal(both.corrupted[:, 1], alone.corrupted[:, 0])


def test_grey_pictures_without_normalisation():
    samples = source(channels=1)
    pixels = replace(samples, inputs=samples.inputs.float() / 255, normalization=None)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    problem = objective(pixels, model=model, source=None)
    result = robustness.compute(problem, replace(QUICK, corruptions="pixelate"))
    changed = corrupt(samples.inputs, "pixelate", 5, torch.Generator())
    right = answers(problem, changed.float() / 255) == samples.targets.numpy()
    np.testing.assert_array_equal(result.corrupted[:, 0, 4], right)


class Noting(nn.Module):
    """Notes what it is shown."""

    def __init__(self, model, seen):
        super().__init__()
        self.model, self.seen = model, [seen]

    def __deepcopy__(self, memo):
        return Noting(self.model, self.seen[0])

    def forward(self, inputs):
        self.seen[0].append(inputs.detach().clone())
        return self.model(inputs)


def shown(settings, **options):
    """The inputs that a network is shown, all in one tensor."""
    seen = []
    problem = objective(source(140), model=Noting(trained(), seen), verify=False, **options)
    seen.clear()
    robustness.compute(problem, replace(settings, attack_radius=()))
    return torch.cat(seen)


@pytest.mark.parametrize("batch_size", [3, 64, 140])
def test_every_network_sees_the_same_corrupted_pictures(batch_size):
    settings = Settings(corruptions="gaussian_noise,glass_blur", seed=5)
    expected = shown(settings, batch_size=140)
    assert torch.equal(shown(settings, batch_size=batch_size), expected)
    assert not torch.equal(shown(replace(settings, seed=6), batch_size=140), expected)


def corrupted_pixels(settings, count):
    """The corrupted bytes (changes, n, C, H, W) that a network is shown, clean ones left out."""
    chunks = []
    inputs = shown(settings, batch_size=200)
    clean, rest = 2 * 140, inputs[140:]
    rest = rest[: len(inputs) - clean]
    for size in (128, 12):
        part, rest = rest[: count * size], rest[count * size :]
        chunks.append(part.view(count, size, *part.shape[1:]))
    assert len(rest) == 0
    return (255 * COLOURS.undo(torch.cat(chunks, 1).flatten(0, 1))).round().byte()


def test_a_folder_of_the_corrupted_pictures_gives_the_same(tmp_path):
    """Written without loss, as ImageNet-C is laid out, and read by --sets."""
    settings = Settings(corruptions="fog,shot_noise", attack_radius=())
    pixels = corrupted_pixels(settings, 10).view(10, 140, 3, 8, 8)
    samples = source(140)
    names = [(family, level) for family in settings.families for level in SEVERITIES]
    for (family, level), pictures in zip(names, pixels, strict=True):
        for number, (picture, target) in enumerate(zip(pictures, samples.targets, strict=True)):
            folder = tmp_path / "c" / family / str(level) / CLASSES[target]
            write_picture(folder / f"{number}.png", picture)
    problem = objective(samples)
    result = robustness.compute(problem, replace(settings, sets=(f"c={tmp_path / 'c'}",)))
    for k, (family, level) in enumerate(names):
        memory = result.corrupted[:, k // 5, k % 5].mean()
        assert result.sets[f"c/{family}/{level}"].accuracy == pytest.approx(100 * memory, abs=1e-9)
    whole = result.sets["c"]
    assert whole.accuracy == pytest.approx(result.corruption_accuracy.accuracy)
    assert whole.standard_error == pytest.approx(result.corruption_accuracy.standard_error)
    assert whole.samples == 140

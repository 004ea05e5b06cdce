"""A small network that tells byte pictures by their brightness, and its robustness."""

from dataclasses import replace
from functools import cache

import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from analyses import robustness
from analyses.robustness.settings import Settings
from landscape.data.samples import Normalization, TensorSamples
from landscape.objective.objective import Objective
from landscape.robustness.scores import Score

COLOURS = Normalization((0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
CLASSES = ("a", "b", "c")
NOTHING = Settings(corruptions="none", attack_radius=())
QUICK = Settings(corruptions="contrast,fog", attack_radius=(4.0, 16.0), attack_steps=2, seed=3)
LABELS = ["_old", "a_b^c", "50% & <more>", "x" * 40, "$5", "Ünïcode"]


def source(count=30, channels=3, side=8):
    """Byte pictures whose class is told by how bright they are."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(3, (count,), generator=generator)
    shape = (count, channels, side, side)
    noise = torch.randint(0, 220, shape, generator=generator)
    pixels = (noise + 12 * targets.view(-1, 1, 1, 1)).to(torch.uint8)
    normalization = COLOURS if channels == 3 else Normalization((0.5,), (0.25,))
    return TensorSamples(pixels, targets, CLASSES, normalization)


def network(seed=0, channels=3):
    """Tells classes by brightness and, a little, by chance."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Conv2d(channels, 4, 3, padding=1),
            nn.Tanh(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16, 3),
        )
        samples = source(300, channels)
        inputs, optimizer = samples.fetch(torch.arange(300)), torch.optim.Adam(model.parameters())
        for _ in range(120):
            optimizer.zero_grad()
            F.cross_entropy(model(inputs), samples.targets).backward()
            optimizer.step()
        return model


@cache
def trained(seed=0, channels=3):
    return network(seed, channels)


def objective(samples=None, model=None, label="plain", **options):
    samples = samples or source()
    everything = torch.arange(len(samples))
    options = {"batch_size": 7, "source": samples, **options}
    data = samples.fetch(everything), samples.targets
    model = model or trained(0, samples.input_shape[0])
    return Objective(model, data, device="cpu", origin={"label": label}, **options)


@cache
def example(seed=0):
    problem = objective(model=trained(seed), label=f"net {seed}")
    result = robustness.compute(problem, QUICK)
    sets = {
        "v2": Score(61.5, 2.0, 20),
        "r_x$": Score(40.0, 1.5, 30, 60.0, 1.25),
    }
    return replace(result, sets=sets)


def labelled(labels):
    return [replace(example(k % 2), label=label) for k, label in enumerate(labels)]


def answers(problem, inputs):
    with torch.no_grad():
        return problem.module(inputs).argmax(1).numpy()


def write_picture(path, picture):
    """Write a byte picture (channels, height, width) without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(path)

"""Small trainings that several tests start, stop and compare."""

from dataclasses import replace

import torch

from landscape.checkpoints.run import BEST, EMA, LAST
from landscape.data.sources.digits import digits
from landscape.models.catalog import resolve_model
from landscape.training.settings import TrainSettings

CPU = torch.device("cpu")
FACTS = {"image_size": 8, "channels": 1, "num_classes": 10}
PLAIN = TrainSettings(batch_size=16, epochs=3, warmup_epochs=1.0, device="cpu")


class Killed(BaseException):
    """The process is gone: nothing after this line is run."""


def make(name="vit-tiny", seed=0, **arguments):
    torch.manual_seed(seed)
    return resolve_model(name, arguments, FACTS, fit_to_data=True).build()


def some(split, n):
    data = digits(split)
    return replace(data, inputs=data.inputs[:n], targets=data.targets[:n])


def restarted(run, name, arguments):
    """What a new process starts with: with a last.pt, other weights; another random state."""
    model = make(name, seed=77 if (run.path / LAST).exists() else 0, **arguments)
    torch.manual_seed(12345)
    return model


def without_time(rows):
    clock = ("seconds", "images_per_second")
    return [{key: value for key, value in row.items() if key not in clock} for row in rows]


def assert_same(actual, expected, where=""):
    """Equal to the bit, through dicts and lists."""
    assert type(actual) is type(expected), where
    if isinstance(actual, torch.Tensor):
        assert torch.equal(actual, expected), where
    elif isinstance(actual, dict):
        assert actual.keys() == expected.keys(), where
        for key in actual:
            assert_same(actual[key], expected[key], f"{where}/{key}")
    elif isinstance(actual, list | tuple):
        assert len(actual) == len(expected), where
        for k, pair in enumerate(zip(actual, expected, strict=True)):
            assert_same(*pair, f"{where}/{k}")
    else:
        assert actual == expected, where


def assert_same_run(run, unbroken_run):
    state, expected = run.load(LAST), unbroken_run.load(LAST)
    assert without_time(state.pop("metrics")) == without_time(expected.pop("metrics"))
    assert_same(state, expected)
    assert_same(run.load(BEST), unbroken_run.load(BEST))
    if (unbroken_run.path / EMA).exists():
        assert_same(run.load(EMA), unbroken_run.load(EMA))
    assert without_time(run.read_metrics()) == without_time(unbroken_run.read_metrics())

"""Surfaces of a slow network, and ways to start, kill and compare them."""

import json
import signal

import h5py
import numpy as np
import torch

from landscape.results.journal import read_journal
from tests.profile import repeats

KILLS = repeats(quick=3, full=6)


# A forward pass sleeps, so that a surface of 81 points takes long enough to be killed. After
# `last` of them it waits for the end of time.
USER_FILE = """\
import time

import torch
from torch import nn


class Slow(nn.Module):
    def __init__(self, pause, last):
        super().__init__()
        self.pause = pause
        self.left = last
        self.layers = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))

    def forward(self, x):
        self.left -= 1
        time.sleep(self.pause if self.left >= 0 else 1e6)
        return self.layers(x)


def net(pause=0.005, last=10**9):
    return Slow(pause, last)


def data(split):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(40, 4, generator=generator), torch.arange(40) % 3
"""


GRID = ("--x=-1:1:9", "--y=-1:1:9")


FINE = ("--x=-1:1:21", "--y=-1:1:21", "--refine", "--tolerance", "0.05")


LINE = ("--x=-1:1:21", "--repeats", "2")


def write_weights(path, seed):
    generator = torch.Generator().manual_seed(seed)
    shapes = {"0.weight": (6, 4), "0.bias": (6,), "2.weight": (3, 6), "2.bias": (3,)}
    weights = {f"layers.{k}": torch.randn(s, generator=generator) for k, s in shapes.items()}
    torch.save(weights, path)
    return path


def bits(path):
    """Every array of a result file, byte for byte."""
    arrays = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            values = item.asstr()[()] if item.dtype.kind in "OS" else item[()]
            text = np.asarray(values).dtype.kind in "OU"
            arrays[name] = (
                np.asarray(values).tolist()
                if text
                else (item.dtype.str, item.shape, np.asarray(values).tobytes())
            )

    with h5py.File(path) as file:
        assert file.attrs["complete"]
        file.visititems(keep)
    return arrays


def assert_equal(folder, expected, name="surface"):
    """The same arrays, the same headline, and nothing left of the work."""
    first, second = bits(folder / "net" / f"{name}.h5"), bits(expected / "net" / f"{name}.h5")
    assert first.keys() == second.keys()
    assert [key for key in first if first[key] != second[key]] == []
    first, second = (
        json.loads((where / "net" / f"{name}.json").read_text()) for where in (folder, expected)
    )
    changing = {"provenance": None}
    assert {**first, **changing} == {**second, **changing}
    assert list(folder.rglob("*.journal*")) == []


def journal_of(folder, name="surface"):
    return folder / "net" / f"{name}.journal"


def num_points(journal):
    entries = read_journal(journal)
    return len(entries.values) if entries else 0


def interrupt(warm, folder, *words, number=signal.SIGKILL, points=12):
    """Start a surface and end it when it has so many points; returns how many are kept."""
    running = warm.start("surface", *words, "--output-dir", folder)
    assert running.wait_for(lambda: num_points(journal_of(folder)) >= points)
    running.end(number)
    return num_points(journal_of(folder))

"""The stages of a run in order of worth, and how long each may take."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import cast

import torch

from benchmarks.gpu.records import Recorder
from landscape.runtime.devices import resolve_device


@dataclass(frozen=True)
class Stage:
    """A part of a run.

    Attributes:
        title: what it does.
        module: the module of this package whose ``measure(work)`` does it.
        share: its share of the time, relative to the shares of the others.
    """

    title: str
    module: str
    share: float


STAGES: Mapping[str, Stage] = {
    "a": Stage("the CUDA tests", "cuda_tests", 0.3),
    "b": Stage("a point of a loss surface", "surface", 0.2),
    "c": Stage("Hessian products", "curvature", 0.17),
    "d": Stage("training steps", "training", 0.13),
    "e": Stage("a network trained, plain and with SAM", "miniature", 0.2),
}


@dataclass(frozen=True)
class Work:
    """What a stage works with.

    Attributes:
        recorder: takes what it measures.
        is_dry: whether everything is tiny, on the processor: to test the code.
        seconds: how long it may take.
        data_dir: the pictures of CIFAR-10; empty for synthetic ones.
        started: when it started, by ``time.monotonic``.
    """

    recorder: Recorder
    is_dry: bool
    seconds: float
    data_dir: str = ""
    started: float = field(default_factory=time.monotonic)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return resolve_device("cpu" if self.is_dry else "cuda")

    def rounds(self, count: int) -> int:
        """How often a timing is repeated: ``count`` times, once in a dry run."""
        return 1 if self.is_dry else count

    @property
    def seconds_left(self) -> float:
        """How many seconds are left."""
        return self.seconds - (time.monotonic() - self.started)


def run_stage(name: str, work: Work) -> None:
    """Do a stage in this process."""
    module = import_module(f"benchmarks.gpu.{STAGES[name].module}")
    cast("Callable[[Work], None]", module.measure)(work)


def seconds_for(names: Sequence[str], seconds_left: float) -> float:
    """What the first of some stages may take of the time that is left for all of them.

    What a stage does not use is shared by those after it.
    """
    shares = [STAGES[name].share for name in names]
    return max(seconds_left, 0.0) * shares[0] / sum(shares)


def output_file(chosen: Path | None, folder: str | None) -> Path:
    """The file for the records: the one that was chosen, else one in ``folder`` or in ``build``."""
    return chosen or Path(folder or "build") / "gpu.jsonl"

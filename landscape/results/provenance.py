"""Provenance of results: enough to measure them again."""

import datetime
import platform
import subprocess
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

LOGARITHMIC_LOSSES = ("cross_entropy", "CrossEntropyLoss", "nll_loss", "NLLLoss")
LOSS_NAMES = {
    "cross_entropy": "softmax cross-entropy",
    "CrossEntropyLoss": "softmax cross-entropy",
    "nll_loss": "negative log-likelihood",
    "NLLLoss": "negative log-likelihood",
}
PACKAGES = ("loss-landscape-toolkit", "torch", "numpy", "scipy", "h5py")


@dataclass(frozen=True)
class Provenance:
    """What was measured, on what data and machine, with which software.

    Attributes:
        num_parameters: of the model.
        num_samples: over which the loss is averaged.
        sample_sha256: the hash of these samples.
        weights_sha256: the hash of the weights and BatchNorm's statistics.
        precision: the floating-point type of the weights.
        device: where it was computed.
        seconds: wall time.
        origin: what the caller knew of model and data: checkpoint file and its hash, model and
            data by name, split, seed of the sample.
        versions: of Python and the packages that numbers depend on.
        created: when, UTC.
    """

    num_parameters: int
    num_samples: int
    sample_sha256: str
    weights_sha256: str
    precision: str
    device: str
    seconds: float
    origin: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=lambda: versions())
    created: str = field(default_factory=lambda: now())

    @property
    def loss_unit(self) -> str:
        """``nats`` for a loss of torch that is a natural logarithm, empty for any other loss.

        Of results of earlier versions it goes by the name of the loss.
        """
        unit = self.origin.get("loss_unit")
        if isinstance(unit, str):
            return unit
        return "nats" if self.origin.get("loss") in LOGARITHMIC_LOSSES else ""

    @property
    def loss_name(self) -> str:
        """The loss that was evaluated, in words: ``softmax cross-entropy``, or the name it has."""
        name = str(self.origin.get("loss") or "loss")
        words = name.replace("_", " ")
        return LOSS_NAMES.get(name, words) if self.loss_unit else words


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that numbers depend on."""
    installed = {package: _installed(package) for package in PACKAGES}
    return {"python": platform.python_version(), **installed}


@cache  # reading and parsing a package's metadata takes milliseconds
def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def now() -> str:
    """The current time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def git_commit() -> str | None:
    """The commit of the Git repository of the current folder; None outside of one."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


# The provenance of a result that has not been completed with label and settings.
UNKNOWN = Provenance(0, 0, "", "", "", "", 0.0, versions={}, created="")

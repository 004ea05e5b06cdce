"""Where a number came from: enough to make it again."""

import datetime
import platform
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

LOGARITHMIC_LOSSES = ("cross_entropy", "CrossEntropyLoss", "nll_loss", "NLLLoss")
PACKAGES = ("loss-landscape-toolkit", "torch", "numpy", "scipy", "h5py")


@dataclass(frozen=True)
class Provenance:
    """What was measured, on what, with what. ``seconds`` is wall time.

    ``origin`` is what the caller knew of model and data: checkpoint file and its hash, model and
    data by name, split, seed of the sample.
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
        """``nats`` for a loss that is a natural logarithm, empty for any other."""
        return "nats" if self.origin.get("loss") in LOGARITHMIC_LOSSES else ""


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def now() -> str:
    """The time, UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def git_commit() -> str | None:
    """The commit of the repository that the current folder is in, if any."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


# Of a result that nobody has labelled yet.
UNKNOWN = Provenance(0, 0, "", "", "", "", 0.0, versions={}, created="")

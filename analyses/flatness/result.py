"""The flatness of one checkpoint: losses under noise and in balls."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses.flatness.settings import Settings
from landscape.errors import InputError
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result

Values = NDArray[np.float64]

# What a table shows, where it was measured; else the middle of what was.
REFERENCE = {
    "fixed": 0.01,
    "filter": 0.1,
    "adaptive": 0.1,
    "l2": 0.1,
    "adaptive-l2": 0.5,
    "adaptive-linf": 0.002,
}


@dataclass(frozen=True)
class AverageCase:
    """Losses under noise, of shape (S, N): S sigmas, the same N draws for each."""

    sigmas: Values
    losses: Values

    @property
    def diverged(self) -> NDArray[np.int64]:
        """How many draws gave no finite loss, of shape (S,)."""
        return (~np.isfinite(self.losses)).sum(1)

    @property
    def mean(self) -> Values:
        """L^N, of shape (S,); nan where a draw gave no finite loss."""
        return np.array([row.mean() if np.isfinite(row).all() else math.nan for row in self.losses])

    @property
    def stderr(self) -> Values:
        """Standard error over the draws, of shape (S,); nan for one draw, or one not finite."""
        return np.array(
            [
                row.std(ddof=1) / math.sqrt(len(row))
                if len(row) > 1 and np.isfinite(row).all()
                else math.nan
                for row in self.losses
            ]
        )


@dataclass(frozen=True)
class WorstCase:
    """For R radii, each of shape (R,): see :class:`landscape.measures.perturbation.WorstPoint`."""

    radii: Values
    losses: Values
    one_step: Values
    alignment: Values
    diverged: NDArray[np.int64]


@dataclass(frozen=True)
class Flatness(Result):
    """The loss L at the weights with its sampling error, its mean under each kind of noise, and
    the highest found in each ball, all in the unit of the loss."""

    loss: float
    loss_stderr: float
    average: dict[str, AverageCase]
    worst: dict[str, WorstCase]

    analysis: ClassVar[str] = "flatness"
    settings_type: ClassVar[type[Any]] = Settings

    def arrays(self) -> dict[str, Array]:
        """``average/KIND/...`` and ``worst/BALL/...``, and the loss with its sampling error."""
        unit = self.provenance.loss_unit
        found = {
            "loss": Array(np.array(self.loss), unit),
            "loss_stderr": Array(np.array(self.loss_stderr), unit),
        }
        for kind, one in self.average.items():
            place = f"average/{kind}"
            found[f"{place}/sigmas"] = Array(one.sigmas, "", ("sigma",))
            found[f"{place}/losses"] = Array(one.losses, unit, ("sigma", "draw"))
        for ball, worst in self.worst.items():
            place = f"worst/{ball}"
            found[f"{place}/radii"] = Array(worst.radii, "", ("radius",))
            found[f"{place}/losses"] = Array(worst.losses, unit, ("radius",))
            found[f"{place}/one_step"] = Array(worst.one_step, unit, ("radius",))
            found[f"{place}/alignment"] = Array(worst.alignment, "", ("radius",))
            found[f"{place}/diverged"] = Array(worst.diverged, "points", ("radius",))
        return found

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        average = {
            kind: AverageCase(*(arrays[f"average/{kind}/{name}"] for name in ("sigmas", "losses")))
            for kind in settings.noise
        }
        names = ("radii", "losses", "one_step", "alignment", "diverged")
        worst = {
            ball: WorstCase(*(arrays[f"worst/{ball}/{name}"] for name in names))
            for ball in settings.balls
        }
        loss, stderr = float(arrays["loss"]), float(arrays["loss_stderr"])
        return cls(
            loss, stderr, average, worst, label=label, settings=settings, provenance=provenance
        )

    def average_at(self, kind: str, sigma: float) -> tuple[float, float]:
        """L^N and its standard error. Raises InputError for what was not measured."""
        if kind not in self.average:
            raise InputError(f"{kind} noise was not measured, only {', '.join(self.average)}")
        one = self.average[kind]
        if sigma not in one.sigmas:
            known = ", ".join(f"{value:g}" for value in one.sigmas)
            raise InputError(f"{kind} noise was not measured at sigma {sigma:g}, only at {known}")
        k = int(np.flatnonzero(one.sigmas == sigma)[0])
        return float(one.mean[k]), float(one.stderr[k])

    def headline(self) -> dict[str, Any]:
        """L, its sampling error, L^N by kind and sigma, and the highest losses by ball.

        ``rise`` is what the loss gains, ``one_step`` the loss after SAM's single step, and
        ``alignment`` is 1 where no first-order change within the ball raises the loss further.
        """
        return {
            "loss": self.loss,
            "loss_stderr": self.loss_stderr,
            "average": {
                kind: {
                    "sigmas": one.sigmas,
                    "mean": one.mean,
                    "stderr": one.stderr,
                    "rise": one.mean - self.loss,
                    "diverged": one.diverged,
                }
                for kind, one in self.average.items()
            },
            "worst": {
                ball: {
                    "radii": one.radii,
                    "loss": one.losses,
                    "rise": one.losses - self.loss,
                    "one_step": one.one_step,
                    "alignment": one.alignment,
                    "diverged": one.diverged,
                }
                for ball, one in self.worst.items()
            },
            "seconds": self.provenance.seconds,
        }


def reference(name: str, grid: Values) -> int:
    """The place in a grid of what tables show: the reference of the kind or ball, or the middle."""
    found = np.flatnonzero(grid == REFERENCE[name])
    return int(found[0]) if len(found) else len(grid) // 2

"""The result of the flatness analysis: losses under noise and in balls."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analyses.flatness.settings import Settings
from landscape.errors import InputError
from landscape.estimates import Estimate
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result

Values = NDArray[np.float64]

# The sigma or radius that tables show where it was measured; otherwise the middle of the grid.
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
    """Losses under one kind of noise: S sigmas, the same N draws for each.

    Args:
        sigmas: (S,), the sizes of the noise.
        losses: (S, N), in the unit of the loss; each is a mean over the same samples.
        sampling_error: (S,), the standard error of L^N over samples, of these draws.
        stderr: (S,), the standard error of L^N over samples and draws together: how far it may be
            from the mean over all noise and all data (:mod:`landscape.measures.crossed_effects`);
            nan for one draw or one sample.
        dof: (S,), the degrees of freedom of ``stderr``.
    """

    sigmas: Values
    losses: Values
    sampling_error: Values
    stderr: Values
    dof: Values

    @property
    def diverged(self) -> NDArray[np.int64]:
        """The number of draws without a finite loss, of shape (S,)."""
        return (~np.isfinite(self.losses)).sum(1)

    @property
    def mean(self) -> Values:
        """L^N, of shape (S,); nan where a draw has no finite loss."""
        return np.array([estimate.value for estimate in self._over_draws()])

    @property
    def noise_error(self) -> Values:
        """The standard error of L^N over draws, of these samples, (S,); nan for one draw."""
        return np.array([estimate.stderr for estimate in self._over_draws()])

    @property
    def estimates(self) -> list[Estimate]:
        """L^N with its error over samples and draws, for each sigma."""
        return [
            Estimate(float(mean), float(stderr), float(dof))
            for mean, stderr, dof in zip(self.mean, self.stderr, self.dof, strict=True)
        ]

    def _over_draws(self) -> list[Estimate]:
        unknown = Estimate(math.nan, math.nan)
        return [Estimate.of(row) if np.isfinite(row).all() else unknown for row in self.losses]


@dataclass(frozen=True)
class WorstCase:
    """The highest losses found in balls of R radii; all arrays have shape (R,).

    The fields are those of :class:`landscape.measures.perturbation.WorstPoint`.
    """

    radii: Values
    losses: Values
    one_step: Values
    alignment: Values
    diverged: NDArray[np.int64]


@dataclass(frozen=True)
class Flatness(Result):
    """Losses at the weights, under noise and in balls, all in the unit of the loss.

    Args:
        loss: L, the loss at the weights.
        loss_stderr: its sampling error.
        average: the losses under each kind of noise, by its name in
            :data:`landscape.runtime.choices.NOISES`.
        worst: the highest losses found in each ball, by its name in
            :data:`analyses.flatness.settings.BALLS`.
    """

    loss: float
    loss_stderr: float
    average: dict[str, AverageCase]
    worst: dict[str, WorstCase]

    analysis: ClassVar[str] = "flatness"
    settings_type: ClassVar[type[Any]] = Settings
    coordinates: ClassVar[tuple[str, ...]] = ("sigmas", "radii")

    def arrays(self) -> dict[str, Array]:
        """``average/KIND/...`` and ``worst/BALL/...``, and the loss with its sampling error."""
        unit = self.provenance.loss_unit
        arrays = {
            "loss": Array(np.array(self.loss), unit),
            "loss_stderr": Array(np.array(self.loss_stderr), unit),
        }
        for kind, average in self.average.items():
            group = f"average/{kind}"
            size = "standard deviation" if kind == "fixed" else "relative"
            arrays[f"{group}/sigmas"] = Array(average.sigmas, size, ("sigma",))
            arrays[f"{group}/losses"] = Array(average.losses, unit, ("sigma", "draw"))
            arrays[f"{group}/sampling_error"] = Array(average.sampling_error, unit, ("sigma",))
            arrays[f"{group}/stderr"] = Array(average.stderr, unit, ("sigma",))
            arrays[f"{group}/dof"] = Array(average.dof, "degrees of freedom", ("sigma",))
        for ball, worst in self.worst.items():
            group = f"worst/{ball}"
            radius = "l2 norm" if ball == "l2" else "relative"
            arrays[f"{group}/radii"] = Array(worst.radii, radius, ("radius",))
            arrays[f"{group}/losses"] = Array(worst.losses, unit, ("radius",))
            arrays[f"{group}/one_step"] = Array(worst.one_step, unit, ("radius",))
            arrays[f"{group}/alignment"] = Array(worst.alignment, "", ("radius",))
            arrays[f"{group}/diverged"] = Array(worst.diverged, "points", ("radius",))
        return arrays

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        average = {}
        for kind in settings.noise:
            sigmas, losses = (arrays[f"average/{kind}/{name}"] for name in ("sigmas", "losses"))
            # Files of earlier versions have the error over draws alone.
            errors = (
                arrays.get(f"average/{kind}/{name}", np.full(len(sigmas), math.nan))
                for name in ("sampling_error", "stderr", "dof")
            )
            average[kind] = AverageCase(sigmas, losses, *errors)
        names = ("radii", "losses", "one_step", "alignment", "diverged")
        worst = {
            ball: WorstCase(*(arrays[f"worst/{ball}/{name}"] for name in names))
            for ball in settings.balls
        }
        loss, stderr = float(arrays["loss"]), float(arrays["loss_stderr"])
        return cls(
            loss, stderr, average, worst, label=label, settings=settings, provenance=provenance
        )

    def average_at(self, kind: str, sigma: float) -> Estimate:
        """L^N and its standard error over samples and draws.

        Args:
            kind: a kind of noise.
            sigma: one of its measured sizes.

        Raises:
            InputError: if that kind or size was not measured.
        """
        if kind not in self.average:
            raise InputError(f"{kind} noise was not measured, only {', '.join(self.average)}")
        average = self.average[kind]
        if sigma not in average.sigmas:
            known = ", ".join(f"{value:g}" for value in average.sigmas)
            raise InputError(f"{kind} noise was not measured at sigma {sigma:g}, only at {known}")
        return average.estimates[int(np.flatnonzero(average.sigmas == sigma)[0])]

    def headline(self) -> dict[str, Any]:
        """L, its sampling error, L^N by kind and sigma, and the highest losses by ball.

        ``stderr`` is over samples and draws together, with ``dof`` degrees of freedom;
        ``sampling_error`` and ``noise_error`` are over samples and over draws alone. ``rise`` is
        the increase over L, ``one_step`` the loss after SAM's single step, and
        ``alignment`` is 1 where no first-order change within the ball raises the loss further.
        """
        return {
            "loss": self.loss,
            "loss_stderr": self.loss_stderr,
            "average": {
                kind: {
                    "sigmas": average.sigmas,
                    "mean": average.mean,
                    "stderr": average.stderr,
                    "dof": average.dof,
                    "sampling_error": average.sampling_error,
                    "noise_error": average.noise_error,
                    "rise": average.mean - self.loss,
                    "diverged": average.diverged,
                }
                for kind, average in self.average.items()
            },
            "worst": {
                ball: {
                    "radii": worst.radii,
                    "loss": worst.losses,
                    "rise": worst.losses - self.loss,
                    "one_step": worst.one_step,
                    "alignment": worst.alignment,
                    "diverged": worst.diverged,
                }
                for ball, worst in self.worst.items()
            },
            "seconds": self.provenance.seconds,
        }

    def headline_units(self) -> dict[str, str]:
        """The units of numbers that no array has."""
        names = ("mean", "sampling_error", "noise_error", "rise", "loss", "one_step")
        return {**dict.fromkeys(names, self.provenance.loss_unit), "seconds": "s"}


def reference(name: str, grid: Values) -> int:
    """The index in a grid of the value that tables show.

    Args:
        name: a kind of noise or a ball, one of the keys of :data:`REFERENCE`.
        grid: its measured sizes or radii.

    Returns:
        The index of the reference value, or of the middle where it was not measured.
    """
    indices = np.flatnonzero(grid == REFERENCE[name])
    return int(indices[0]) if len(indices) else len(grid) // 2

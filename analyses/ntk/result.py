"""The result of the tangent kernel analysis: spectra and condition numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from analyses.ntk.settings import VARIANTS, Settings
from landscape.errors import InputError
from landscape.estimates import GeometricMean
from landscape.measures.tangent_kernel import condition_number
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result
from landscape.runtime.devices import DTYPES

KERNELS = {
    "full": "full kernel",
    "summed": "kernel summed over outputs",
    "logit": "mean of the outputs' own kernels",
    "logit_sum": "kernel of the sum of the logits",
}
# What BatchNorm normalised by.
STATISTICS = {
    "reestimate": "statistics of the samples",
    "batch": "the batch",
    "fixed": "stored statistics",
    "none": "",
}


@dataclass(frozen=True)
class TangentKernel(Result):
    """Eigenvalues, largest first, of S kernels (one per seed) over n samples and K outputs each.

    Args:
        full: (S, n K), those of the kernel over pairs of samples and outputs.
        summed: (S, n), those of its sum over outputs.
        logit: (S, K, n), those of each output's own kernel.
        logit_sum: (S, n), those of the kernel of the sum of all logits.
        samples: (S, n), the numbers of the samples.
        outputs: (K,), the numbers of the outputs.
        statistics: what BatchNorm normalised by, one of those of
            :attr:`~analyses.ntk.settings.Settings.statistics`; ``none`` without BatchNorm.
    """

    full: NDArray[np.float64]
    summed: NDArray[np.float64]
    logit: NDArray[np.float64]
    logit_sum: NDArray[np.float64]
    samples: NDArray[np.int64]
    outputs: NDArray[np.int64]
    statistics: str

    analysis: ClassVar[str] = "ntk"
    settings_type: ClassVar[type[Any]] = Settings
    coordinates: ClassVar[tuple[str, ...]] = ("outputs",)

    def arrays(self) -> dict[str, Array]:
        """Every array by its name."""
        unit = "squared logit"
        return {
            "full": Array(self.full, unit, ("seed", "rank over outputs")),
            "summed": Array(self.summed, unit, ("seed", "rank")),
            "logit": Array(self.logit, unit, ("seed", "output", "rank")),
            "logit_sum": Array(self.logit_sum, unit, ("seed", "rank")),
            "samples": Array(self.samples, "", ("seed", "sample")),
            "outputs": Array(self.outputs, "", ("output",)),
            "statistics": Array(np.array(self.statistics, dtype=object)),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`.

        A file of an earlier version was measured with the stored statistics and without the sum of
        the logits.
        """
        if "statistics" not in arrays:
            settings = replace(settings, ntk_bn="fixed")
            unknown = np.full_like(arrays["summed"], np.nan)
            arrays = {**arrays, "statistics": np.array("fixed"), "logit_sum": unknown}
        if str(arrays["statistics"]) not in STATISTICS:
            raise InputError(f"unknown statistics: {arrays['statistics']!s}")

        names = ("full", "summed", "logit", "logit_sum", "samples", "outputs")
        return cls(
            **{name: arrays[name] for name in names},
            statistics=str(arrays["statistics"]),
            label=label,
            settings=settings,
            provenance=provenance,
        )

    def kappas(self, variant: str) -> tuple[NDArray[np.float64], bool]:
        """The condition numbers by seed, (S,), and whether any of them is a lower bound.

        Args:
            variant: one of :data:`~analyses.ntk.settings.VARIANTS`; for ``logit`` the mean over
                outputs is returned.
        """
        dtype = DTYPES[self.settings.ntk_precision]
        spectra = torch.from_numpy(getattr(self, variant))
        spectra = spectra.reshape(len(spectra), -1, spectra.shape[-1])
        ratios = [[condition_number(spectrum, dtype) for spectrum in seed] for seed in spectra]
        values = np.array([[value for value, _ in seed] for seed in ratios]).mean(1)
        return values, any(is_bound for seed in ratios for _, is_bound in seed)

    def kappa(self, variant: str = "") -> tuple[float, float, bool]:
        """The geometric mean over seeds, its standard error, and whether it is a lower bound.

        Args:
            variant: one of :data:`~analyses.ntk.settings.VARIANTS`; by default that of the
                settings.
        """
        mean = self.mean_kappa(variant)
        return mean.value, mean.stderr, self.kappas(variant or self.settings.ntk_reduction)[1]

    def mean_kappa(self, variant: str = "") -> GeometricMean:
        """The geometric mean over seeds, with its error and interval (nan for one seed).

        Args:
            variant: as in :meth:`kappa`.
        """
        return GeometricMean.of(self.kappas(variant or self.settings.ntk_reduction)[0])

    @property
    def method(self) -> str:
        """How the kappa of the settings was measured, in words."""
        settings, (_, count) = self.settings, self.samples.shape
        outputs = "" if settings.ntk_reduction == "logit_sum" else f" × {len(self.outputs)} outputs"
        where = "at initialisation" if settings.ntk_at == "init" else "at the checkpoint"
        norm = STATISTICS[self.statistics]
        return (
            f"{KERNELS[settings.ntk_reduction]} {where}, {count} samples{outputs}"
            f"{norm and f'; BatchNorm by {norm}'}"
        )

    def headline(self) -> dict[str, Any]:
        """For each variant the condition number, its error and whether it is a lower bound.

        It is the geometric mean over seeds, and ``interval`` its 95 % interval.
        """
        variants: dict[str, Any] = {}
        for variant in VARIANTS:
            value, error, is_bound = self.kappa(variant)
            variants[variant] = {
                "condition_number": value,
                "stderr": error,
                "interval": self.mean_kappa(variant).interval(),
                "is_lower_bound": is_bound,
                "by_seed": self.kappas(variant)[0],
            }
        return {
            "kappa": variants[self.settings.ntk_reduction]["condition_number"],
            "kappa_stderr": variants[self.settings.ntk_reduction]["stderr"],
            "kappa_of": self.settings.ntk_reduction,
            "batch_norm": self.statistics,
            "dof": len(self.samples) - 1,
            **variants,
            "samples": self.samples.shape[1],
            "outputs": len(self.outputs),
            "seeds": len(self.samples),
        }

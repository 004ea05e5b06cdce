"""What the analysis of the tangent kernel was asked and what it found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from analyses.ntk.settings import Settings
from landscape.measures.tangent_kernel import condition_number
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result
from landscape.runtime.devices import DTYPES

VARIANTS = ("full", "summed", "logit")


@dataclass(frozen=True)
class TangentKernel(Result):
    """Eigenvalues, largest first, of S kernels over n samples and K outputs each.

    ``full`` (S, n K) are those of the kernel over pairs of samples and outputs, ``summed`` (S, n)
    of its sum over outputs, ``logit`` (S, K, n) of each output's own kernel. ``samples`` (S, n)
    and ``outputs`` (K,) say which.
    """

    full: NDArray[np.float64]
    summed: NDArray[np.float64]
    logit: NDArray[np.float64]
    samples: NDArray[np.int64]
    outputs: NDArray[np.int64]

    analysis: ClassVar[str] = "ntk"
    settings_type: ClassVar[type[Any]] = Settings

    def arrays(self) -> dict[str, Array]:
        """Every array by its name."""
        return {
            "full": Array(self.full, "", ("seed", "rank")),
            "summed": Array(self.summed, "", ("seed", "rank")),
            "logit": Array(self.logit, "", ("seed", "output", "rank")),
            "samples": Array(self.samples, "", ("seed", "sample")),
            "outputs": Array(self.outputs, "", ("output",)),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        names = ("full", "summed", "logit", "samples", "outputs")
        return cls(
            **{name: arrays[name] for name in names},
            label=label,
            settings=settings,
            provenance=provenance,
        )

    def kappas(self, variant: str) -> tuple[NDArray[np.float64], bool]:
        """Of each seed the condition number, (S,), and whether any of them is a lower bound.

        That of ``logit`` is the mean over outputs.
        """
        dtype = DTYPES[self.settings.ntk_precision]
        spectra = torch.from_numpy(getattr(self, variant))
        spectra = spectra.reshape(len(spectra), -1, spectra.shape[-1])
        found = [[condition_number(one, dtype) for one in seed] for seed in spectra]
        values = np.array([[value for value, _ in seed] for seed in found]).mean(1)
        return values, any(is_bound for seed in found for _, is_bound in seed)

    def kappa(self, variant: str = "full") -> tuple[float, float, bool]:
        """The mean over seeds, its standard error (nan for one seed), and whether it is a bound."""
        values, is_bound = self.kappas(variant)
        error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
        return float(values.mean()), float(error), is_bound

    def headline(self) -> dict[str, Any]:
        """Of each variant the condition number, its standard error, and if it is a lower bound."""
        found: dict[str, Any] = {}
        for variant in VARIANTS:
            value, error, is_bound = self.kappa(variant)
            found[variant] = {
                "condition_number": value,
                "stderr": error,
                "is_lower_bound": is_bound,
                "by_seed": self.kappas(variant)[0],
            }
        return {
            "kappa": found["full"]["condition_number"],
            "kappa_stderr": found["full"]["stderr"],
            **found,
            "samples": self.samples.shape[1],
            "outputs": len(self.outputs),
            "seeds": len(self.samples),
        }

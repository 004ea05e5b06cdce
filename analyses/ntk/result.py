"""The result of the tangent kernel analysis: spectra and condition numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from analyses.ntk.settings import Settings
from landscape.estimates import GeometricMean
from landscape.measures.tangent_kernel import condition_number
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result
from landscape.runtime.devices import DTYPES

VARIANTS = ("full", "summed", "logit")


@dataclass(frozen=True)
class TangentKernel(Result):
    """Eigenvalues, largest first, of S kernels (one per seed) over n samples and K outputs each.

    Args:
        full: (S, n K), those of the kernel over pairs of samples and outputs.
        summed: (S, n), those of its sum over outputs.
        logit: (S, K, n), those of each output's own kernel.
        samples: (S, n), the numbers of the samples.
        outputs: (K,), the numbers of the outputs.
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
        """The condition numbers by seed, (S,), and whether any of them is a lower bound.

        Args:
            variant: one of :data:`VARIANTS`; for ``logit`` the mean over outputs is returned.
        """
        dtype = DTYPES[self.settings.ntk_precision]
        spectra = torch.from_numpy(getattr(self, variant))
        spectra = spectra.reshape(len(spectra), -1, spectra.shape[-1])
        ratios = [[condition_number(spectrum, dtype) for spectrum in seed] for seed in spectra]
        values = np.array([[value for value, _ in seed] for seed in ratios]).mean(1)
        return values, any(is_bound for seed in ratios for _, is_bound in seed)

    def kappa(self, variant: str = "full") -> tuple[float, float, bool]:
        """The geometric mean over seeds, its standard error, and whether it is a lower bound.

        Args:
            variant: one of :data:`VARIANTS`.
        """
        mean = self.mean_kappa(variant)
        return mean.value, mean.stderr, self.kappas(variant)[1]

    def mean_kappa(self, variant: str = "full") -> GeometricMean:
        """The geometric mean over seeds, with its error and interval (nan for one seed).

        Args:
            variant: one of :data:`VARIANTS`.
        """
        return GeometricMean.of(self.kappas(variant)[0])

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
            "kappa": variants["full"]["condition_number"],
            "kappa_stderr": variants["full"]["stderr"],
            "dof": len(self.samples) - 1,
            **variants,
            "samples": self.samples.shape[1],
            "outputs": len(self.outputs),
            "seeds": len(self.samples),
        }

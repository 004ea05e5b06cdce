"""Overconfidence and accuracy by confidence, their file and headline numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from calibration.settings import Settings
from landscape import Array, Estimate, Provenance, Result


@dataclass(frozen=True)
class Calibration(Result):
    """Mean confidence less accuracy, and ``accuracy`` (B, 2) with its error by bin.

    ``counts`` (B,) are the samples of each bin; an empty bin has nan for its numbers.
    """

    overconfidence: Estimate
    counts: NDArray[np.int64]
    accuracy: NDArray[np.float64]

    analysis: ClassVar[str] = "calibration"
    settings_type: ClassVar[type[Any]] = Settings

    def arrays(self) -> dict[str, Array]:
        """What the HDF5 file holds, with units and axes."""
        excess = [self.overconfidence.value, self.overconfidence.stderr]
        return {
            "overconfidence": Array(np.array(excess), "fraction", ("±",)),
            "counts": Array(self.counts, "samples", ("bin",)),
            "accuracy": Array(self.accuracy, "fraction", ("bin", "±")),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        counts = arrays["counts"]
        value, stderr = map(float, arrays["overconfidence"])
        excess = Estimate(value, stderr, dof=float(counts.sum()) - 1)
        identity = {"label": label, "settings": settings, "provenance": provenance}
        return cls(excess, counts, arrays["accuracy"], **identity)

    def headline(self) -> dict[str, Any]:
        """The numbers of the JSON file."""
        excess = self.overconfidence
        return {"overconfidence": excess.value, "overconfidence_stderr": excess.stderr}

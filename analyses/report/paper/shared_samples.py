"""Numbers of two methods on the same samples: the sample's error of their difference.

Most samples are as hard for one network as for another, so that the errors of two accuracies on the
same pictures have much in common, which their difference does not have. It is a mean over samples,
too, of what each adds to it, and its error is the spread of these over √n.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class PerSample:
    """A number that is a mean over samples.

    Attributes:
        sample_sha256: the hash of the samples.
        values: what each sample has of it, of shape (n,).
        resolution: by how much one other answer would change the number.
    """

    sample_sha256: str
    values: NDArray[np.float64]
    resolution: float = 0.0

    def minus(self, other: "PerSample | None") -> "PerSample | None":
        """The difference of two numbers; None where they are not of the same samples."""
        if other is None or other.sample_sha256 != self.sample_sha256:
            return None
        return PerSample(self.sample_sha256, self.values - other.values, self.resolution)

    @property
    def variance(self) -> float:
        """The squared standard error over samples, at least that of one other answer."""
        spread = float(np.var(self.values, ddof=1)) / len(self.values)
        return max(spread, self.resolution**2)


def mean_over_runs(runs: Iterable[PerSample | None]) -> PerSample | None:
    """The mean over runs, sample by sample; None where they are not all of the same samples."""
    members = list(runs)
    known = [member for member in members if member is not None]
    if len(known) < len(members) or len({member.sample_sha256 for member in known}) != 1:
        return None
    values = np.mean([member.values for member in known], axis=0)
    return PerSample(known[0].sample_sha256, values, known[0].resolution)

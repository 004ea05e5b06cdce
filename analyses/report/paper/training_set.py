"""Errors of a sample of the training data, as errors of what the whole training set would give.

The paper's claims about curvature and training loss are about the loss that was trained on, which
is a mean over the N samples of the training set. A sample of n of these, drawn without replacement,
misses that mean by less than it misses the mean over all samples that there could be, by the factor
√(1 − n/N) (Cochran, Sampling Techniques, 1977, theorem 2.2); the whole set does not miss it at all.
"""

import math

from landscape.estimates import Estimate
from landscape.results.result import Result


def unseen_share(result: Result) -> float:
    """The share 1 − n/N of the training set that is not in the sample; 1 for any other data."""
    made = result.provenance
    available = made.origin.get("samples_available")
    if made.origin.get("split") != "train" or not available:
        return 1.0
    return max(0.0, 1.0 - made.num_samples / available)


def of_training_set(result: Result, sampling_error: float) -> float:
    """A sampling error of a result as one of the training set.

    Example:
        >>> of_training_set(spectrum, 0.2)  # of 480 of 500 training samples
        0.04
    """
    return sampling_error * math.sqrt(unseen_share(result))


def estimate_of_training_set(result: Result, estimate: Estimate, sampling_error: float) -> Estimate:
    """An estimate as one of the training set, whose error is only in part one of sampling.

    Args:
        result: that the estimate is of.
        estimate: with its whole error.
        sampling_error: the part of it that is of sampling.
    """
    seen = 1.0 - unseen_share(result)
    variance = max(0.0, estimate.stderr**2 - seen * sampling_error**2)
    return Estimate(estimate.value, math.sqrt(variance), estimate.dof)

"""Accuracies with their standard errors, also over several changes of the same pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from landscape.estimates import Proportion


@dataclass(frozen=True)
class Score:
    """An accuracy in per cent with its standard error over samples.

    Attributes:
        accuracy: that of the largest of all outputs.
        standard_error: of the accuracy, in per cent.
        samples: how many samples.
        among_present: the accuracy of the largest output among the classes that occur, for a set
            without some of the classes, such as ImageNet-R with 200 of them.
        among_present_error: its standard error.
    """

    accuracy: float
    standard_error: float
    samples: int
    among_present: float | None = None
    among_present_error: float | None = None

    @property
    def share(self) -> Proportion:
        """The accuracy as a share of 1, with its interval."""
        return Proportion(self.accuracy / 100, self.standard_error / 100)

    @property
    def share_among_present(self) -> Proportion | None:
        """:attr:`among_present` as a share of 1, with its interval."""
        if self.among_present is None or self.among_present_error is None:
            return None
        return Proportion(self.among_present / 100, self.among_present_error / 100)


def score_of(correct: Tensor, among_present: Tensor | None = None) -> Score:
    """The score of the answers for n pictures.

    The answers for K changes of a picture are not independent, so the standard error is that of
    the n means over changes: their standard deviation / sqrt(n). For one change this is the
    binomial sqrt(p (1 - p) / n), and 1 / n where none or all of the answers are right
    (:class:`landscape.estimates.Proportion`).

    Args:
        correct: which answers are right, of shape (n,), or (n, K) for K changes of each picture.
        among_present: the same for the largest output among the classes that occur.
    """
    accuracy, error = _mean(correct)
    present = (None, None) if among_present is None else _mean(among_present)
    return Score(accuracy, error, len(correct), *present)


def mean_score(scores: Mapping[str, Score]) -> Score:
    """The mean of scores whose pictures may overlap.

    Its standard error is the mean of theirs, which is an upper bound.
    """

    def mean(name: str) -> Any:
        values = [getattr(score, name) for score in scores.values()]
        return None if None in values else sum(values) / len(values)

    return Score(
        mean("accuracy"),
        mean("standard_error"),
        sum(score.samples for score in scores.values()),
        mean("among_present"),
        mean("among_present_error"),
    )


def _mean(correct: Tensor) -> tuple[float, float]:
    shares = Proportion.of(correct.to(torch.float64).reshape(len(correct), -1).mean(1).cpu())
    return 100 * shares.value, 100 * shares.stderr

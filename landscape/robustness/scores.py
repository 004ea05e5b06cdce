"""Accuracies with their standard errors, also of means over changes of the same pictures."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Score:
    """Accuracy in per cent with its standard error over samples.

    ``among_present`` is that of the largest output among the classes that the set has, where it
    lacks some: of ImageNet-R's 200 classes. ``accuracy`` always is among all outputs.
    """

    accuracy: float
    standard_error: float
    samples: int
    among_present: float | None = None
    among_present_error: float | None = None


def score_of(correct: Tensor, among_present: Tensor | None = None) -> Score:
    """The score of which of n pictures are right: (n,), or (n, K) after K changes of each.

    The K answers about one picture are not independent, so the error is that of the n means over
    changes: the standard deviation of those, around their mean, / sqrt(n). For one change this is
    the binomial sqrt(p (1 - p) / n).
    """
    accuracy, error = _mean(correct)
    present = (None, None) if among_present is None else _mean(among_present)
    return Score(accuracy, error, len(correct), *present)


def mean_score(scores: Mapping[str, Score]) -> Score:
    """The mean of scores whose pictures may overlap in any way.

    Its error is the mean of theirs, which is the most it can be.
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
    shares = correct.to(torch.float64).reshape(len(correct), -1).mean(1)
    error = shares.std(correction=0).item() / math.sqrt(len(shares))
    return 100 * shares.mean().item(), 100 * error

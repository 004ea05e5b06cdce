"""Standard errors against the binomial formula and against simulation."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.robustness.scores import Score, mean_score, score_of
from tests.profile import repeats


@settings(max_examples=repeats(10, 50), deadline=None)
@given(right=st.integers(0, 40), wrong=st.integers(0, 40).filter(bool))
def test_of_one_set_it_is_binomial(right, wrong):
    correct = torch.tensor([True] * right + [False] * wrong)
    p, n = right / (right + wrong), right + wrong
    error = math.sqrt(p * (1 - p) / n) or 1 / n
    score = score_of(correct)
    assert score.accuracy == pytest.approx(100 * p, abs=1e-12)
    assert score.standard_error == pytest.approx(100 * error, abs=1e-9)
    assert score.samples == n
    assert score.among_present is None


def test_of_a_mean_over_changes_of_the_same_pictures():
    """Against the spread of that mean over many samples of pictures, half of them hard."""
    generator = torch.Generator().manual_seed(0)
    pictures, draws = 200, 400

    def sample():
        chance = torch.where(torch.rand(pictures, generator=generator) < 0.5, 0.9, 0.2)
        return torch.rand(pictures, 30, generator=generator) < chance.unsqueeze(1)

    scores = [score_of(sample()) for _ in range(draws)]
    accuracies = torch.tensor([score.accuracy for score in scores])
    errors = torch.tensor([score.standard_error for score in scores])
    # The spread of `draws` numbers is itself uncertain by 1 / sqrt(2 draws) = 3.5 %.
    assert errors.mean() == pytest.approx(accuracies.std().item(), rel=0.12)
    independent = 100 * math.sqrt(0.55 * 0.45 / pictures / 30)
    assert errors.mean() > 3 * independent


def test_the_same_answers_many_times_are_one_answer():
    correct = torch.tensor([True, False, True, True])
    once, often = score_of(correct), score_of(correct.unsqueeze(1).expand(4, 75))
    assert often == once


def test_a_mean_over_unknown_overlaps_has_the_largest_error_it_can_have():
    score = mean_score({"a": Score(80.0, 2.0, 10, 90.0, 1.0), "b": Score(60.0, 4.0, 30, 70.0, 3.0)})
    assert score == Score(70.0, 3.0, 40, 80.0, 2.0)
    assert mean_score({"a": Score(80.0, 2.0, 10), "b": score}).among_present is None

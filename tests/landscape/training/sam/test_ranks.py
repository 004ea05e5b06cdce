"""SAM under DistributedDataParallel: one perturbation for all processes, or one for each."""

import json

import pytest
import torch

from tests.landscape.training.sam.papers import ByThePaper
from tests.landscape.training.sam.problems import Problem
from tests.warm import Warm

ALPHA = {"sam": 0.0, "gsam": 0.6, "looksam": 0.7}


class PerDevice(ByThePaper):
    """The methods with a perturbation by each half of the samples, and means of gradients."""

    def step(self):
        halves = [slice(0, 6), slice(6, 12)]
        gradients = [self.gradient(self.w, rows) for rows in halves]
        g = sum(gradients) / 2
        along = g
        if self.number % self.every == 0:
            moved = [self.w + self.radii * h / h.norm() for h in gradients]
            along = sharp = sum(map(self.gradient, moved, halves)) / 2
            if self.method == "gsam":
                along = sharp - self.alpha * (g - (g @ sharp) / (sharp @ sharp) * sharp)
            self.direction = sharp - (sharp @ g) / (g @ g) * g
        elif self.method == "looksam":
            along = g + self.alpha * g.norm() / self.direction.norm() * self.direction
        self.w = self.w - self.rate * along
        self.number += 1

    def gradient(self, w, rows=slice(None)):
        w = w.detach().requires_grad_()
        return torch.autograd.grad(self.loss(w, rows), w)[0]


@pytest.fixture(scope="module")
def warm(server, tmp_path_factory):
    """Starts ranks that train."""
    warm = Warm(server, tmp_path_factory.mktemp("warm"), "sam")
    yield warm
    warm.close()


@pytest.mark.parametrize(
    ("method", "form"),
    [("gsam", "shared"), ("gsam", "closure"), ("looksam", "two steps")],
)
def test_both_ranks_take_the_steps_of_the_paper(warm, method, form, tmp_path):
    first, second = weights_of_ranks(warm, method, form, tmp_path)
    assert first == second
    problem = Problem()
    kind = ByThePaper if form == "shared" else PerDevice
    options = {"rate": 0.3, "alpha": ALPHA[method], "every": 2}
    paper = kind(problem.loss_of, problem.vector(), method, 0.2, **options)
    for _ in range(3):
        paper.step()
    torch.testing.assert_close(
        torch.tensor(first, dtype=torch.float64), paper.w, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("method", ["sam", "gsam"])
def test_an_overflow_in_one_rank_is_a_skipped_step_in_both(warm, method, tmp_path):
    first, second = weights_of_ranks(warm, method, "overflow", tmp_path)
    assert first == second
    problem = Problem()
    options = {"rate": 0.3, "alpha": ALPHA[method], "every": 2}
    paper = PerDevice(problem.loss_of, problem.vector(), method, 0.2, **options)
    for _ in range(2):  # the second of three steps is skipped
        paper.step()
    torch.testing.assert_close(
        torch.tensor(first, dtype=torch.float64), paper.w, rtol=0, atol=1e-12
    )


def weights_of_ranks(warm, method, form, tmp_path):
    """The weights of two processes after three steps, as lists."""
    ranks = [warm.start(rank, method, form, tmp_path / "meet") for rank in (0, 1)]
    assert [rank.end() for rank in ranks] == [0, 0], [rank.err for rank in ranks]
    first, second = (json.loads(rank.out) for rank in ranks)
    assert first == second
    return first

"""What searches have missed, counted against the eigenvalues that any of them has."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from benchmarks.curvature import attempts as module
from benchmarks.curvature.attempts import attempts, lacking, union
from benchmarks.curvature.searches import OURS
from landscape.objective.objective import Objective

CURVATURES = torch.tensor([5.0, 4.0, 4.0, 3.0, 2.0, 1.0, 0.5])


class Parabola(nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(len(CURVATURES)))

    def forward(self, x):
        return x @ (CURVATURES.to(x) * self.weights**2 / 2)


class Problem:
    """A network whose Hessian is diagonal."""

    def objective(self, dtype):
        data = torch.ones(4, len(CURVATURES)), torch.zeros(4)
        return Objective(
            Parabola(), data, lambda outputs, targets: outputs.mean(), device="cpu", dtype=dtype
        )


def tool(name, chosen, angle=0.0):
    """One that finds these eigenvectors, turned towards the next ones."""
    identity = torch.eye(len(CURVATURES))
    vectors = identity[:, chosen] + angle * identity.roll(1, 1)[:, chosen]

    def search(case, top, value, budget):
        return vectors

    return replace(OURS, name=name, search=search, values=lambda top: (1,))


@pytest.mark.parametrize(
    ("ours", "theirs", "missed"),
    [
        ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4], (0, 0)),
        ([0, 1, 2, 3, 4], [0, 1, 2, 4, 5], (0, 1)),  # one is lacking, not all that come after it
        ([0, 2, 3, 4, 5], [0, 1, 2, 3, 4], (1, 0)),  # ours lacks a copy, which others have
        ([0, 1, 2, 3, 4], [0, 1, 2], (0, 2)),
    ],
)
def test_an_eigenvalue_that_any_tool_has_is_missed_by_those_that_lack_it(
    ours, theirs, missed, monkeypatch
):
    monkeypatch.setattr(module, "TOOLS", (tool("ours", ours), tool("theirs", theirs)))
    rows = list(attempts("parabola", Problem(), 5, 1e6, []))
    assert [row.tool for row in rows] == ["ours", "theirs"]
    assert tuple(row.missed for row in rows) == missed
    assert all(row.residual < 1e-12 for row in rows)


def test_what_is_no_eigenvalue_is_missed_by_nobody(monkeypatch):
    tools = (tool("ours", [0, 1, 2, 3, 4]), tool("rough", [0, 1, 2, 3, 4], angle=0.5))
    monkeypatch.setattr(module, "TOOLS", tools)
    ours, rough = attempts("parabola", Problem(), 5, 1e6, [])
    assert ours.missed == 0
    assert rough.missed > 0
    assert rough.residual > 0.01


def test_a_tool_that_takes_many_times_as_long_as_the_first_is_ended(monkeypatch):
    def slow(case, top, value, budget):
        budget.count(torch.eye)(top)
        return torch.eye(len(CURVATURES))[:, :top]

    theirs = replace(OURS, name="theirs", search=slow, values=lambda top: (1, 2))
    monkeypatch.setattr(module, "TOOLS", (tool("ours", [0, 1, 2, 3, 4]), theirs))
    _, ended = attempts("parabola", Problem(), 5, 0.0, [])
    assert (ended.tool, ended.residual, ended.missed) == ("theirs", None, 5)
    _, first, second = attempts("parabola", Problem(), 5, 1e6, [])
    assert [row.products for row in (first, second)] == [1, 1]
    assert first.missed == second.missed == 0


def test_eigenvalues_are_matched_one_to_one():
    assert lacking([5.0, 4.0, 4.0], [4.001, 5.0]) == [4.0]
    assert lacking([5.0, -5.0], [5.0, 5.0]) == [-5.0]
    good = [0.0, 0.0]
    known = union([([5.0, 4.0], good), ([4.01, 4.0], good), ([-6.0, 1.0], [0.0, 0.5])])
    assert known == pytest.approx([-6.0, 5.0, 4.0, 4.0], rel=1e-2)

"""Which parameters ASAM scales: those its authors' code does, and what is asked for."""

import pytest
import torch
from torch import nn

from landscape import SAM
from landscape.errors import InputError
from landscape.training.passes import Task
from landscape.training.settings import TrainSettings
from landscape.training.step import Stepper
from tests.landscape.training.sam.papers import ByThePaper
from tests.landscape.training.sam.problems import EXACT, SGD, Problem

RHO = 0.2
BOTH = [0.3, 0.9]  # learning rate and momentum of SGD


class Shifted(nn.Linear):
    """A layer with a tensor that is called neither weight nor bias."""

    def __init__(self, dim, out):
        super().__init__(dim, out)
        self.shift = nn.Parameter(torch.zeros(out))

    def forward(self, x):
        return super().forward(x) + self.shift


def network():
    """Weights and biases of layers and of a norm, and a shift."""
    model = nn.Sequential(Shifted(6, 5), nn.LayerNorm(5), nn.Tanh(), nn.Linear(5, 3))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def paper_for(problem, is_scaled):
    """The method on one vector, scaled where a parameter's name says so."""
    named = problem.model.named_parameters()
    mask = torch.cat([torch.full((p.numel(),), is_scaled(name)) for name, p in named])
    rate, momentum = BOTH
    options = {"rate": rate, "momentum": momentum, "scaled": mask}
    return ByThePaper(problem.loss_of, problem.vector(), "asam", RHO, **options)


def published(name):
    """asam.py of SamsungLabs/ASAM: ``if 'weight' in n``."""
    return "weight" in name


def compare(problem, step, is_scaled):
    paper = paper_for(problem, is_scaled)
    for _ in range(3):
        step()
        paper.step()
        torch.testing.assert_close(problem.vector(), paper.w, **EXACT)


@pytest.mark.parametrize("named", ["model", "named parameters", "nothing", "given"])
def test_the_optimizer_scales_by_name_where_names_are_known(named):
    problem = Problem(network)
    model = problem.model
    params = model.named_parameters() if named == "named parameters" else model.parameters()
    optimizer = SAM(
        params,
        torch.optim.SGD,
        RHO,
        method="asam",
        model=model if named == "model" else None,
        scaled=[model[3].bias] if named == "given" else None,
        **SGD,
    )
    rule = {"nothing": lambda _: True, "given": lambda name: name == "3.bias"}
    compare(problem, lambda: optimizer.step(problem.closure), rule.get(named, published))


@pytest.mark.parametrize(
    ("words", "is_scaled"),
    [
        ({}, published),
        ({"sam_scaled": "all"}, lambda _: True),
        ({"sam_scaled": "bias|shift"}, lambda name: not published(name)),
    ],
)
def test_the_trainer_does_as_the_authors_or_as_it_is_told(words, is_scaled):
    problem = Problem(network)
    settings = TrainSettings(rho=RHO, sam="asam", **words)
    optimizer = torch.optim.SGD(problem.model.parameters(), **SGD)
    task = Task(nn.functional.cross_entropy, lambda outputs, targets: outputs.argmax(1) != targets)
    stepper = Stepper(problem.model, optimizer, task, settings)
    compare(
        problem,
        lambda: stepper.step(problem.inputs, problem.targets, 0, RHO, seed=0),
        is_scaled,
    )


def test_names_that_mean_nothing_are_refused():
    problem = Problem(network)
    optimizer = torch.optim.SGD(problem.model.parameters(), **SGD)
    task = Task(nn.functional.cross_entropy, lambda outputs, targets: outputs.argmax(1) != targets)
    for word, reason in (("kernel", "means no parameter"), ("(", "is no regular expression")):
        settings = TrainSettings(rho=RHO, sam="asam", sam_scaled=word)
        with pytest.raises(InputError, match=f"^--sam-scaled .*{reason}"):
            Stepper(problem.model, optimizer, task, settings)

"""Mistakes in the use of SAM are told in one line."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from landscape import SAM, InputError
from tests.landscape.training.sam.problems import Problem, sam


class TestMistakes:
    """Each is told in one line."""

    def refused(self, match, function, *arguments, **keywords):
        with pytest.raises(InputError, match=match) as error:
            function(*arguments, **keywords)
        assert "\n" not in str(error.value)

    def test_of_the_constructor(self):
        problem = Problem()
        parameters = list(problem.model.parameters())
        sgd = torch.optim.SGD
        self.refused("pass rho", SAM, parameters, sgd, lr=0.1)
        self.refused("at least 0 and finite, got -1", SAM, parameters, sgd, rho=-1)
        self.refused("at least 0 and finite, got nan", SAM, parameters, sgd, rho=math.nan)
        self.refused("expected one of sam, asam", SAM, parameters, sgd, rho=1, method="fsam")
        self.refused("every has to be positive", SAM, parameters, sgd, rho=1, every=0)
        self.refused("SGD can't be made: .*learning", SAM, parameters, sgd, rho=1, learning=0.1)
        self.refused("a class, such as torch.optim.SGD", SAM, parameters, "sgd", rho=1)
        self.refused("negate the loss", SAM, parameters, sgd, rho=1, maximize=True)
        self.refused("several times in a step", SAM, parameters, torch.optim.LBFGS, rho=1)
        self.refused("pass model=", SAM, parameters, sgd, rho=1, per_device=True)
        base = sgd(parameters[:1])
        self.refused("settings already; got lr", SAM, parameters[:1], base, rho=1, lr=0.1)
        self.refused("not those of the SGD", SAM, parameters, base, rho=1)

    def test_of_the_loop(self):
        problem = Problem()
        optimizer = sam(problem)
        before = problem.vector()
        self.refused("no step to finish", optimizer.step)
        self.refused("no step to finish", optimizer.second_step)
        self.refused(r"call backward\(\) before", optimizer.first_step)
        self.refused(r"call backward\(\) before", optimizer.step, problem.loss)
        problem.closure()
        optimizer.first_step()
        self.refused("perturbed already", optimizer.step, problem.closure)
        self.refused("save after second_step", optimizer.state_dict)
        self.refused("no gradient at the perturbed weights", optimizer.second_step)
        assert torch.equal(problem.vector(), before)
        self.refused("can't be copied or pickled", copy.deepcopy, optimizer)
        problem.closure()
        optimizer.first_step()
        problem.closure()
        self.refused("perturbed already", optimizer.first_step)
        optimizer.restore()
        assert torch.equal(problem.vector(), before)

    def test_sparse_gradients(self):
        embedding = nn.Embedding(5, 3, sparse=True)
        optimizer = SAM(embedding.parameters(), torch.optim.SGD, 0.1, lr=0.1)
        targets = torch.zeros(2, dtype=torch.int64)

        def closure():
            F.cross_entropy(embedding(torch.tensor([1, 2])), targets).backward()

        self.refused("sparse=False", optimizer.step, closure)

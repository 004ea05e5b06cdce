"""A small problem in float64 on which optimizers are compared."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from landscape import SAM

METHODS = ("sam", "asam", "gsam", "looksam")
SGD = {"lr": 0.3, "momentum": 0.9}
EXACT = {"rtol": 0, "atol": 1e-12}


def network():
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


class Problem:
    """A network that ``make`` makes, the same one at every call, its data and its loss."""

    def __init__(self, make=None):
        torch.manual_seed(0)
        self.model = make() if make else network()
        self.model.double()
        torch.manual_seed(1)
        self.inputs = torch.randn(12, 6, dtype=torch.float64)
        self.targets = torch.randint(3, (12,))

    def loss(self, rows=slice(None)):
        return F.cross_entropy(self.model(self.inputs[rows]), self.targets[rows])

    def closure(self):
        loss = self.loss()
        loss.backward()
        return loss

    def vector(self):
        return torch.cat([p.detach().flatten() for p in self.model.parameters()])

    def loss_of(self, vector, rows=slice(None)):
        """The loss as a function of one vector, for an implementation that knows no modules."""
        named = dict(self.model.named_parameters())
        pieces = vector.split([p.numel() for p in named.values()])
        weights = {
            name: piece.view(p.shape)
            for (name, p), piece in zip(named.items(), pieces, strict=True)
        }
        outputs = functional_call(self.model, weights, (self.inputs[rows],))
        return F.cross_entropy(outputs, self.targets[rows])


def sam(problem, rho=0.2, **options):
    """SAM over SGD on the parameters of a problem."""
    return SAM(problem.model.parameters(), torch.optim.SGD, rho, **{**SGD, **options})


def two_steps(optimizer, problem, **keywords):
    """A step in the two-step form."""
    optimizer.zero_grad()
    problem.closure()
    if optimizer.first_step(**keywords):
        problem.closure()
    optimizer.second_step()

"""The weights of another checkpoint of a model that is there already."""

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from landscape.checkpoints.load import fit_weights, locate, read_state
from landscape.errors import InputError
from landscape.objective.eval_copy import share_storage, statistics_of
from landscape.objective.objective import Objective
from landscape.parameters.layout import flatten


@dataclass(frozen=True)
class Weights:
    """Another setting of an objective's weights: ``theta`` of shape (P,) and the statistics."""

    theta: Tensor
    statistics: Tensor


def read_weights(path: Path, objective: Objective, *, trust: bool = False) -> Weights:
    """Theta and statistics of a run directory or checkpoint file of the objective's own model.

    Raises InputError, naming keys and shapes, for a checkpoint of another model.
    """
    path, _ = locate(path)
    trust = trust or bool(objective.origin.get("trusted"))
    eval_copy = copy.deepcopy(objective.module)
    fit_weights(eval_copy, read_state(path, eval_copy, trust=trust), path)
    return weights_of(eval_copy, objective)


def weights_of(model: nn.Module, objective: Objective) -> Weights:
    """Theta and statistics of a model that has the objective's parameters, by name."""
    parameters = dict(model.named_parameters())
    for name, own in objective.module.named_parameters():
        if not own.requires_grad and not torch.equal(parameters[name].to(own), own):
            raise InputError(
                f"{name} is frozen in the model and different in the other checkpoint: no line "
                "through the trainable weights leads there; unfreeze it"
            )
    theta = flatten(parameters[name].detach() for name in objective.layout.names)
    statistics = share_storage(list(statistics_of(copy.deepcopy(model)).values()))
    return Weights(theta.to(objective.theta), statistics.to(objective.statistics))

"""Other weights of an objective's model."""

import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from landscape.checkpoints.choice import AVERAGED, NOT_AVERAGED
from landscape.checkpoints.fit import fit_weights
from landscape.checkpoints.load import read_weights_file
from landscape.errors import InputError
from landscape.models.catalog import ModelSpec
from landscape.objective.eval_copy import copy_module, share_storage, statistics_of
from landscape.objective.objective import Objective
from landscape.parameters.finite import check_finite
from landscape.parameters.layout import flatten

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Weights:
    """A point in the weight space of an objective.

    Attributes:
        theta: The trainable parameters, of shape (P,).
        statistics: The running statistics of BatchNorm, as one vector.
    """

    theta: Tensor
    statistics: Tensor


def read_weights(path: Path, objective: Objective) -> Weights:
    """Read the weights of another checkpoint of an objective's model.

    The weights are those under the key that was given for the objective's checkpoint, if one was.
    What may run code is read if the objective's checkpoint was read with ``--trust``.
    A message says so if one of the two is an average over the training and the other is not.

    Args:
        path: A run directory, a checkpoint file, or a model that comes with its weights.
        objective: Its model says what the weights are called.

    Raises:
        InputError: The checkpoint is that of another model, or its weights are not finite; the
            message names keys and shapes.
    """
    origin = objective.origin
    spec = ModelSpec(str(origin.get("model") or ""), dict(origin.get("model_args") or {}))
    trust = bool(origin.get("trusted"))
    key = str(origin.get("weights_key_given", ""))
    eval_copy = copy_module(objective.module)
    choice = read_weights_file(path, eval_copy, trust=trust, weights_key=key, spec=spec)
    fit_weights(eval_copy, choice.state, path)
    check_finite(eval_copy, path)
    is_average = bool(origin.get("weights_are_average"))
    is_told = choice.is_chosen and "weights_are_average" in origin
    if is_told and choice.is_averaged != is_average:
        kinds = {True: AVERAGED, False: NOT_AVERAGED}
        where = f"under {choice.key}" if choice.key else "at the top level"
        LOGGER.info(
            f"{path}: the weights {where} are {kinds[not is_average]}, those of "
            f"{objective.label or 'the network'} {kinds[is_average]}; choose with --weights-key"
        )
    return weights_of(eval_copy, objective)


def weights_of(model: nn.Module, objective: Objective) -> Weights:
    """The weights of a model that has the same parameters as the objective's, by name.

    Raises:
        InputError: A frozen parameter differs.
    """
    parameters = dict(model.named_parameters())
    for name, expected in objective.module.named_parameters():
        if not expected.requires_grad and not torch.equal(parameters[name].to(expected), expected):
            raise InputError(
                f"{name} is frozen in the model and differs in the other checkpoint, so no line "
                "through the trainable weights leads there; unfreeze it"
            )
    theta = flatten(parameters[name].detach() for name in objective.layout.names)
    statistics = share_storage(list(statistics_of(copy_module(model)).values()))
    return Weights(theta.to(objective.theta), statistics.to(objective.statistics))

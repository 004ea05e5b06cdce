from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from landscape.models.outputs import logits_of

LOGITS, LOSS = torch.zeros(3, 5), torch.zeros(())


@dataclass
class Output:
    logits: Tensor
    hidden_states: tuple[Tensor, ...] = ()


class WithAuxiliary(NamedTuple):
    logits: Tensor
    aux_logits: Tensor


@pytest.mark.parametrize(
    "outputs",
    [
        LOGITS,
        {"loss": LOSS, "logits": LOGITS},
        OrderedDict(out=LOGITS, aux=torch.ones(3, 5)),
        Output(LOGITS),
        WithAuxiliary(LOGITS, torch.ones(3, 5)),
        (LOGITS, torch.ones(3, 7)),
        (LOSS, LOGITS),
        [LOGITS],
    ],
)
def test_the_logits_are_found(outputs):
    assert logits_of(outputs) is LOGITS


def test_those_of_transformers_are_found(transformers):
    assert logits_of(transformers.utils.ModelOutput(loss=LOSS, logits=LOGITS)) is LOGITS


@pytest.mark.parametrize("outputs", [None, {"pooled": LOGITS}, (), "logits"])
def test_outputs_without_logits_are_returned(outputs):
    assert logits_of(outputs) is outputs

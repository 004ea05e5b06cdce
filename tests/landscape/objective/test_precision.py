import pytest
import torch

from landscape.errors import InputError
from landscape.objective.precision import resolve_precision
from landscape.runtime import choices
from landscape.runtime.devices import PRECISIONS


def test_precisions_are_those_that_users_choose_among():
    assert tuple(PRECISIONS) == choices.PRECISIONS


@pytest.mark.parametrize("name", choices.PRECISIONS)
def test_every_precision_goes_with_its_weights(name):
    assert resolve_precision(name, PRECISIONS[name]) == name


@pytest.mark.parametrize(
    ("dtype", "name"), [(torch.float32, "fp32"), (torch.float64, "fp64"), (torch.bfloat16, "fp32")]
)
def test_the_default_is_that_of_the_weights(dtype, name):
    assert resolve_precision(None, dtype) == name


def test_others_are_refused():
    with pytest.raises(InputError, match="unknown precision 'fp8'; expected one of fp32, fp64"):
        resolve_precision("fp8", torch.float32)
    for name, dtype in (("fp64", torch.float32), ("bf16", torch.float64)):
        with pytest.raises(InputError, match=f"precision {name} does not go with {dtype} weights"):
            resolve_precision(name, dtype)

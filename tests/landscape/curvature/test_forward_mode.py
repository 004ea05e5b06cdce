"""Second derivatives along a direction by forward passes."""

import warnings

import pytest
import torch

from landscape.curvature.forward_mode import second_derivatives_along


def cubes_with_warning(message, category):
    """The cube of every weight, by a function that warns when it is called."""

    def cubes(weights):
        warnings.warn(message, category, stacklevel=2)
        return weights["w"] ** 3

    return cubes


@pytest.mark.parametrize("category", [DeprecationWarning, FutureWarning])
@pytest.mark.parametrize("state", ["deprecated", "not supported in Python 3.14+ and may break"])
def test_torch_warning_of_its_own_compiler_is_not_shown(category, state):
    """A user could do nothing about it; its category depends on torch's release."""
    w, v = torch.tensor([1.0, 2.0]), torch.tensor([3.0, -1.0])
    function = cubes_with_warning(f"`torch.jit.script` is {state}. Please switch.", category)
    derivatives = second_derivatives_along(function, {"w": w}, {"w": v})
    torch.testing.assert_close(derivatives, 6 * w * v**2)


@pytest.mark.parametrize("category", [DeprecationWarning, FutureWarning, UserWarning])
def test_warnings_of_the_function_are_shown(category):
    function = cubes_with_warning("mine", category)
    with pytest.warns(category, match="mine"):
        second_derivatives_along(function, {"w": torch.ones(1)}, {"w": torch.ones(1)})

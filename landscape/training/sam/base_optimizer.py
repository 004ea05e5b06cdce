"""An optimizer that wraps another one, which takes the steps."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from landscape.errors import InputError

Parameters = Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[dict[str, Any]]


class WrappingOptimizer(Optimizer):
    """An optimizer whose groups, state and defaults are those of its base optimizer.

    Args:
        params: As of any torch optimizer. With an instance, parameters that it has.
        base: A class of optimizers, or an instance.
        arguments: The arguments of the class beside ``params``; none for an instance.

    Attributes:
        base_optimizer: The optimizer that takes the steps.
        parameters: The given parameters, in order, and those that were added.

    Raises:
        InputError: The base optimizer can't be made or can't be used.
    """

    def __init__(
        self, params: Parameters, base: type[Optimizer] | Optimizer, arguments: Mapping[str, Any]
    ) -> None:
        self.base_optimizer, self.parameters = _make_base_optimizer(params, base, arguments)
        super().__init__(self.base_optimizer.param_groups, {})
        self.base_optimizer.register_load_state_dict_post_hook(lambda _: self._share())

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters."""
        known = self.base_optimizer.param_groups
        if not any(param_group is group for group in known):  # torch adds the base's own at first
            self.base_optimizer.add_param_group(param_group)
            self.parameters.extend(param_group["params"])
        self._share()

    def __getstate__(self) -> dict[str, Any]:
        """Raise InputError: torch would leave the base optimizer out of a copy."""
        raise InputError(
            f"{type(self).__name__} can't be copied or pickled; make another one and give it the "
            "state_dict() of this one"
        )

    def _share(self) -> None:
        base = self.base_optimizer
        self.param_groups, self.state, self.defaults = base.param_groups, base.state, base.defaults


def _make_base_optimizer(
    params: Parameters, base: type[Optimizer] | Optimizer, arguments: Mapping[str, Any]
) -> tuple[Optimizer, list[Tensor]]:
    """The base optimizer, and the given parameters in order."""
    if isinstance(base, Optimizer):
        if arguments:
            raise InputError(
                f"{type(base).__name__} is an instance, which has its settings already; got "
                f"{', '.join(arguments)} besides"
            )
        optimizer, parameters = base, _flat(params)
        known = {id(p) for p in _parameters_of(base)}
        if not all(id(p) in known for p in parameters):
            raise InputError(
                f"some of the given parameters are not those of the {type(base).__name__}; pass "
                "the same parameters to both"
            )
    elif isinstance(base, type) and issubclass(base, Optimizer):
        try:
            optimizer = base(params, **arguments)
        except TypeError as error:
            raise InputError(f"{base.__name__} can't be made: {error}") from error
        parameters = _parameters_of(optimizer)
    else:
        raise InputError(
            "the base optimizer has to be a class, such as torch.optim.SGD, or an instance of "
            f"one, got {base!r}"
        )
    name = type(optimizer).__name__
    step = inspect.signature(type(optimizer).step).parameters
    if "closure" in step and step["closure"].default is inspect.Parameter.empty:
        raise InputError(
            f"{name} evaluates the loss itself, several times in a step and at other weights; SAM "
            "needs a base optimizer that steps along a given gradient, such as SGD or AdamW"
        )
    if any(group.get("maximize") for group in optimizer.param_groups):
        raise InputError(f"SAM minimises; instead of {name}(maximize=True), negate the loss")
    return optimizer, parameters


def _parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """All parameters of an optimizer, group after group."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def _flat(params: Parameters) -> list[Tensor]:
    """The parameters in any form that optimizers take: themselves, with names, or groups."""
    parameters: list[Tensor] = []
    for item in params:
        if isinstance(item, dict):
            inner = item["params"]
            parameters += [inner] if isinstance(inner, Tensor) else _flat(inner)
        else:
            parameters.append(item[1] if isinstance(item, tuple) else item)
    return parameters

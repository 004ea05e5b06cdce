"""The arguments of this toolkit's models: their types, and sizes that a network can have."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from torch import nn

from landscape.errors import InputError
from landscape.runtime.plain_values import describe, of_type

# Far beyond any network, and low enough that counting its parameters neither takes minutes nor
# overflows.
LARGEST = 2**20
MOST_BLOCKS = 512


def check_arguments(make: Callable[..., nn.Module], family: str, values: Mapping[str, Any]) -> None:
    """Check the arguments of a model before it is made.

    Args:
        make: The class, whose signature says which types they have.
        family: What the model is called in messages.
        values: The arguments by name; those that ``make`` does not take are not looked at.

    Raises:
        InputError: One is of another type, or a size is not positive or larger than any network's.
    """
    declared = get_type_hints(make.__init__ if inspect.isclass(make) else make)
    for name, value in values.items():
        if name not in declared:
            continue
        place = f"--model {family}: {name}"
        # Stages of a ResNet may be given as one number, and lists come as tuples from the API.
        is_number_of_stages = name == "layers" and isinstance(value, int)
        of_type([value] if is_number_of_stages else value, declared[name], place)
        sizes = value if isinstance(value, list | tuple) else [value]
        is_depth = name in ("depth", "layers")
        least, most = (0, MOST_BLOCKS) if is_depth else (1, LARGEST)
        for size in sizes:
            is_size = isinstance(size, int) and not isinstance(size, bool)
            if is_size and declared[name] is not float and not least <= size <= most:
                raise InputError(
                    f"{place} has to be from {least} to {most:,}, got {describe(size)}"
                )
        if name == "layers" and sum(sizes) > MOST_BLOCKS:
            raise InputError(f"{place} are {sum(sizes):,} blocks, expected at most {MOST_BLOCKS:,}")

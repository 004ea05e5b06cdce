from collections import OrderedDict, UserDict, namedtuple
from dataclasses import dataclass

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from landscape.data.structures import common_length, is_divisible, map_structure, tensors_in


@dataclass(frozen=True)
class Pair:
    left: torch.Tensor
    right: object


class Graph:
    """As graph libraries have them: tensors among the attributes."""

    def __init__(self):
        self.x, self.y = torch.ones(3, 2), {"label": torch.ones(1)}


Point = namedtuple("Point", "x y")  # noqa: PYI024 - as users write it
ONE = torch.ones(3)

STRUCTURES = {
    "tensor": (lambda: ONE, 1),
    "tuple": (lambda: (ONE, [ONE, 4]), 2),
    "named tuple": (lambda: Point(ONE, None), 1),
    "ordered dict": (lambda: OrderedDict(a=ONE, b="text"), 1),
    "another mapping": (lambda: UserDict(a=ONE), 1),
    "frozen dataclass": (lambda: Pair(ONE, (ONE,)), 2),
    "object": (Graph, 2),
    "packed sequence": (lambda: pack_sequence([ONE, ONE[:2]]), 1),
    "number": (lambda: 3, 0),
    "nothing": (lambda: None, 0),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures_keep_their_type(name):
    make, count = STRUCTURES[name]
    before = make()
    after = map_structure(lambda tensor: 2 * tensor, before)
    assert type(after) is type(before)
    tensors = list(tensors_in(after))
    assert len(tensors) == count
    assert all(bool((tensor == 2).all()) for tensor in tensors)
    assert all(bool((tensor == 1).all()) for tensor in tensors_in(before))


@pytest.mark.parametrize(
    ("structure", "length"),
    [
        ((torch.zeros(4, 2), {"a": torch.zeros(4)}), 4),
        ((torch.zeros(4), torch.zeros(5)), None),
        ((torch.zeros(4), torch.zeros(())), None),
        (torch.zeros(4, 2).to_sparse(), None),
        ((torch.zeros(4), "text"), None),
        (None, None),
    ],
)
def test_the_length_that_all_tensors_share(structure, length):
    assert common_length(structure) == length
    assert is_divisible(structure) or length is None

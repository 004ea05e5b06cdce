"""Damage to files, drawn from a passed generator: the same seed damages in the same way."""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

# Values of every type that JSON has, and what its readers also take.
WRONG_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 10**9, 2**63, -(10**30), 10**400, 0.5, -0.5, 1e308, 1e-320),
    *(math.nan, math.inf, -math.inf, "", "a", "0", "../../etc", "a\nb", "\x00", "x" * 100_000),
    *([], [1], ["a", None], [[[]]], {}, {"a": 1}, {"": None}),
)


@dataclass(frozen=True)
class Damaged:
    """A damaged file.

    Attributes:
        what: What was done to it, for messages.
        content: Its bytes.
    """

    what: str
    content: bytes


def flips(content: bytes, count: int, seed: int) -> Iterator[Damaged]:
    """One bit flipped at a time, anywhere in the file."""
    source = np.random.default_rng(seed)
    for _ in range(count):
        place, bit = int(source.integers(len(content))), int(source.integers(8))
        changed = bytearray(content)
        changed[place] ^= 1 << bit
        yield Damaged(f"bit {bit} of byte {place} flipped", bytes(changed))


def edits(content: bytes, count: int, seed: int) -> Iterator[Damaged]:
    """Some bytes at one place overwritten, zeroed, inserted, removed or repeated."""
    source = np.random.default_rng(seed)
    for _ in range(count):
        kind = str(source.choice(["overwritten", "zeroed", "inserted", "removed", "repeated"]))
        length = int(source.integers(1, 17)) if source.random() < 0.8 else 512
        place = int(source.integers(len(content)))
        before, inside = content[:place], content[place : place + length]
        after, noise = content[place + length :], source.bytes(length)
        middle = {
            "overwritten": noise[: len(inside)],
            "zeroed": bytes(len(inside)),
            "inserted": noise + inside,
            "removed": b"",
            "repeated": inside + inside,
        }[kind]
        yield Damaged(f"{length} bytes at {place} {kind}", before + middle + after)


def truncations(content: bytes, count: int, seed: int) -> Iterator[Damaged]:
    """The file cut off somewhere."""
    source = np.random.default_rng(seed)
    for _ in range(count):
        length = int(source.integers(len(content)))
        yield Damaged(f"cut off after {length} bytes", content[:length])


def wrong_types(tree: dict[str, Any], count: int, seed: int) -> Iterator[tuple[str, Any]]:
    """A JSON object with one of its entries, at any depth, replaced by another or removed."""
    source = np.random.default_rng(seed)
    places = list(_places(tree))
    for _ in range(count):
        changed = copy.deepcopy(tree)
        *path, last = places[int(source.integers(len(places)))]
        parent: Any = changed
        for step in path:
            parent = parent[step]
        name = ".".join(map(str, [*path, last]))
        choice = int(source.integers(len(WRONG_VALUES) + 1))
        if choice == len(WRONG_VALUES):
            del parent[last]
            yield f"{name} removed", changed
        else:
            parent[last] = copy.deepcopy(WRONG_VALUES[choice])
            yield f"{name} = {str(WRONG_VALUES[choice])[:30]!r}", changed


def _places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every entry of a tree of dicts and lists."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in inner:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from _places(value, (*path, key))

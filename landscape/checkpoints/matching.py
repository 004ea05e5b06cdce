"""Matching the names of weights in a file with those of a network.

Training code wraps networks: DataParallel puts ``module.`` before every name, torch.compile
``_orig_mod.``, FSDP ``_fsdp_wrapped_module`` inside of them, self-supervised training has the
network as ``encoder_q``, Lightning as ``model``. So names may differ by one change that is common
to all of them: a prefix that the file's names have and the network's don't, or the other way
round, and parts that are left out wherever they occur. Nothing else is guessed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

# Parts of names that wrappers add, also in the middle.
WRAPPERS = {
    "module",
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
    "_forward_module",
    "_fpw_module",
    "_flattened_module",
}
_MOST_PARTS = 40  # of those tried alone
_MOST_PREFIXES = 100  # a network of one layer fits many parts of a large one
# How the names of adapters begin. They change the function of a layer beside its own weights.
_ADAPTERS = ("lora_", "ia3_", "adapter")


@dataclass(frozen=True)
class Expected:
    """The names and shapes of a network's weights.

    Attributes:
        shapes: The shape of every tensor of the state dict, by its name.
        tied: For each name, the names of the same tensor: a file needs one of them.
    """

    shapes: dict[str, torch.Size]
    tied: dict[str, frozenset[str]]

    @classmethod
    def of(cls, network: nn.Module) -> "Expected":
        """What ``network`` expects."""
        state = {
            name: value
            for name, value in network.state_dict(keep_vars=True).items()
            if isinstance(value, Tensor)
        }
        names: dict[int, list[str]] = {}
        for name, value in state.items():
            names.setdefault(id(value), []).append(name)
        return cls(
            {name: value.shape for name, value in state.items()},
            {name: frozenset(names[id(value)]) for name, value in state.items()},
        )

    def lacks(self, names: Mapping[str, object]) -> list[str]:
        """The names that a state dict with these names would have to have besides.

        Counters of batches may be missing: files older than PyTorch 0.4.1 have none.
        """
        return [
            name
            for name in self.shapes
            if not name.endswith("num_batches_tracked")
            and not any(twin in names for twin in self.tied[name])
        ]


@dataclass(frozen=True)
class Match:
    """The names of a file under one common change, beside those of a network.

    Attributes:
        names: From the network's names to the file's, also for names that the network lacks.
        prefix: What is taken off the front of the file's names.
        added: What is put there instead.
        removed: The parts that are left out anywhere.
        left_out: The file's names that don't begin with ``prefix``.
        missing: The network's names that the file lacks.
        unexpected: The names that the network lacks.
        misshapen: The network's names whose tensors have another shape in the file.
    """

    names: dict[str, str]
    prefix: str = ""
    added: str = ""
    removed: frozenset[str] = frozenset()
    left_out: tuple[str, ...] = ()
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    misshapen: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether everything that the network needs is there, and nothing else."""
        return bool(self.names) and not (self.missing or self.unexpected or self.misshapen)

    def is_likely(self) -> bool:
        """Whether at least half of the network's names are there."""
        return len(self.names) - len(self.unexpected) >= len(self.missing)

    @property
    def score(self) -> tuple[int, int]:
        """The number of names that match, and the negative number of those that don't."""
        fitting = len(self.names) - len(self.unexpected)
        return 2 * fitting - len(self.misshapen), -len(self.unexpected)


def find_matches(tensors: Mapping[str, Tensor], expected: Expected) -> list[Match]:
    """All complete matches, under the simplest change that gives any; else the best match."""
    unchanged = [(name, name) for name in tensors]
    best = _compare(tensors, unchanged, expected, Match({}))
    for parts in _removals(tensors, expected):
        renamed = _without(tensors, parts)
        matches = [
            match
            for added in _common_prefixes(expected.shapes)
            for match in _prefix_matches(tensors, renamed, expected, added, parts)
        ]
        complete = {tuple(m.names.items()): m for m in reversed(matches) if m.is_complete}
        if complete:
            return list(reversed(complete.values()))
        best = max([best, *filter(Match.is_likely, matches)], key=lambda match: match.score)
    return [best]


def _removals(tensors: Mapping[str, Tensor], expected: Expected) -> Iterator[frozenset[str]]:
    """Sets of parts to leave out of the names, the smallest change first."""
    yield frozenset()
    known = {part for name in expected.shapes for part in name.split(".")}
    foreign = dict.fromkeys(
        part for name in tensors for part in name.split(".")[:-1] if part not in known
    )
    wrappers = frozenset(foreign) & WRAPPERS
    if wrappers:
        yield wrappers
    others = [part for part in foreign if part not in wrappers]
    for part in others[:_MOST_PARTS]:
        yield wrappers | {part}
    if len(others) > 1:
        yield frozenset(foreign)


def _without(tensors: Mapping[str, Tensor], parts: frozenset[str]) -> list[tuple[str, str]]:
    """Pairs of a name without ``parts`` and the name itself; the last part of a name stays."""
    pairs = []
    for name in tensors:
        *path, leaf = name.split(".")
        pairs.append((".".join([*(part for part in path if part not in parts), leaf]), name))
    return pairs


def _common_prefixes(shapes: Mapping[str, object]) -> list[str]:
    """The prefixes that all of the network's names have, with their dot; the empty one first."""
    prefixes, paths = [""], [name.split(".")[:-1] for name in shapes]
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        prefixes.append(f"{prefixes[-1]}{parts[0]}.")
    return prefixes


def _prefix_matches(
    tensors: Mapping[str, Tensor],
    renamed: list[tuple[str, str]],
    expected: Expected,
    added: str,
    parts: frozenset[str],
) -> Iterator[Match]:
    """The matches by prefix: every one that has all names, and the one that has most."""
    wanted = {name.removeprefix(added) for name in expected.shapes}
    votes: Counter[str] = Counter({"": 0})
    for short, _ in renamed:
        place = 0
        while place >= 0:
            if short[place:] in wanted:
                votes[short[:place]] += 1
            place = short.find(".", place) + 1 or -1
    most = max(votes.values())
    needed = len({min(expected.tied[name]) for name in expected.lacks({})})
    leading = next(prefix for prefix, count in votes.items() if count == most)
    for prefix, count in votes.most_common(_MOST_PREFIXES):
        if prefix == leading or (count and count >= needed):
            yield _compare(tensors, renamed, expected, Match({}, prefix, added, parts))


def _compare(
    tensors: Mapping[str, Tensor],
    renamed: list[tuple[str, str]],
    expected: Expected,
    change: Match,
) -> Match:
    """The match under a change, with everything that does not fit."""
    names: dict[str, str] = {}
    left_out, doubled = [], []
    for short, name in renamed:
        if not short.startswith(change.prefix):
            left_out.append(name)
            continue
        target = change.added + short[len(change.prefix) :]
        if target in names:
            doubled.append(name)
        names.setdefault(target, name)
    return Match(
        names,
        change.prefix,
        change.added,
        change.removed,
        tuple(left_out),
        expected.lacks(names),
        [
            *(target for target in names if target not in expected.shapes),
            *doubled,
            *filter(_is_adapter, left_out),
        ],
        [
            name
            for name, shape in expected.shapes.items()
            if name in names and tensors[names[name]].shape != shape
        ],
    )


def _is_adapter(name: str) -> bool:
    return any(part.startswith(_ADAPTERS) for part in name.split("."))

"""Choosing the weights in a checkpoint that are a network's."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from landscape.checkpoints.matching import WRAPPERS, Expected, Match, find_matches
from landscape.checkpoints.state_dicts import (
    AVERAGE_COUNTER,
    StateDict,
    describe_contents,
    find_state_dicts,
    is_averaged,
    joined,
    preference,
    state_dicts_at,
)
from landscape.checkpoints.wording import list_some
from landscape.errors import InputError

AVERAGED, NOT_AVERAGED = "averaged over the training: EMA, SWA or a teacher", "not averaged"


@dataclass(frozen=True)
class Candidate:
    """Weights in a checkpoint, with the best match of their names."""

    weights: StateDict
    match: Match

    @property
    def location(self) -> str:
        """The key, with the prefix that the names have in the state dict."""
        return f"{self.weights.key}.{self.match.prefix}".strip(".")

    @property
    def is_averaged(self) -> bool:
        """Whether the weights are an average over the training."""
        return AVERAGE_COUNTER in self.weights.tensors or is_averaged(self.location)

    @property
    def state(self) -> dict[str, Tensor]:
        """The weights under the network's names."""
        return {name: self.weights.tensors[old] for name, old in self.match.names.items()}


@dataclass(frozen=True)
class Choice:
    """The weights that are taken from a checkpoint.

    Attributes:
        candidate: The weights.
        key: Where they are, with dots for nested keys; empty for the top level.
        others: Other weights in the file that fit.
        unfit: Averaged weights in the file that don't fit.
        is_chosen: Whether there was a choice. The files of a run leave none.
        is_average_file: Whether the file is one of averages, whatever the key in it.
    """

    candidate: Candidate
    key: str
    others: tuple[Candidate, ...] = ()
    unfit: tuple[Candidate, ...] = ()
    is_chosen: bool = True
    is_average_file: bool = False

    @property
    def state(self) -> dict[str, Tensor]:
        """The weights under the network's names."""
        return self.candidate.state

    @property
    def is_averaged(self) -> bool:
        """Whether the weights are an average over the training."""
        return self.is_average_file or self.candidate.is_averaged

    def describe(self) -> str:
        """One line that says which weights were taken; empty where the file has no others."""
        weights, match = self.candidate.weights, self.candidate.match
        other_parts = set(match.prefix.rstrip(".").split(".")) - WRAPPERS - {""}
        left_out = [name for name in match.left_out if name != AVERAGE_COUNTER]
        if not self.is_chosen or not (
            self.key
            or self.is_averaged
            or other_parts
            or match.removed - WRAPPERS
            or match.added
            or left_out
            or self.others
            or self.unfit
        ):
            return ""
        where = f"under {self.key}" if self.key else "at the top level"
        kind = AVERAGED if self.is_averaged else NOT_AVERAGED
        lines = [f"the weights are those {where} ({kind})"]
        if other_parts:
            lines.append(f"names are taken without {match.prefix}")
        if match.removed:
            lines.append(f"names are taken without {', '.join(sorted(match.removed))}")
        if match.added:
            lines.append(f"names are taken with {match.added} before them")
        if left_out:
            lines.append(f"what belongs to other parts is left out ({list_some(left_out)})")
        if self.others:
            places = [
                f"{other.location or 'its top level'}{' (averaged)' if other.is_averaged else ''}"
                for other in self.others
            ]
            lines.append(f"the file also has {list_some(places)}, which --weights-key takes")
        for other in self.unfit:
            wrong = [*other.match.missing, *other.match.unexpected, *other.match.misshapen]
            lines.append(
                f"the averaged weights under {other.location} don't fit ({list_some(wrong)})"
            )
        if weights.others and not self.key:
            lines.append(f"{list_some(list(weights.others))} beside them are no weights")
        return "; ".join(lines)


def choose_weights(content: Any, expected: Expected, path: Path, key: str = "") -> Choice:
    """Choose the weights that fit a network; where none do, those that come nearest.

    Where several fit, the order is that of
    :func:`~landscape.checkpoints.state_dicts.preference`: averaged weights first.

    Args:
        content: What the file holds.
        expected: The network's names and shapes.
        path: The file, for messages.
        key: Where the weights are, with dots for nested keys; by default anywhere.

    Raises:
        InputError: There are no weights, there are none under ``key``, or several parts of one
            state dict fit equally well.
    """
    states = state_dicts_at(content, key, path) if key else find_state_dicts(content)
    if not states:
        raise InputError(f"{path} {describe_contents(content)}")
    candidates = _candidates(states, expected)
    fitting = [candidate for candidate in candidates if candidate.match.is_complete]
    if not fitting and len(states) > 1:
        parts = {part for name in expected.shapes for part in name.split(".")}
        related = [state for state in states if state.key.rpartition(".")[2] in parts]
        fitting = [c for c in _candidates([joined(related)], expected) if c.match.is_complete]
    if not fitting:
        nearest = max(candidates, key=lambda candidate: _nearness(candidate, expected))
        return Choice(nearest, key or nearest.weights.key)
    ranked = sorted(fitting, key=_rank)
    _refuse_ambiguous(ranked, path)
    first = ranked[0]
    # Where one state dict has several copies, the key has to tell which.
    copies = [other for other in ranked if other.weights is first.weights]
    chosen = Choice(first, key or (first.location if len(copies) > 1 else first.weights.key))
    unfit = (c for c in candidates if c.is_averaged and not c.match.is_complete and c.weights.key)
    return replace(chosen, others=tuple(ranked[1:]), unfit=() if key else tuple(unfit))


def _candidates(states: Sequence[StateDict], expected: Expected) -> list[Candidate]:
    return [
        Candidate(state, match)
        for state in states
        for match in find_matches(state.tensors, expected)
    ]


def _rank(candidate: Candidate) -> tuple[int, int]:
    return (0, 0) if candidate.is_averaged else preference(candidate.location)


def _nearness(candidate: Candidate, expected: Expected) -> tuple[int, ...]:
    """How near weights come that don't fit: by names, then by shapes, then by their number.

    Of equals it is the one that would be taken if they fitted.
    """
    fitting, surplus = candidate.match.score
    tensors = candidate.weights.tensors
    wanted = Counter(expected.shapes.values())
    shared = (wanted & Counter(tensor.shape for tensor in tensors.values())).total()
    first, second = _rank(candidate)
    return fitting, shared, surplus if fitting else len(tensors), -first, -second


def _refuse_ambiguous(ranked: Sequence[Candidate], path: Path) -> None:
    """Raise InputError if the first has an equal in the same state dict."""
    first = ranked[0]
    equal = [c for c in ranked if c.weights is first.weights and _rank(c) == _rank(first)]
    if len(equal) > 1:
        places = list_some([candidate.location or "its top level" for candidate in equal])
        raise InputError(
            f"{path} has several parts that fit the network ({places}); say which with "
            "--weights-key KEY"
        )

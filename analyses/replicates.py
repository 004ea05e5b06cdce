"""Replicates: networks that differ in the seed of their training alone, shown under one name.

The label of a replicate is ``GROUP/NAME``, such as ``vit/seed-0``; other labels have no slash. So
a stored result knows its group, and lies in ``DIR/GROUP/NAME/``.
"""

from __future__ import annotations

import logging
import os.path
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from landscape.errors import InputError

if TYPE_CHECKING:
    from landscape.results.provenance import Provenance
    from landscape.results.result import Result

LOGGER = logging.getLogger(__name__)

R = TypeVar("R", bound="Result")
L = TypeVar("L", bound="Labelled")

SEPARATOR = "/"
# What two trainings of one method may differ in.
NOT_THE_METHOD = ("seed", "device", "tensorboard", "save_minutes", "save_every")


class Labelled(Protocol):
    """Anything with a label and a provenance, such as a result."""

    @property
    def label(self) -> str:
        """The name of the network in tables and figures."""

    @property
    def provenance(self) -> Provenance:
        """What was measured."""


def group_of(label: str) -> str:
    """The name that replicates share; the label itself where there is no replicate.

    Example:
        >>> group_of("vit/seed-0"), group_of("vit")
        ('vit', 'vit')
    """
    return label.partition(SEPARATOR)[0]


def name_of(label: str) -> str:
    """What tells a replicate from the others of its group; "" where there is no replicate."""
    return label.partition(SEPARATOR)[2]


def by_group(results: Sequence[L]) -> list[list[L]]:
    """The replicates of each group, in the order in which groups come first.

    A result whose label has no slash is alone, also where another has the same label. Networks of
    several sizes are no replicates, whatever their labels.
    """
    groups: dict[Any, list[L]] = {}
    for number, result in enumerate(results):
        size = result.provenance.num_parameters
        key = (group_of(result.label), size) if SEPARATOR in result.label else number
        groups.setdefault(key, []).append(result)
    return list(groups.values())


def title_of(members: Sequence[Labelled]) -> str:
    """What a legend calls a group: the label of a single member, or the name with its number."""
    label = members[0].label
    return label if len(members) == 1 else f"{group_of(label)} ({len(members)} runs)"


def examples_of(results: Sequence[R]) -> list[R]:
    """The first replicate of each group, labelled as an example; other results as they are.

    A picture that has a panel for each network shows these.
    """
    return [
        members[0]
        if len(members) == 1
        else replace(members[0], label=_as_example(members[0].label, len(members)))
        for members in by_group(results)
    ]


def replicate_labels(results: Mapping[str, Sequence[Result]]) -> dict[str, str]:
    """Find replicates that were measured under labels of their own, say so, and check all groups.

    Args:
        results: by analysis.

    Returns:
        By label a new one that begins with the name of the group, for those whose provenance says
        that their trainings have the same settings but for the seed.

    Raises:
        InputError: networks of one group are of several architectures, or one is there twice.
    """
    networks: dict[str, Result] = {}
    everything = [result for members in results.values() for result in members]
    # What was measured on weights knows more than what was read from a log.
    for result in sorted(everything, key=lambda result: not result.provenance.weights_sha256):
        networks.setdefault(result.label, result)
    _check_groups(networks)
    return _found_in_provenance({result.label: networks[result.label] for result in everything})


def seed_of(result: Result) -> int | None:
    """The seed of the training, from provenance or a name such as ``seed-0``; None if unknown."""
    training = result.provenance.origin.get("training") or {}
    if isinstance(training.get("seed"), int):
        return int(training["seed"])
    match = re.fullmatch(r"seed-(-?[0-9]+)", name_of(result.label))
    return int(match[1]) if match else None


def _as_example(label: str, count: int) -> str:
    return f"{group_of(label)}, {name_of(label)} (1 of {count} runs)"


def _found_in_provenance(networks: Mapping[str, Result]) -> dict[str, str]:
    """New labels of the networks that are replicates and are not labelled so."""
    by_method: dict[str, list[str]] = {}
    for label, result in networks.items():
        if SEPARATOR not in label and (method := _method(result.provenance.origin)):
            by_method.setdefault(str(sorted(method.items())), []).append(label)
    labels: dict[str, str] = {}
    groups = {group_of(label) for label in networks}
    for members in by_method.values():
        seeds = {seed_of(networks[label]) for label in members}
        if len(members) < 2 or len(seeds) < len(members):
            continue
        group = _common_name(members)
        if group in groups - set(members):  # the name of another network
            group = f"{members[0]} and others"
        groups.add(group)
        labels |= {label: f"{group}{SEPARATOR}{label}" for label in members}
        LOGGER.info(
            f"{', '.join(members)} are replicates, trained alike but for the seed: shown as {group}"
        )
    return labels


def _common_name(labels: Sequence[str]) -> str:
    """What labels begin with alike, without a trailing word for the seed; else the first label."""
    prefix = os.path.commonprefix(labels)
    if any(label[len(prefix) : len(prefix) + 1].isdecimal() for label in labels):
        prefix = prefix.rstrip("0123456789")  # of 10 and 11, too
    end = r"([-_. ]+(seed|run|replicate|rep|s))?[-_. ]*$"
    return re.sub(end, "", prefix, count=1) or labels[0]


def _check_groups(networks: Mapping[str, Result]) -> None:
    groups: dict[str, list[Result]] = {}
    for label, result in networks.items():
        if SEPARATOR in label:
            groups.setdefault(group_of(label), []).append(result)
    for group, members in groups.items():
        if group in networks:
            raise InputError(
                f"{group!r} is the label of a network and of {len(members)} replicates; give the "
                "network another as LABEL=CHECKPOINT"
            )
        first = members[0]
        for other in members[1:]:
            _check_pair(group, first, other)


def _check_pair(group: str, first: Result, other: Result) -> None:
    """Raise InputError if two can't be replicates, and say what else than the seed differs."""
    origins = first.provenance.origin, other.provenance.origin
    names = name_of(first.label), name_of(other.label)
    models = [(origin.get("model"), origin.get("model_args")) for origin in origins]
    if models[0] != models[1]:
        raise InputError(
            f"{group!r} can't have replicates of several architectures: {names[0]} is a "
            f"{models[0][0]}, {names[1]} a {models[1][0]}"
            + (" of other sizes" if models[0][0] == models[1][0] else "")
        )
    hashes = first.provenance.weights_sha256, other.provenance.weights_sha256
    if hashes[0] and hashes[0] == hashes[1]:
        raise InputError(
            f"{names[0]} and {names[1]} of {group!r} are the same network; a replicate is another "
            "training"
        )
    seeds = seed_of(first), seed_of(other)
    if seeds[0] is not None and seeds[0] == seeds[1]:
        raise InputError(
            f"{names[0]} and {names[1]} of {group!r} have the same seed, {seeds[0]}; a replicate "
            "is trained with another"
        )
    methods = _method(origins[0]), _method(origins[1])
    differing = sorted(
        key
        for key in {*methods[0], *methods[1]}
        if methods[0].get(key) != methods[1].get(key) and all(methods)
    )
    if differing:
        LOGGER.warning(
            f"{names[0]} and {names[1]} of {group} were not trained alike: they differ in "
            f"{', '.join(differing)}, and are taken for replicates because of their label"
        )


def _method(origin: Mapping[str, Any]) -> dict[str, Any]:
    """What a network was trained with, but for its seed; empty where that is not known."""
    training = origin.get("training") or {}
    if training.get("seed") is None or "training_data" not in origin:
        return {}
    checkpoint = Path(str(origin.get("checkpoint", "")))
    settings = {key: value for key, value in training.items() if key not in NOT_THE_METHOD}
    return {
        **settings,
        "model": origin.get("model"),
        "model_args": str(origin.get("model_args")),
        "data": str(origin["training_data"]),
        "checkpoint": checkpoint.name if checkpoint.suffix else "",
        "samples a perturbation": origin.get("samples_per_perturbation"),
    }

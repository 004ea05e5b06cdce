"""The networks of a report, each with its runs and all that was measured on them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from analyses.replicates import by_group, group_of, name_of, seed_of
from analyses.report.paper.reported import trained_with_sam
from landscape.results.provenance import Provenance
from landscape.results.result import Result

FAMILIES = {
    "ViT": re.compile(r"vit|deit", re.IGNORECASE),
    "Mixer": re.compile(r"mixer", re.IGNORECASE),
    "ResNet": re.compile(r"resnet", re.IGNORECASE),
}


@dataclass(frozen=True, eq=False)
class Run:
    """A checkpoint under its label and its results by analysis."""

    label: str
    results: Mapping[str, Result]

    @property
    def provenance(self) -> Provenance:
        """What was measured, of the first of its results."""
        return next(iter(self.results.values())).provenance

    @property
    def origin(self) -> Mapping[str, Any]:
        """Where model and weights came from."""
        return self.provenance.origin

    @property
    def seed(self) -> int | None:
        """The seed of its training; None if it is not known."""
        return next((seed for r in self.results.values() if (seed := seed_of(r)) is not None), None)


@dataclass(frozen=True)
class Network:
    """A network that was trained once or several times, with another seed each time.

    Attributes:
        label: the name of the group of replicates, or the label of the only run.
        runs: at least one.
    """

    label: str
    runs: tuple[Run, ...]

    @property
    def origin(self) -> Mapping[str, Any]:
        """Where model and weights of the first run came from."""
        return self.runs[0].origin

    @property
    def family(self) -> str:
        """ViT, Mixer, ResNet, or "" for any other network."""
        model = str(self.origin.get("model", ""))
        return next((name for name, known in FAMILIES.items() if known.search(model)), "")

    @property
    def with_sam(self) -> bool | None:
        """Whether SAM trained it; None where that is not known."""
        return trained_with_sam(self.origin)

    @property
    def with_strong_augmentation(self) -> bool | None:
        """Whether RandAugment or mixup were used; None where that is not known."""
        training = self.origin.get("training")
        if not training or "mixup" not in training:
            return None
        return bool(training["mixup"] or training.get("randaugment"))

    @cached_property
    def training_settings(self) -> frozenset[tuple[str, str]]:
        """The settings of its training that have a value, each with the value as text."""
        training = self.origin.get("training") or {}
        return frozenset(
            (name, repr(value)) for name, value in training.items() if value is not None
        )

    @cached_property
    def architecture(self) -> str:
        """What networks have in common that differ in their training alone."""
        arguments = self.origin.get("model_args") or {}
        return f"{self.origin.get('model')} {sorted(arguments.items())}"


def networks(results: Mapping[str, Sequence[Result]]) -> list[Network]:
    """The networks in the order in which they were given; replicates are runs of one."""
    by_label: dict[str, dict[str, Result]] = {}
    for name, members in results.items():
        for result in members:
            by_label.setdefault(result.label, {})[name] = result
    runs = [Run(label, measured) for label, measured in by_label.items()]
    return [
        Network(members[0].label if len(members) == 1 else group_of(members[0].label), members)
        for members in map(tuple, by_group(runs))
    ]


def name_of_run(run: Run) -> str:
    """What tells a run from its replicates; its label where it has none."""
    return name_of(run.label) or run.label

"""The networks of a report, each with all that was measured on it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analyses.report.paper.reported import trained_with_sam
from landscape.results.result import Result

FAMILIES = {
    "ViT": re.compile(r"vit|deit", re.IGNORECASE),
    "Mixer": re.compile(r"mixer", re.IGNORECASE),
    "ResNet": re.compile(r"resnet", re.IGNORECASE),
}


@dataclass(frozen=True)
class Network:
    """A checkpoint under its label and its results by analysis."""

    label: str
    results: Mapping[str, Result]

    @property
    def origin(self) -> Mapping[str, Any]:
        """Where model and weights came from."""
        return next(iter(self.results.values())).provenance.origin

    @property
    def family(self) -> str:
        """ViT, Mixer, ResNet, or "" for any other network."""
        model = str(self.origin.get("model", ""))
        return next((name for name, known in FAMILIES.items() if known.search(model)), "")

    @property
    def with_sam(self) -> bool | None:
        """Whether SAM trained it; None where that is not known."""
        return trained_with_sam(self.origin)


def networks(results: Mapping[str, Sequence[Result]]) -> list[Network]:
    """The networks in the order in which they were given."""
    by_label: dict[str, dict[str, Result]] = {}
    for name, members in results.items():
        for result in members:
            by_label.setdefault(result.label, {})[name] = result
    return [Network(label, members) for label, members in by_label.items()]


def sam_pairs(networks: Iterable[Network]) -> list[tuple[Network, Network]]:
    """Every network that was trained with SAM, after the first one of its kind without."""
    plain: dict[str, Network] = {}
    pairs = []
    members = list(networks)
    for network in members:
        if network.with_sam is False:
            plain.setdefault(_architecture(network), network)
    for network in members:
        if network.with_sam and _architecture(network) in plain:
            pairs.append((plain[_architecture(network)], network))
    return pairs


def _architecture(network: Network) -> str:
    origin = network.origin
    return f"{origin.get('model')} {sorted((origin.get('model_args') or {}).items())}"

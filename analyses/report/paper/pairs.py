"""Networks that differ in one method of training, as the paper's comparisons are made of them."""

from collections.abc import Iterable, Sequence

from analyses.report.paper.subjects import Network

# Settings in which a network with SAM differs from one without, and replicates from each other.
_OF_SAM = ("rho", "sam", "seed")
# Settings of strong augmentation.
_OF_AUGMENTATION = ("augment", "randaugment", "mixup")

Pair = tuple[Network, Network]


def sam_pairs(networks: Iterable[Network]) -> list[Pair]:
    """Every network that was trained with SAM, after the one without that is most like it.

    Both are of one architecture, and both with strong augmentation or both without.
    """
    members = list(networks)
    plain = [network for network in members if network.with_sam is False]
    pairs = []
    for network in members:
        if network.with_sam:
            alike = [other for other in plain if _augmented_alike(network, other)]
            pairs += [(other, network) for other in _closest(network, alike, _OF_SAM)]
    return pairs


def augmentation_pairs(networks: Iterable[Network]) -> list[Pair]:
    """Every network with strong augmentation, after the one without that is most like it.

    Both are of one architecture and without SAM.
    """
    plain = [network for network in networks if network.with_sam is False]
    weak = [network for network in plain if network.with_strong_augmentation is False]
    return [
        (other, network)
        for network in plain
        if network.with_strong_augmentation
        for other in _closest(network, weak, (*_OF_AUGMENTATION, "seed"))
    ]


def basic(networks: Sequence[Network]) -> list[Network]:
    """Networks without strong augmentation, and all of an architecture that has none of these."""
    plain = {n.architecture for n in networks if not n.with_strong_augmentation}
    return [n for n in networks if not n.with_strong_augmentation or n.architecture not in plain]


def _closest(
    network: Network, others: Sequence[Network], ignored: tuple[str, ...]
) -> list[Network]:
    """The one of the same architecture that differs in the fewest settings; none without any."""
    architecture = network.architecture
    alike = [other for other in others if other.architecture == architecture]
    return [min(alike, key=lambda other: _differences(network, other, ignored))] if alike else []


def _differences(first: Network, second: Network, ignored: tuple[str, ...]) -> int:
    """In how many settings of their trainings two networks differ."""
    differing = {name for name, _ in first.training_settings ^ second.training_settings}
    return sum(not name.startswith(ignored) for name in differing)


def _augmented_alike(first: Network, second: Network) -> bool:
    return first.with_strong_augmentation == second.with_strong_augmentation

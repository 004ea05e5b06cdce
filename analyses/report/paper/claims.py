"""Which of the paper's claims a set of networks supports, contradicts or can't decide.

A claim says of two methods which has more of something. A method is known by runs that differ in
their seed: from one run of each nothing is decided. Holm's correction makes the probability that
anything on a page is decided by chance at most the stated level.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from analyses.drawing.numbers import with_error
from analyses.report.paper.comparisons import (
    ONE_RUN,
    VERDICTS,
    Comparison,
    Side,
    compare_measurements,
    compared,
    seed_of_run,
)
from analyses.report.paper.inference import MeanEstimate, holm
from analyses.report.paper.measurements import measure_over_runs
from analyses.report.paper.pairs import Pair, augmentation_pairs, basic, sam_pairs
from analyses.report.paper.quantities import ROWS
from analyses.report.paper.subjects import Network, name_of_run

OUTCOMES = (
    "supported",
    "partly supported",
    "mixed",
    "partly contradicted",
    "contradicted",
    "undecided",
    "not measured",
)

Compare = Callable[[Sequence[Network]], list[Comparison]]


@dataclass(frozen=True)
class Claim:
    """A statement, in short and in full, where the paper makes it, and what it compares."""

    title: str
    statement: str
    where: str
    compare: Compare


@dataclass(frozen=True)
class Judgement:
    """A claim with what these networks say of it."""

    claim: Claim
    comparisons: list[Comparison]

    @property
    def counts(self) -> dict[str, int]:
        """How many comparisons have each verdict."""
        verdicts = [comparison.verdict for comparison in self.comparisons]
        return {verdict: verdicts.count(verdict) for verdict in VERDICTS}

    @property
    def outcome(self) -> str:
        """The verdict in one of the words of :data:`OUTCOMES`."""
        if not self.comparisons:
            return "not measured"
        supporting, contradicting, undecided = self.counts.values()
        if supporting and contradicting:
            return "mixed"
        if not supporting and not contradicting:
            return "undecided"
        word = "supported" if supporting else "contradicted"
        return f"partly {word}" if undecided else word

    @property
    def verdict(self) -> str:
        """In words, with the numbers of comparisons."""
        total = len(self.comparisons)
        if not total:
            return "not measured"
        if all(comparison.needs_runs for comparison in self.comparisons):
            return ONE_RUN
        kinds = {verdict: count for verdict, count in self.counts.items() if count}
        if len(kinds) == 1:
            (only,) = kinds
            return _ALONE[only]
        return (
            ", ".join(f"{_ALONE[verdict]} in {count}" for verdict, count in kinds.items())
            + f" of {total}"
        )


_ALONE = {"supports": "supported", "contradicts": "contradicted", "can't decide": "undecided"}


def corrected(judgements: Sequence[Judgement]) -> list[Judgement]:
    """The same with the p values of all comparisons that are tested, corrected together."""
    tested = [
        comparison
        for judgement in judgements
        for comparison in judgement.comparisons
        if comparison.difference is not None
    ]
    p_values = [each.difference.p for each in tested if each.difference is not None]
    adjusted = dict(zip(map(id, tested), holm(p_values), strict=True))
    return [
        replace(
            judgement,
            comparisons=[
                replace(comparison, adjusted=adjusted.get(id(comparison), math.nan))
                for comparison in judgement.comparisons
            ],
        )
        for judgement in judgements
    ]


def with_sam(*names: str, more: bool, families: tuple[str, ...] = ()) -> Compare:
    """SAM against none, for each pair of networks of one architecture, seed by seed.

    Args:
        names: the quantities.
        more: whether SAM is claimed to have more of them.
        families: whose networks are compared; all if none is named.
    """
    return _in_pairs(lambda networks: sam_pairs(basic(networks)), names, more, families)


def with_augmentation(*names: str, more: bool, families: tuple[str, ...] = ()) -> Compare:
    """Strong augmentation against basic; the arguments are those of :func:`with_sam`."""
    return _in_pairs(augmentation_pairs, names, more, families)


def _in_pairs(
    pairs: Callable[[Sequence[Network]], list[Pair]],
    names: Sequence[str],
    more: bool,
    families: Sequence[str],
) -> Compare:
    def compare(networks: Sequence[Network]) -> list[Comparison]:
        comparisons = compared(
            (
                (before, after, name)
                for before, after in pairs(networks)
                if not families or before.family in families
                for name in names
            ),
            seed_of_run,
            more=more,
        )
        # At a single size of noise the reference and the largest one are the same number.
        return [each for k, each in enumerate(comparisons) if each not in comparisons[:k]]

    return compare


def between(name: str, *families: str) -> Compare:
    """Networks without SAM, of families that the claim puts in ascending order.

    A seed is nothing that two architectures have in common, so the runs are not paired.
    """

    def compare(networks: Sequence[Network]) -> list[Comparison]:
        chosen = [network for network in basic(networks) if network.with_sam is False]
        members = {
            family: [network for network in chosen if network.family == family]
            for family in families
        }
        pairs = (
            (low, high, name)
            for k, family in enumerate(families)
            for low in members[family]
            for other in families[k + 1 :]
            for high in members[other]
        )
        return compared(pairs, lambda _: None, more=True)

    return compare


def within(first: str, second: str, *families: str) -> Compare:
    """Two numbers of each run, of which the claim says that the second is less."""

    def compare(networks: Sequence[Network]) -> list[Comparison]:
        comparisons = []
        for network in basic(networks):
            larger = measure_over_runs(network, first)
            smaller = measure_over_runs(network, second)
            if network.family not in families or larger is None or smaller is None:
                continue
            # A network of one block has no other to compare it with.
            if larger.values != smaller.values:
                larger = replace(larger, label=f"{network.label}: {ROWS[first].title}")
                smaller = replace(smaller, label=ROWS[second].title)
                comparisons.append(
                    compare_measurements(larger, smaller, first, name_of_run, more=False)
                )
        return comparisons

    return compare


def gains(name: str, low: str, *families: str) -> Compare:
    """What SAM adds in a ``low`` family, and in others of which the claim says that it is more."""

    def compare(networks: Sequence[Network]) -> list[Comparison]:
        gained = [
            (plain.family, gain)
            for plain, sam in sam_pairs(basic(networks))
            for gain in _gain(plain, sam, name)
        ]
        return [
            Comparison(less, more, more=True)
            for family, less in gained
            if family == low
            for other, more in gained
            if other in families
        ]

    return compare


def _gain(plain: Network, sam: Network, name: str) -> list[Side]:
    """What SAM adds, as a side that is not paired with any other; none if it was not measured."""
    return [
        _gained(f"{sam.label} gains", comparison)
        for comparison in compared([(plain, sam, name)], seed_of_run, more=True, may_be_ratio=False)
    ]


def _gained(label: str, comparison: Comparison) -> Side:
    first, second = comparison.first, comparison.second
    variance = comparison.measurement_variance
    caveat = first.caveat or second.caveat
    # The error of measurement is added once, when gains are compared.
    gain = comparison.over_runs(0.0)
    if gain is None:
        return Side(label, f"{first.text} to {second.text}", {}, None, variance, caveat)
    text = (
        f"{with_error(gain.value, math.hypot(gain.stderr, math.sqrt(variance)))} (standard error)"
    )
    mean = MeanEstimate(gain.value, gain.stderr**2, gain.dof)
    return Side(label, text, {}, mean, variance, caveat, comparison.per_sample)

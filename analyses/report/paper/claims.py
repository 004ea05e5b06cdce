"""Which of the paper's claims a set of networks supports, contradicts or can't decide.

A claim says of two networks which has more of something. It is decided by the two numbers and
their errors alone: by the difference in standard errors, taken as independent. The errors are of
the sample and the probes; how much training again would change a network they do not say.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from analyses.report.paper.quantities import ROWS, Quantity, quantity
from analyses.report.paper.subjects import Network, sam_pairs

# A difference of so many standard errors decides: by chance alone one in twenty would.
DECISIVE = 2.0

VERDICTS = ("supports", "contradicts", "can't decide")


@dataclass(frozen=True)
class Comparison:
    """Two numbers of which the claim says that the second is ``more`` (or less) than the first."""

    first: str
    second: str
    values: tuple[Quantity, Quantity]
    more: bool

    @property
    def in_errors(self) -> float:
        """The second minus the first in standard errors; nan where an error is not known."""
        first, second = self.values
        difference = second.value - first.value
        error = math.hypot(first.error, second.error)
        if error == 0:
            return math.copysign(math.inf, difference) if difference else 0.0
        return difference / error

    @property
    def verdict(self) -> str:
        """One of :data:`VERDICTS`."""
        if self._caveat or not abs(self.in_errors) > DECISIVE:
            return "can't decide"
        return "supports" if (self.in_errors > 0) == self.more else "contradicts"

    @property
    def text(self) -> str:
        """The numbers, and how far they are apart."""
        first, second = self.values
        apart = self.in_errors
        if self._caveat:
            note = self._caveat
        elif math.isnan(apart):
            note = "no error is known"
        elif math.isinf(apart):
            note = "both exact"
        else:
            note = f"{abs(apart):.1f} standard errors apart"
        return f"{self.first} {first.text}, {self.second} {second.text} ({note})"

    @property
    def _caveat(self) -> str:
        return next((value.caveat for value in self.values if value.caveat), "")


Compare = Callable[[Sequence[Network]], list[Comparison]]


@dataclass(frozen=True)
class Claim:
    """A statement, where the paper makes it, and the comparisons that it is about."""

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
    def verdict(self) -> str:
        """In words."""
        total = len(self.comparisons)
        if not total:
            return "not measured"
        kinds = {verdict: count for verdict, count in self.counts.items() if count}
        if len(kinds) == 1:
            (only,) = kinds
            return _ALONE[only]
        return (
            ", ".join(f"{_ALONE[verdict]} in {count}" for verdict, count in kinds.items())
            + f" of {total}"
        )


_ALONE = {"supports": "supported", "contradicts": "contradicted", "can't decide": "undecided"}


def with_sam(*names: str, more: bool, families: tuple[str, ...] = ()) -> Compare:
    """SAM against none, for each pair of networks of one architecture; of all ``families`` if
    none is named."""

    def compare(networks: Sequence[Network]) -> list[Comparison]:
        return _comparisons(
            (
                (plain, sam, name)
                for plain, sam in sam_pairs(networks)
                if not families or plain.family in families
                for name in names
            ),
            more,
        )

    return compare


def between(name: str, *families: str) -> Compare:
    """Networks without SAM, of families that the claim puts in ascending order."""

    def compare(networks: Sequence[Network]) -> list[Comparison]:
        chosen = [network for network in networks if network.with_sam is False]
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
        return _comparisons(pairs, more=True)

    return compare


def within(first: str, second: str, *families: str) -> Compare:
    """Two numbers of one network, of which the claim says that the second is less."""

    def compare(networks: Sequence[Network]) -> list[Comparison]:
        comparisons = []
        for network in networks:
            larger, smaller = quantity(network, first), quantity(network, second)
            if network.family in families and larger is not None and smaller is not None:
                names = f"{network.label}: {ROWS[first].title}", ROWS[second].title
                comparisons.append(Comparison(*names, (larger, smaller), more=False))
        return comparisons

    return compare


def gains(name: str, low: str, *families: str) -> Compare:
    """What SAM adds in a ``low`` family, and in others of which the claim says that it is more."""

    def compare(networks: Sequence[Network]) -> list[Comparison]:
        gained = [(plain, _gain(plain, sam, name)) for plain, sam in sam_pairs(networks)]
        return [
            Comparison(f"{first.label} gains", f"{second.label} gains", (less, more), more=True)
            for first, less in gained
            if first.family == low and less is not None
            for second, more in gained
            if second.family in families and more is not None
        ]

    return compare


def _gain(plain: Network, sam: Network, name: str) -> Quantity | None:
    before, after = quantity(plain, name), quantity(sam, name)
    if before is None or after is None:
        return None
    error = math.hypot(before.error, after.error)
    return replace(after, value=after.value - before.value, error=error)


def _comparisons(pairs: Iterable[tuple[Network, Network, str]], more: bool) -> list[Comparison]:
    comparisons = []
    for first, second, name in pairs:
        values = quantity(first, name), quantity(second, name)
        if values[0] is not None and values[1] is not None:
            comparisons.append(Comparison(first.label, second.label, (values[0], values[1]), more))
    return comparisons

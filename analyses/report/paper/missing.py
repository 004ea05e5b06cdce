"""What the paper's tables and figures want of a set of networks and do not have."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from analyses.report.paper.figures import FIGURES
from analyses.report.paper.quantities import ROWS
from analyses.report.paper.subjects import Network


@dataclass(frozen=True)
class Missing:
    """An analysis that some networks lack, why, and the command that makes it, or ""."""

    analysis: str
    labels: tuple[str, ...]
    reason: str
    command: str


def find_missing(
    networks: Sequence[Network],
    reasons: Mapping[tuple[str, str], str],
    command: Callable[[str, Sequence[Network]], str],
) -> list[Missing]:
    """One entry for each analysis and reason; ``command`` says how to make it."""
    sources = [row.analyses for row in ROWS.values() if row.analyses]
    sources += [(analysis,) for pictures in FIGURES.values() for analysis in pictures.values()]
    lacking: dict[tuple[str, str], list[Network]] = {}
    for wanted in dict.fromkeys(sources):
        for network in networks:
            if not set(wanted) & set(network.results):
                reason = reasons.get((network.label, wanted[0]), "")
                lacking.setdefault((wanted[0], reason), []).append(network)
    return [
        Missing(
            analysis,
            tuple(member.label for member in members),
            reason or "not measured",
            "" if reason else command(analysis, members),
        )
        for (analysis, reason), members in lacking.items()
    ]

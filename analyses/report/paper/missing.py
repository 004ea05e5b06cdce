"""What the paper's tables and figures want of a set of networks and do not have."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from analyses.report.paper.figures import FIGURES
from analyses.report.paper.quantities import ROWS
from analyses.report.paper.subjects import Network, Run


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
    command: Callable[[str, Sequence[Run]], str],
) -> list[Missing]:
    """One entry for each analysis and reason; ``command`` says how to make it."""
    sources = [row.analyses for row in ROWS.values() if row.analyses]
    sources += [(analysis,) for pictures in FIGURES.values() for analysis in pictures.values()]
    lacking: dict[tuple[str, str], list[Run]] = {}
    for wanted in dict.fromkeys(sources):
        for run in (run for network in networks for run in network.runs):
            if not set(wanted) & set(run.results):
                reason = reasons.get((run.label, wanted[0]), "")
                lacking.setdefault((wanted[0], reason), []).append(run)
    return [
        Missing(
            analysis,
            tuple(member.label for member in members),
            reason or "not measured",
            "" if reason else command(analysis, members),
        )
        for (analysis, reason), members in lacking.items()
    ]

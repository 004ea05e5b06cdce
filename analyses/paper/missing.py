"""What the paper's tables and figures want of a set of networks and do not have."""

import argparse
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyses.paper.quantities import ROWS
from analyses.paper.subjects import Network
from analyses.subjects import SubjectSettings, default_label
from landscape.data.catalog import DataSettings
from landscape.options import given_options

# The paper's figures by the pictures that they are here, and the analyses these come from.
FIGURES = {
    "Figure 1: loss surfaces": {"surface_3d": "surface"},
    "Figure 2: training curves and active neurons": {"curves": "curves", "sparsity": "sparsity"},
    "Figure 3: attention maps": {"attention": "attention"},
}


@dataclass(frozen=True)
class Missing:
    """An analysis that some networks lack, why, and the command that makes it, or ""."""

    analysis: str
    labels: tuple[str, ...]
    reason: str
    command: str


def find_missing(
    found: Sequence[Network],
    reasons: Mapping[tuple[str, str], str],
    command: Callable[[str, Sequence[Network]], str],
) -> list[Missing]:
    """One entry for each analysis and reason; :func:`plot_command` says how to make it."""
    sources = [row.analyses for row in ROWS.values() if row.analyses]
    sources += [(analysis,) for pictures in FIGURES.values() for analysis in pictures.values()]
    lacking: dict[tuple[str, str], list[Network]] = {}
    for wanted in dict.fromkeys(sources):
        for network in found:
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


def plot_command(arguments: argparse.Namespace, analysis: str, networks: Sequence[Network]) -> str:
    """The command that measures ``analysis`` on these networks as the report was asked to."""
    words = ["landscape-plot", analysis]
    for network in networks:
        path = str(network.origin.get("checkpoint", ""))
        words.append(
            path if default_label(Path(path)) == network.label else f"{network.label}={path}"
        )
    if arguments.model:
        words += ["--model", arguments.model]
    if arguments.model_args:
        words += ["--model-args", *(f"{key}={_text(value)}" for key, value in arguments.model_args)]
    for kind in (DataSettings, SubjectSettings):
        for name, value in given_options(arguments, kind).items():
            words += _flag(name, value)
    return shlex.join([*words, "--output-dir", str(arguments.output_dir)])


def _flag(name: str, value: Any) -> list[str]:
    flag = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return [flag] if value else [flag.replace("--", "--no-", 1)]
    if name == "metrics":
        return [flag, _text(value)]
    return [flag, *map(str, value)] if isinstance(value, tuple) else [flag, str(value)]


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)

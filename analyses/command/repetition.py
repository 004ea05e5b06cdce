"""The command line that repeats a measurement for other checkpoints."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analyses.command.checkpoints import default_label
from analyses.command.settings import MeasurementSettings
from analyses.report.paper.subjects import Run
from landscape.data.settings import DataSettings
from landscape.runtime.options import given_options


def plot_command(arguments: argparse.Namespace, analysis: str, runs: Sequence[Run]) -> str:
    """The command that measures ``analysis`` on these runs as the report was asked to."""
    words = ["landscape-plot", analysis]
    for run in runs:
        path = str(run.origin.get("checkpoint", ""))
        label = str(run.origin.get("label") or run.label)
        words.append(path if default_label(Path(path)) == label else f"{label}={path}")
    if arguments.model:
        words += ["--model", arguments.model]
    if arguments.model_args:
        words += ["--model-args", *(f"{key}={_text(value)}" for key, value in arguments.model_args)]
    if arguments.weights_key:
        words += ["--weights-key", arguments.weights_key]
    if arguments.trust:
        words += ["--trust"]
    for kind in (DataSettings, MeasurementSettings):
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

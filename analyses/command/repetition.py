"""The command line that repeats a measurement for other checkpoints."""

import argparse
import dataclasses
import shlex
from collections.abc import Mapping, Sequence
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
        words += ["--model-args", *model_words(dict(arguments.model_args))]
    if arguments.weights_key:
        words += ["--weights-key", arguments.weights_key]
    if arguments.trust:
        words += ["--trust"]
    for kind in (DataSettings, MeasurementSettings):
        words += flag_words(kind, given_options(arguments, kind))
    return shlex.join([*words, "--output-dir", str(arguments.output_dir)])


def flag_words(settings: type[Any], values: Mapping[str, Any]) -> list[str]:
    """The words of a command line that give the fields of settings these values.

    Args:
        settings: a dataclass whose fields are flags.
        values: of some of its fields by name; None is what no flag says. A field that has no flag
            of its own, such as a seed, is skipped.
    """
    words: list[str] = []
    for field in dataclasses.fields(settings):
        value = values.get(field.name)
        if value is None or "help" not in field.metadata:
            continue
        flag = "--" + field.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else flag.replace("--", "--no-", 1))
        elif field.metadata["nargs"] is not None:
            words += [flag, *map(str, value)]
        else:
            words += [flag, _text(value)]
    return words


def model_words(arguments: Mapping[str, Any]) -> list[str]:
    """What ``--model-args`` is given for the sizes and options of a model."""
    return [f"{key}={_text(value)}" for key, value in arguments.items()]


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)

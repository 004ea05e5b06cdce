"""The command lines that draw a result again and that measure it again."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from analyses.analysis import Takes
from analyses.catalog import known_analyses
from analyses.command.checkpoints import default_label
from analyses.command.repetition import flag_words, model_words
from analyses.command.settings import MeasurementSettings
from landscape.checkpoints.trained_models import is_function
from landscape.data.settings import DataSettings
from landscape.results.result import Result
from landscape.runtime.choices import LOSSES, METRICS, PRECISIONS
from landscape.runtime.user_files import is_user_function

NO_CHECKPOINT = "unknown: the file names no checkpoint, as of a model that was passed from Python"
_WEIGHT_TYPES = {"float64": "fp64"}
_DEFAULTS = MeasurementSettings()


def draw_again(path: Path, result: Result) -> str:
    """The command that draws a result file."""
    return shlex.join(["landscape-plot", result.analysis, str(path)])


def measure_again(result: Result) -> str:
    """The command that measures a result again, as far as its file says what was measured.

    No file says which flags prepared the pictures (``--image-size``) of a checkpoint that is no
    run, nor the batch size. :data:`NO_CHECKPOINT` where no checkpoint is named.
    """
    origin = result.provenance.origin
    checkpoint = str(origin.get("checkpoint") or "")
    if not checkpoint:
        return NO_CHECKPOINT
    analysis = known_analyses()[result.analysis]
    is_named = default_label(Path(checkpoint)) == result.label
    words = ["landscape-plot", analysis.name]
    words.append(checkpoint if is_named else f"{result.label}={checkpoint}")
    changed = changed_settings(result)
    if analysis.takes is Takes.PAIR:
        words.append(str(changed.pop(analysis.second_checkpoint, "")))
    words += flag_words(analysis.settings, changed)
    if analysis.takes is not Takes.RUN:
        words += [*_model_and_data(origin, checkpoint), *_measurement(result, analysis.split)]
    return shlex.join(words)


def not_in_the_command(result: Result) -> list[str]:
    """What :func:`measure_again` leaves to the reader, a phrase each."""
    origin = result.provenance.origin
    checkpoint, loss = str(origin.get("checkpoint") or ""), str(origin.get("loss") or "")
    functions = [name for name in _metrics(origin) if name not in METRICS]
    notes = {
        f"there is no {checkpoint} here": not Path(checkpoint).exists()
        and not is_function(Path(checkpoint)),
        f"the loss was {loss}, a function of its own (--loss or --step FILE.py:FUNCTION)": loss
        and loss not in LOSSES,
        f"so were the metrics {', '.join(functions)} (--metrics FILE.py:FUNCTION)": functions,
        "it was measured with --trust: pass that only for files that you made": origin.get(
            "trusted"
        ),
    }
    return [note for note, holds in notes.items() if holds] if checkpoint else []


def changed_settings(result: Result) -> dict[str, Any]:
    """The settings of a result that are not at their defaults, by name."""
    defaults = known_analyses()[result.analysis].settings()
    names = [field.name for field in fields(defaults) if field.metadata.get("stored", True)]
    values = {name: getattr(result.settings, name) for name in names}
    return {name: value for name, value in values.items() if value != getattr(defaults, name)}


def _model_and_data(origin: Mapping[str, Any], checkpoint: str) -> list[str]:
    """The flags of model and data; a run remembers what is no user's function."""
    words: list[str] = []
    is_run = bool(origin.get("training"))
    model = str(origin.get("model") or "")
    if not is_function(Path(checkpoint)) and (not is_run or is_user_function(model)) and model:
        words += ["--model", model]
        if sizes := _mapping(origin.get("model_args")):
            words += ["--model-args", *model_words(sizes)]
    if origin.get("weights_key_given"):
        words += ["--weights-key", str(origin["weights_key_given"])]
    remembered = _mapping(origin.get("training_data")) if is_run else {}
    data, folder = origin.get("data") or "", origin.get("data_dir") or ""
    if data != remembered.get("data") or is_user_function(str(data)):
        words += flag_words(DataSettings, {"data": data or None, "data_dir": folder or None})
    elif folder != remembered.get("data_dir", ""):
        words += flag_words(DataSettings, {"data_dir": folder})
    return words


def _measurement(result: Result, own_split: str) -> list[str]:
    """The flags of sample, loss and arithmetic that are not at their defaults."""
    made = result.provenance
    origin = made.origin
    splits = [str(origin.get("split") or ""), *_mapping(origin.get("others"))]
    split = ",".join(filter(None, splits))
    count = made.num_samples
    available = origin.get("samples_available")
    available = available if isinstance(available, int) and available > 0 else count
    precision = _WEIGHT_TYPES.get(made.precision) or origin.get("evaluation")
    values = {
        "split": split if split != (own_split or _DEFAULTS.split) else None,
        "samples": None
        if count == min(_DEFAULTS.samples, available)
        else count % max(available, 1),
        "loss": _known(origin.get("loss"), LOSSES[1:]),
        "metrics": tuple(name for name in _metrics(origin) if name in METRICS) or None,
        "precision": _known(precision, PRECISIONS),
        "seed": origin.get("seed") or getattr(result.settings, "seed", 0) or None,
    }
    return flag_words(MeasurementSettings, values)


def _known(word: Any, known: Sequence[str]) -> str | None:
    """The word if a flag takes it."""
    return word if word in known else None


def _metrics(origin: Mapping[str, Any]) -> list[str]:
    """The names of further metrics."""
    names = origin.get("metrics")
    return list(map(str, names)) if isinstance(names, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping: a file may hold anything in its place."""
    return value if isinstance(value, Mapping) else {}

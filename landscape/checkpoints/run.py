"""Run directories: what ``landscape-train`` writes and ``landscape-plot`` reads.

checkpoints/RUN/
  config.json      every setting, the model and data in full, versions, git commit
  metrics.csv      one row an epoch
  last.pt          weights and optimizer state after the last finished epoch, or within one
  best.pt          weights at the best validation accuracy
  ema.pt           with --ema: the moving average of the weights
  evaluation.json  with --eval: accuracies on other sets
  epochs/          with --save-every: 0000.pt, the initial weights, 0010.pt, ...

A run to hand on has model.safetensors, the weights alone, in place of all .pt files.
"""

import csv
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import torch

from landscape.checkpoints.foreign.shards import weights_in
from landscape.checkpoints.foreign.torch_file import read_torch_file
from landscape.errors import InputError, SaveError
from landscape.models.pretrained_folder import is_pretrained_folder
from landscape.results.files import make_directory, replacing, sweep

CONFIG, METRICS, LAST, BEST = "config.json", "metrics.csv", "last.pt", "best.pt"
EMA, EVALUATION = "ema.pt", "evaluation.json"
RELEASED_WEIGHTS = "model.safetensors"
EPOCHS = "epochs"
_EPOCH_FILE = re.compile(r"([0-9]{4,})\.pt")

METRIC_COLUMNS = (
    "epoch",
    "train_loss",
    "train_error",
    "val_loss",
    "val_accuracy",
    "lr",
    "grad_norm",
    "seconds",
    "rho",
    "surrogate_gap",
    "images_per_second",
)


def run_of(path: Path) -> "RunDirectory | None":
    """The run that ``path`` is, or that the checkpoint file ``path`` belongs to; else None.

    A folder is a run unless it is known to be another program's.
    """
    if path.is_dir():
        if (path / LAST).is_file() or is_released(path):
            return RunDirectory(path)
        is_foreign = is_pretrained_folder(path) or weights_in(path) is not None
        return None if is_foreign else RunDirectory(path)
    folder = path.parent
    if path.name == RELEASED_WEIGHTS:
        return RunDirectory(folder) if is_released(folder) else None
    belongs_to_run = path.name in (LAST, BEST, EMA)
    if _EPOCH_FILE.fullmatch(path.name):
        folder = path.absolute().parent  # the path may be relative to epochs/
        belongs_to_run, folder = folder.name == EPOCHS, folder.parent
    run = RunDirectory(folder)
    return run if belongs_to_run and run.exists() else None


def is_released(folder: Path) -> bool:
    """Whether a folder is a run to hand on: a run's config.json beside model.safetensors."""
    if not (folder / RELEASED_WEIGHTS).is_file() or (folder / LAST).is_file():
        return False
    try:
        RunDirectory(folder).read_config()
    except InputError:  # the config.json of a model of Hugging Face, or none
        return False
    return True


def weights_file(folder: Path) -> Path | None:
    """The weights of the last epoch in a run directory; None where it holds none."""
    if (folder / LAST).is_file():
        return folder / LAST
    return folder / RELEASED_WEIGHTS if is_released(folder) else None


def epochs_unit(config: Mapping[str, Any]) -> str:
    """What the epochs of a run are counted in: ``step`` where a Tracker counted steps."""
    tracker = config.get("tracker")
    return "step" if isinstance(tracker, Mapping) and tracker.get("unit") == "step" else "epoch"


@dataclass(frozen=True)
class RunDirectory:
    """The files of a run. Every write replaces a file as a whole, or leaves the old one.

    Writing raises SaveError if there is no room.
    """

    path: Path

    def exists(self) -> bool:
        """Whether the folder holds a run."""
        return (self.path / CONFIG).is_file()

    def sweep(self) -> None:
        """Remove what killed writes left behind. Call only from the sole writer of the run."""
        for name in (CONFIG, METRICS, LAST, BEST, EMA):
            sweep(self.path / name)
        for leftover in (self.path / EPOCHS).glob(".[0-9]*.pt.*"):
            leftover.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove all that a training wrote except config.json, so that another can start."""
        self.sweep()
        # last.pt is first: without it, a resumed run writes all other files again.
        for name in (LAST, BEST, EMA, METRICS, EVALUATION):
            (self.path / name).unlink(missing_ok=True)
        for _, file in self.epochs():
            file.unlink()
        folder = self.path / EPOCHS
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

    def read_config(self) -> dict[str, Any]:
        """The content of config.json.

        Raises:
            InputError: It is missing or damaged.
        """
        file = self.path / CONFIG
        if not self.exists():  # or it is a pipe, which reading would wait for
            raise InputError(
                f"{self.path} is not a run directory: it has no {CONFIG}{self._hint()}"
            )
        try:
            config = json.loads(file.read_text())
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{file} is damaged: {error}") from error
        sections = ("model", "data")
        if not isinstance(config, dict) or not all(
            isinstance(config.get(section), dict) for section in sections
        ):
            raise InputError(f"{file} has no model and data entries; was it written by this tool?")
        if not isinstance(config["model"].get("arguments"), dict) or "name" not in config["model"]:
            raise InputError(f"{file} does not name its model; expected name and arguments")
        return config

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write config.json."""
        with self._writing(self.path / CONFIG) as temporary:
            temporary.write_text(json.dumps(config, indent=2) + "\n")

    def write_evaluation(self, scores: Mapping[str, Any]) -> None:
        """Write evaluation.json."""
        with self._writing(self.path / EVALUATION) as temporary:
            temporary.write_text(json.dumps(scores, indent=2) + "\n")

    def read_metrics(self) -> list[dict[str, float]]:
        """The rows of metrics.csv, oldest first; empty without such a file."""
        file = self.path / METRICS
        if not file.is_file():
            return []
        with file.open(newline="") as lines:
            return [
                {key: float(value) for key, value in row.items()} for row in csv.DictReader(lines)
            ]

    def write_metrics(self, rows: list[dict[str, float]]) -> None:
        """Write metrics.csv."""
        columns = list(rows[0]) if rows else METRIC_COLUMNS
        target = self.path / METRICS
        with self._writing(target) as temporary, temporary.open("w", newline="") as lines:
            writer = csv.DictWriter(lines, columns)
            writer.writeheader()
            writer.writerows({**row, "epoch": int(row["epoch"])} for row in rows)

    def save(self, name: str, state: Mapping[str, Any]) -> None:
        """Write one of the ``.pt`` files.

        Raises:
            SaveError: There is no room; the old file is intact.
        """
        with self._writing(self.path / name) as temporary:
            _save(dict(state), temporary)

    def load(self, name: str) -> dict[str, Any]:
        """The content of one of the ``.pt`` files.

        Raises:
            InputError: It is missing or damaged.
        """
        content = read_torch_file(self.path / name)
        if not isinstance(content, dict):
            raise InputError(f"{self.path / name} was not written by landscape-train")
        return content

    def epochs(self) -> list[tuple[int, Path]]:
        """The kept epochs, in order, with their files; epoch 0 is the initial network."""
        files = (self.path / EPOCHS).glob("*.pt")
        matches = ((_EPOCH_FILE.fullmatch(file.name), file) for file in files)
        return sorted((int(match[1]), file) for match, file in matches if match)

    def save_epoch(self, epoch: int, state: Mapping[str, Any]) -> None:
        """Keep the weights of an epoch; the same weights give the same bytes.

        Args:
            epoch: The number of finished epochs.
            state: The model's state dict. The file holds it under ``model``, beside ``epoch``.
        """
        target = make_directory(self.path / EPOCHS) / f"{epoch:04d}.pt"
        with self._writing(target) as temporary:
            _save({"epoch": epoch, "model": state}, temporary)

    def _hint(self) -> str:
        """Which checkpoint of another tool may be meant, where there are some in the folder."""
        patterns = (
            "checkpoint-*",
            "*.ckpt",
            "checkpoints/*.ckpt",
            "*.pth*",
            "*.pt",
            "*.safetensors",
        )
        inside = [path for pattern in patterns for path in sorted(self.path.glob(pattern))]
        return f"; name a checkpoint in it, such as {inside[-1]}" if inside else ""

    @contextmanager
    def _writing(self, path: Path) -> Iterator[Path]:
        try:
            with replacing(path) as temporary:
                yield temporary
        except OSError as error:
            kept = "the one that was there is intact; " if path.exists() else ""
            raise SaveError(
                f"{path} can't be written: {error.strerror or error}; {kept}make room, then "
                f"continue with --resume --output-dir {self.path}"
            ) from error


class _ErrorKeeper:
    """A file that remembers why a write failed, which torch.save does not tell."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()


def _save(state: Mapping[str, Any], path: Path) -> None:
    """Save as torch.save does, but raise OSError with its cause if there is no room.

    Given a path, torch would write its name, which is random here, into the file.
    """
    with path.open("wb") as file:
        keeper = _ErrorKeeper(file)
        try:
            torch.save(state, cast(IO[bytes], keeper))
        except RuntimeError as error:
            raise (keeper.error or error) from error

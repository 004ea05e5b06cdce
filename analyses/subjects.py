"""The checkpoints named on the command line, each as an objective."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from landscape.checkpoints.load import Checkpoint, load_checkpoint
from landscape.checkpoints.run import LAST, run_of
from landscape.data.catalog import DataSettings, canonical_split, data_facts, load_data
from landscape.data.samples import Samples, check_targets, choose, count_classes
from landscape.devices import PRECISIONS
from landscape.errors import InputError
from landscape.losses import LOSSES, METRICS, resolve_loss, resolve_metric
from landscape.models.catalog import native_image_size
from landscape.models.probe import count_outputs
from landscape.objective import Objective
from landscape.options import from_plain, given_options, option
from landscape.progress import message


def _comma_list(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)


@dataclass(frozen=True)
class SubjectSettings:
    """What every analysis is told about model, sample and arithmetic."""

    split: str = option(
        "train",
        "which data: train, or test (also called val); with a comma further ones, which surfaces "
        "and lines evaluate too",
        metavar="SPLIT,...",
    )
    samples: int = option(2048, "samples, drawn once with --seed; 0 is all", metavar="N")
    batch_size: int = option(
        0,
        "samples that go through the model at once; 0: as many as suit it",
        short="-b",
        metavar="N",
    )
    loss: str = option(
        "auto",
        f"auto (cross-entropy for class numbers, else squared error), {', '.join(LOSSES)}, or "
        "FILE.py:FUNCTION of (outputs, targets)",
        metavar="NAME",
    )
    metrics: tuple[str, ...] = option(
        (),
        f"further numbers for surfaces and lines: {', '.join(METRICS)}, or FILE.py:FUNCTION",
        parse=_comma_list,
        metavar="NAME,...",
    )
    device: str = option("auto", "auto, cpu, cuda or cuda:N")
    precision: str = option(
        "fp32",
        "arithmetic of the model; for surfaces and lines also tf32 (CUDA), bf16, or auto: the "
        "fastest within 1e-3 of fp32",
        choices=tuple(PRECISIONS),
    )
    compile: str = option(
        "auto",
        "torch.compile for surfaces and lines; auto: where it turns out faster",
        choices=("auto", "on", "off"),
    )
    seed: int = option(0, "seed of the sample, of directions and of probes", metavar="N")


@dataclass(frozen=True)
class Subject:
    """A checkpoint under the label it is drawn with."""

    label: str
    path: Path


def parse_subjects(
    words: Sequence[str], label_of: Callable[[Path], str] | None = None
) -> list[Subject]:
    """Read CHECKPOINT or LABEL=CHECKPOINT words; ``label_of`` names those without a label.

    Labels are folder names; that they are unique says :func:`check_labels`.
    """
    subjects = []
    for word in words:
        label, separator, path = word.partition("=")
        if not separator or Path(word).exists():
            label, path = "", word
        subjects.append(Subject(label or (label_of or default_label)(Path(path)), Path(path)))
    for subject in subjects:
        if not subject.label or "/" in subject.label or subject.label.startswith("."):
            raise InputError(
                f"{subject.label!r} can't be a label, which is also a folder's name; "
                "give another as LABEL=CHECKPOINT"
            )
    return subjects


def check_labels(subjects: Sequence[Subject]) -> None:
    """Raise InputError if two have one label."""
    labels = [subject.label for subject in subjects]
    for label in labels:
        if labels.count(label) > 1:
            raise InputError(
                f"two checkpoints are labelled {label!r}; tell them apart as LABEL=CHECKPOINT"
            )


class ObjectiveMaker:
    """Makes each subject's objective; data that several subjects share are read once."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.settings = SubjectSettings(**given_options(arguments, SubjectSettings))
        # Each once, the first one first.
        self.splits = list(dict.fromkeys(map(canonical_split, self.settings.split.split(","))))
        self.split = self.splits[0]
        self._data: dict[tuple[DataSettings, str], Samples] = {}

    def make(self, subject: Subject, split: str = "", *, verify: bool = True) -> Objective:
        """Load checkpoint and data and check that they fit each other.

        ``split`` is that of the command line unless it is given. ``verify`` also checks that the
        loss is a repeatable mean, which takes forward passes.
        """
        settings, arguments = self.settings, self.arguments
        split = split or self.split
        data = self._data_settings(subject)
        samples = self._samples(data, split)
        checkpoint = load_checkpoint(
            subject.path,
            arguments.model,
            dict(arguments.model_args),
            facts=data_facts(samples),
            trust=arguments.trust,
        )
        chosen = choose(samples, settings.samples, settings.seed)
        inputs, targets = samples.fetch(chosen), samples.targets[chosen]
        num_outputs = count_outputs(checkpoint.model, inputs[:1])
        if num_outputs is not None and count_classes(samples) is not None:
            check_targets(samples, num_outputs, f"the {split} data")
        if verify and len(chosen) < len(samples):
            message(f"{subject.label}: {len(chosen):,} of {len(samples):,} {split} samples")
        loss = resolve_loss(settings.loss, targets)
        return Objective(
            checkpoint.model,
            (inputs, targets),
            loss,
            batch_size=settings.batch_size,
            device=settings.device,
            dtype=PRECISIONS[settings.precision],
            others={
                other: self._chosen(data, other) for other in self.splits[1:] if other != split
            },
            metrics=dict(map(resolve_metric, settings.metrics)),
            precision=settings.precision,
            compile=settings.compile,
            source=samples.take(chosen),
            verify=verify,
            origin={
                "label": subject.label,
                **_origin(checkpoint),
                **_training(checkpoint),
                "data": data.data,
                "data_dir": data.data_dir or None,
                "split": split,
                "samples_available": len(samples),
                "seed": settings.seed,
                "trusted": bool(arguments.trust),
                "loss": loss.__name__,
            },
        )

    def _data_settings(self, subject: Subject) -> DataSettings:
        """The run's own data, overridden by what the flags say."""
        if not subject.path.exists():
            raise InputError(f"no such checkpoint: {subject.path}")
        given = given_options(self.arguments, DataSettings)
        run = run_of(subject.path)
        if "data" in given or run is None:
            if not given.get("data"):
                raise InputError(
                    f"{subject.path} does not remember its data (it is no run directory): say "
                    "which with --data digits, imagefolder or FILE.py:FUNCTION"
                )
            data = DataSettings(**given)
            if data.data == "imagefolder" and not data.image_size:
                data = replace(data, image_size=native_image_size(self.arguments.model))
            return data
        return replace(from_plain(DataSettings, run.read_config()["data"]), **given)

    def _samples(self, data: DataSettings, split: str) -> Samples:
        if (data, split) not in self._data:
            self._data[data, split] = load_data(data, split, resident=False)
        return self._data[data, split]

    def _chosen(self, data: DataSettings, split: str) -> tuple[Tensor, Tensor]:
        samples = self._samples(data, split)
        chosen = choose(samples, self.settings.samples, self.settings.seed)
        return samples.fetch(chosen), samples.targets[chosen]


def _origin(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "checkpoint": str(checkpoint.path),
        "checkpoint_sha256": checkpoint.sha256,
        "weights_key": checkpoint.weights_key,
        "model": checkpoint.spec.name,
        "model_args": {key: _plain(value) for key, value in checkpoint.spec.arguments.items()},
    }


def _training(checkpoint: Checkpoint) -> dict[str, Any]:
    """How a run was trained and what it reached, if the checkpoint is the end of one."""
    if checkpoint.config is None:
        return {}
    facts: dict[str, Any] = {}
    settings = checkpoint.config.get("training", {})
    names = ("opt", "rho", "epochs", "seed", "momentum")
    training = {name: settings.get(name) for name in names}
    run, file = run_of(checkpoint.path), checkpoint.path
    rows = run.read_metrics() if run is not None else []
    if rows and file.name == LAST:
        facts["validation_accuracy"] = rows[-1]["val_accuracy"]
        training["lr"] = rows[-1]["lr"]
    if file.stem.isdecimal():
        training["lr"] = {int(row["epoch"]): row["lr"] for row in rows}.get(int(file.stem))
    facts["training"] = training
    return facts


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def default_label(path: Path) -> str:
    """A run's folder name, also for a checkpoint file in it, with the epoch for one of epochs/.

    Else the file's name.
    """
    run = run_of(path)
    if run is None:
        return path.stem
    name = run.path.resolve().name
    return f"{name}-{path.stem}" if path.stem.isdecimal() and not path.is_dir() else name

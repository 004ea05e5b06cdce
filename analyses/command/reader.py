"""Reading the given checkpoints and their data: each once, whatever is measured on it."""

import argparse
import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from analyses.command.checkpoints import GivenCheckpoint
from analyses.command.origin import command_settings, model_facts, training_facts
from analyses.command.settings import MeasurementSettings
from landscape.checkpoints.load import Checkpoint, load_checkpoint
from landscape.checkpoints.preprocessing import check_class_order, with_model_defaults
from landscape.checkpoints.remembered import (
    is_of_run,
    names_the_same,
    remembered_data,
    remembered_model,
)
from landscape.checkpoints.run import (
    CONFIG,
    run_of,
)
from landscape.checkpoints.trained_models import is_function
from landscape.command_line.saved import COMMAND
from landscape.data.catalog import data_facts, load_data
from landscape.data.samples import Samples, check_targets, choose, count_classes
from landscape.data.settings import DataSettings, canonical_split
from landscape.data.sources.user_data import BatchedSamples, BatchForm
from landscape.errors import InputError
from landscape.models.probe import count_outputs
from landscape.objective.criterion import Step
from landscape.objective.losses import LossFunction, metric_name, resolve_loss, resolve_metrics
from landscape.objective.objective import Objective
from landscape.parameters.finite import check_finite
from landscape.runtime.cost import need_memory
from landscape.runtime.devices import PRECISIONS
from landscape.runtime.options import given_options
from landscape.runtime.user_files import is_user_function, load_user_function
from landscape.runtime.user_sources import hash_user_files

LOGGER = logging.getLogger(__name__)

FLOAT_BYTES = 4

DataKey = tuple[DataSettings, str]


class CheckpointReader:
    """Makes objectives of the given checkpoints.

    A checkpoint that was read is kept until :meth:`release`; the samples, which checkpoints of
    the same data share, are read once.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self.settings = MeasurementSettings(**given_options(arguments, MeasurementSettings))
        # Each once, the first one first.
        self.splits = list(dict.fromkeys(map(canonical_split, self.settings.split.split(","))))
        self.split = self.splits[0]
        self.is_split_given = "split" in vars(arguments)
        self._samples: dict[DataKey, Samples] = {}
        self._chosen: dict[DataKey, Any] = {}
        self._checkpoints: dict[GivenCheckpoint, Checkpoint] = {}
        self._data: dict[GivenCheckpoint, DataSettings] = {}

    def check_words(self, given: Sequence[GivenCheckpoint]) -> None:
        """Check what the command line alone can be wrong about, before anything is read.

        Raises:
            InputError: if one of the checkpoints is not there, or the data of one are not known.
        """
        flags = given_options(self._arguments, DataSettings)
        for checkpoint in given:
            check_exists(checkpoint)
            is_told = "data" in flags or run_of(checkpoint.path) is None
            if is_told and not flags.get("data"):
                raise InputError(
                    f"{checkpoint.path} does not remember its data (it is no run directory): say "
                    "which with --data digits, imagefolder or FILE.py:FUNCTION"
                )

    def check(self, given: GivenCheckpoint, split: str = "") -> str:
        """Read a checkpoint and its data; returns its architecture.

        Raises:
            InputError: if they can't be read or do not fit each other, or weights are not finite.
        """
        split = split or self.split
        data = self._data_settings(given)
        samples = self._read_samples(data, split)
        checkpoint = self._read_checkpoint(given, samples)
        check_finite(checkpoint.model)
        if not isinstance(samples, BatchedSamples) and not self.settings.step:
            inputs, _ = self._choose(data, split)
            num_outputs = count_outputs(checkpoint.model, inputs[:1])
            if num_outputs is not None and count_classes(samples) is not None:
                check_targets(samples, num_outputs, f"the {split} data")
            check_class_order(checkpoint.model, samples, given.path)
        return checkpoint.architecture

    def check_names(self, given: GivenCheckpoint) -> None:
        """Raise InputError if a run names what may run code and the user has not allowed it."""
        run = run_of(given.path)
        if run is None or not run.exists():
            return
        config, file = run.read_config(), run.path / CONFIG
        model, trust = self._arguments.model, self._arguments.trust
        if model is None or names_the_same(model, config["model"]["name"]):
            remembered_model(config, file, model, dict(self._arguments.model_args), trust=trust)
        flags = given_options(self._arguments, DataSettings)
        if is_of_run(flags, config):
            remembered_data(config, file, flags, trust=trust)

    def objective(self, given: GivenCheckpoint, split: str = "") -> Objective:
        """The loss of a checkpoint on a split, which is that of the command line by default.

        Raises:
            InputError: if checkpoint and data don't fit, or the loss can't be measured.
        """
        split = split or self.split
        self.check(given, split)
        settings, checkpoint = self.settings, self._checkpoints[given]
        data = self._data_settings(given)
        samples = self._read_samples(data, split)
        chosen = choose(samples, settings.samples_of(split), settings.seed)
        if len(chosen) < len(samples):
            LOGGER.info(f"{given.label}: {len(chosen):,} of {len(samples):,} {split} samples")
        loss, step = self._loss_and_step()
        source = samples.take(chosen)
        others = [other for other in self.splits[1:] if other != split]
        measured = replace(settings, split=",".join([split, *others]))
        return Objective(
            checkpoint.model,
            self._choose(data, split),
            loss,
            step=step,
            batching=settings.batching,
            batch_size=settings.batch_size,
            device=settings.device,
            dtype=PRECISIONS[settings.precision],
            extra_splits={other: self._choose(data, other) for other in others},
            metrics=resolve_metrics(settings.metrics),
            precision=settings.precision,
            compile=settings.compile,
            source=None if isinstance(source, BatchedSamples) else source,
            origin={
                "label": given.label,
                **model_facts(checkpoint),
                **training_facts(checkpoint),
                "data": data.data,
                "data_dir": data.data_dir or None,
                "split": split,
                "samples_available": len(samples),
                "seed": settings.seed,
                "trusted": bool(self._arguments.trust),
                "weights_key_given": self._arguments.weights_key,
                "code": self._code(checkpoint, data, samples),
                COMMAND: command_settings(self._arguments, data, measured, checkpoint),
            },
        )

    def release(self, given: GivenCheckpoint) -> None:
        """Let go of a checkpoint that is not needed any more."""
        self._checkpoints.pop(given, None)

    def _data_settings(self, given: GivenCheckpoint) -> DataSettings:
        """The run's own data, overridden by what the flags say."""
        flags = given_options(self._arguments, DataSettings)
        run = run_of(given.path)
        if run is not None and ("data" not in flags or run.exists()):
            config = run.read_config()
            if is_of_run(flags, config):
                trust = self._arguments.trust
                return remembered_data(config, run.path / CONFIG, flags, trust=trust)
        self.check_words([given])
        if given not in self._data:
            self._data[given] = with_model_defaults(
                DataSettings(**flags),
                flags,
                given.path,
                self._arguments.model,
                dict(self._arguments.model_args),
                trust=self._arguments.trust,
            )
        return self._data[given]

    def _read_checkpoint(self, given: GivenCheckpoint, samples: Samples) -> Checkpoint:
        if given not in self._checkpoints:
            self._checkpoints[given] = load_checkpoint(
                given.path,
                self._arguments.model,
                dict(self._arguments.model_args),
                facts=data_facts(samples),
                trust=self._arguments.trust,
                weights_key=self._arguments.weights_key,
            )
        return self._checkpoints[given]

    def _read_samples(self, data: DataSettings, split: str) -> Samples:
        if (data, split) not in self._samples:
            stops = "samples" in given_options(self._arguments, MeasurementSettings)
            self._samples[data, split] = load_data(
                data,
                split,
                resident=False,
                form=BatchForm(
                    is_step=bool(self.settings.step),
                    is_whole=self.settings.batching == "whole",
                    most_samples=self.settings.samples_of(split) if stops else 0,
                ),
            )
        return self._samples[data, split]

    def _choose(self, data: DataSettings, split: str) -> Any:
        """The samples that are drawn of a split: inputs and targets, or batches of another kind."""
        if (data, split) not in self._chosen:
            samples = self._read_samples(data, split)
            chosen = choose(samples, self.settings.samples_of(split), self.settings.seed)
            if isinstance(samples, BatchedSamples):
                self._chosen[data, split] = samples.take(chosen).as_data()
            else:
                need_memory(
                    FLOAT_BYTES * len(chosen) * math.prod(samples.input_shape),
                    f"{len(chosen):,} {split} samples of shape {samples.input_shape}",
                    "lower --samples or --image-size",
                )
                self._chosen[data, split] = samples.fetch(chosen), samples.targets[chosen]
        return self._chosen[data, split]

    def _code(
        self, checkpoint: Checkpoint, data: DataSettings, samples: Samples
    ) -> dict[str, dict[str, str]]:
        """The content of the user's own files, by what they are given as.

        Data whose tensors alone are measured are known by the hash of the sample.
        """
        settings = self.settings
        names = {
            "loss": settings.loss,
            "step": settings.step,
            "model": checkpoint.spec.name,
            "data": data.data if isinstance(samples, BatchedSamples) else "",
            **{f"metric {metric_name(name)}": name for name in settings.metrics},
        }
        return {role: hash_user_files(n) for role, n in names.items() if is_user_function(n)}

    def _loss_and_step(self) -> tuple[LossFunction | None, Step | None]:
        """The loss or step that the flags name; neither where the data decide."""
        settings = self.settings
        if settings.step:
            if settings.loss != "auto":
                raise InputError("pass either --loss or --step, not both")
            if not is_user_function(settings.step):
                raise InputError(f"--step has to be FILE.py:FUNCTION, got {settings.step!r}")
            return None, load_user_function(settings.step)
        return (None if settings.loss == "auto" else resolve_loss(settings.loss)), None


def check_exists(given: GivenCheckpoint) -> None:
    """Raise InputError if there is no such file, folder or function."""
    if not given.path.exists() and not is_function(given.path):
        raise InputError(f"no such checkpoint: {given.path}")

"""A tracker: curvature and weights at some steps of anybody's training, as a run directory."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from landscape.checkpoints.run import CONFIG, LAST, METRIC_COLUMNS, METRICS, RunDirectory
from landscape.data.settings import DataSettings
from landscape.errors import InputError, LandscapeError
from landscape.objective.objective import Objective
from landscape.results.lock import hold_lock
from landscape.results.provenance import versions
from landscape.results.result import plain
from landscape.runtime.devices import is_out_of_memory
from landscape.runtime.isolation import isolated
from landscape.runtime.metric_log import MetricLog
from landscape.tracking.measured_model import copied_state, is_first_rank, submodule
from landscape.tracking.measurement import QUANTITIES, Measurement
from landscape.tracking.training_facts import learning_rate, training_facts

LOGGER = logging.getLogger(__name__)

UNITS = ("step", "epoch")
# Of metrics.csv; the tracker adds the columns of what it measures.
COLUMNS = tuple(name for name in METRIC_COLUMNS if name not in ("rho", "images_per_second"))


class Tracker:
    """Records curvature and weights during a training, which stays the same to the bit.

    It measures a copy of the model, in evaluation mode, on a fixed sample, and gives all global
    random generators their state back. What it writes is a run directory as landscape-train's, so
    that ``landscape-plot sharpness``, ``trajectory`` and ``curves`` read it: metrics.csv has a row
    for each measurement, and epochs/ the weights. A file is replaced as a whole, so that a killed
    training leaves the last one.

    A later measurement that fails is a row of nan and a warning in the log; what can't be written
    is a warning, too. The training goes on. No other process can write to the folder meanwhile.

    Args:
        folder: The run directory.
        data: The sample, in any form that :class:`landscape.Objective` takes. It is read once, at
            the first measurement.
        loss: Maps (outputs, targets) to the mean loss, as for the Objective; or give ``step``.
        every: Measure at every Nth step, or epoch.
        unit: What ``every`` counts in the callbacks, ``step`` or ``epoch``; the number of a
            measurement is counted in it, and is called epoch in the files.
        module: The path of the submodule that is measured; by default the whole model.
        split: Which curve the loss on the sample is: that of ``train`` or of ``val``.
        quantities: What is measured, of ``lambda_1``, ``trace``, ``grad_norm``, ``surrogate_gap``.
        rho: The radius of SAM's gap L(w + rho g / ||g||) - L(w).
        probes: The number of random vectors of the estimate of the trace.
        seed: Determines the random vectors.
        keep_weights: Whether the weights are kept, which sharpness and trajectory need.
        model: What landscape-plot makes the model with: FILE.py:FUNCTION, or a name as after
            ``--model``; without it the flag is needed.
        model_args: The arguments of ``model``.
        dataset: What landscape-plot reads the data with, as after ``--data``; likewise.
        resume: Continue the record in ``folder``.
        log: Gets every row, too: a logger with ``log_dict(metrics, step)`` or a function of both
            (:class:`landscape.runtime.metric_log.MetricLog`).
        objective: Further arguments of the Objective, such as ``step``, ``samples`` or ``dtype``.

    Attributes:
        rows: The rows of metrics.csv.
        steps: How often :meth:`step` was called; set it where a training is resumed elsewhere.

    Raises:
        InputError: An argument is wrong, or the folder holds a run.

    Example:
        >>> model = nn.Linear(4, 3)
        >>> sample = torch.randn(8, 4), torch.randint(3, (8,))
        >>> tracker = Tracker("tracked", sample, every=2, probes=2)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> for _ in range(4):
        ...     optimizer.step()
        ...     tracker.step(model, optimizer)
        >>> [row["epoch"] for row in tracker.rows]
        [2, 4]
    """

    def __init__(
        self,
        folder: str | Path,
        data: Any = None,
        loss: Callable[..., Any] | None = None,
        *,
        every: int = 1,
        unit: str = "step",
        module: str = "",
        split: str = "train",
        quantities: tuple[str, ...] = QUANTITIES,
        rho: float = 0.05,
        probes: int = 8,
        seed: int = 0,
        keep_weights: bool = True,
        model: str = "",
        model_args: Mapping[str, Any] | None = None,
        dataset: str = "",
        resume: bool = False,
        log: Any = None,
        **objective: Any,
    ) -> None:
        if every < 1:
            raise InputError(f"every has to be positive, got {every}")
        if unit not in UNITS:
            raise InputError(f"unknown unit {unit!r}; expected step or epoch")
        if split not in ("train", "val"):
            raise InputError(f"unknown split {split!r}; expected train or val")
        self.every, self.unit, self.steps = every, unit, 0
        self.rows: list[dict[str, float]] = []
        self._measurement = Measurement(tuple(quantities), rho, probes, seed)
        self._module, self._split, self._keeps = module, split, keep_weights
        unknown = sorted(set(objective) - set(signature(Objective).parameters))
        if unknown:
            raise InputError(f"neither Tracker nor Objective takes an argument {unknown[0]!r}")
        self._objective = objective if loss is None else {"loss": loss, **objective}
        self._data, self._log = data, MetricLog(log)
        self._run = RunDirectory(Path(folder))
        self._vector: Tensor | None = None
        self._is_verified = False
        self._ended = time.perf_counter()  # of the last measurement
        self._config: dict[str, Any] = {
            "model": {"name": model, "arguments": plain(dict(model_args or {}))},
            "data": plain(vars(DataSettings(data=dataset))),
            "training": {},
            "tracker": {"every": every, "unit": unit, "rho": rho, "probes": probes, "seed": seed},
            "versions": versions(),
        }
        self._is_open = False
        self._find_run(resume)

    def step(
        self, model: nn.Module, optimizer: torch.optim.Optimizer | None = None, **numbers: float
    ) -> None:
        """Count a step (or epoch) that was taken, and measure if it is the turn of it.

        Args:
            model: The model that is trained.
            optimizer: Its optimizer, whose learning rate is recorded.
            numbers: Other numbers of the step to record, such as ``val_accuracy``.
        """
        self.steps += 1
        self.at(self.steps, model, optimizer, **numbers)

    def hook(self, model: nn.Module) -> Callable[[torch.optim.Optimizer, Any, Any], None]:
        """What ``optimizer.register_step_post_hook`` takes: it calls :meth:`step`."""

        def after_step(optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
            self.step(model, optimizer)

        return after_step

    def at(
        self,
        number: int,
        model: nn.Module,
        optimizer: torch.optim.Optimizer | None = None,
        **numbers: float,
    ) -> None:
        """Measure after step (or epoch) ``number``, if ``every`` divides it; 0 is the start."""
        if number % self.every == 0:
            self.measure(number, model, optimizer, **numbers)

    def lightning_callback(self) -> Any:
        """A ``lightning.Callback`` that measures at the start and at every Nth step or epoch."""
        from landscape.tracking.lightning import make_callback

        return make_callback(self)

    def transformers_callback(self) -> Any:
        """A ``transformers.TrainerCallback`` that does the same."""
        from landscape.tracking.transformers import make_callback

        return make_callback(self)

    def measure(
        self,
        number: int,
        model: nn.Module,
        optimizer: torch.optim.Optimizer | None = None,
        **numbers: float,
    ) -> dict[str, float]:
        """Measure now.

        Args:
            number: The number of finished steps, or epochs.
            model: The model that is trained.
            optimizer: Its optimizer, whose learning rate is recorded.
            numbers: Other numbers to record.

        Returns:
            The row of metrics.csv; nothing in processes of a group other than the first, which
            measures for all.

        Raises:
            InputError: The first measurement is not possible.
        """
        if not is_first_rank():
            return {}
        started = time.perf_counter()
        values = dict.fromkeys((*COLUMNS, *self._measurement.columns), math.nan)
        values |= {"epoch": number, "seconds": started - self._ended}
        values |= {"lr": learning_rate(optimizer), **{k: float(v) for k, v in numbers.items()}}
        state: dict[str, Tensor] = {}
        try:
            with isolated(), torch.no_grad():
                objective = self._make_objective(model)
                values |= self._numbers(objective)
                state = copied_state(model, self._module) if self._keeps else {}
            self._config["num_parameters"] = objective.num_parameters
            self._is_verified = True
        except (LandscapeError, RuntimeError) as error:
            is_expected = not isinstance(error, RuntimeError) or is_out_of_memory(error)
            if not (is_expected and self._is_verified):
                raise
            LOGGER.warning(f"{self._run.path}: {self.unit} {number} is not measured: {error}")
        values["measuring_seconds"] = time.perf_counter() - started
        try:
            self._write(values, state, training_facts(optimizer))
        except (LandscapeError, OSError) as error:
            if len(self.rows) < 2:
                raise
            LOGGER.warning(f"{self.unit} {number} is not recorded: {error}")
        self._log.write(values)
        self._ended = time.perf_counter()
        return values

    def _make_objective(self, model: nn.Module) -> Objective:
        """The loss of the present weights on the sample, which is read and verified at first."""
        module = submodule(model, self._module)
        first = next(module.parameters())
        dtype = torch.float64 if first.dtype == torch.float64 else torch.float32
        arguments = {"device": first.device, "dtype": dtype, **self._objective}
        if self._is_verified:
            return Objective(module, self._data, **{**arguments, "verify": False, "samples": 0})
        objective = Objective(module, self._data, **arguments)
        sample = objective.sample_hash()
        if self._config["tracker"].setdefault("sample_sha256", sample) != sample:
            raise InputError(
                f"the sample is not that of {self._run.path}; pass data in the same order each time"
            )
        if self._data is not None:
            self._data = [batch.as_given for batch in objective.batches]
        return objective

    def _numbers(self, objective: Objective) -> dict[str, float]:
        evaluation = objective.evaluate()
        values, self._vector = self._measurement.measure(objective, evaluation.loss, self._vector)
        if self._split == "val":
            return values | {"val_loss": evaluation.loss, "val_accuracy": evaluation.accuracy}
        return values | {"train_loss": evaluation.loss, "train_error": 100.0 - evaluation.accuracy}

    def _find_run(self, resume: bool) -> None:
        """Read the record that is resumed; InputError if there is one that is not to be."""
        present = [name for name in (CONFIG, METRICS, LAST) if (self._run.path / name).exists()]
        if present and not resume:
            raise InputError(
                f"{self._run.path} already holds a run ({', '.join(present)}); continue it with "
                "resume=True, or choose another folder"
            )
        if present:
            record = self._run.read_config().get("tracker")
            if not isinstance(record, dict):
                raise InputError(f"{self._run.path} is not the record of a Tracker")
            if "sample_sha256" in record:
                self._config["tracker"]["sample_sha256"] = record["sample_sha256"]
            self.rows = self._run.read_metrics()
            self.steps = int(self.rows[-1]["epoch"]) if self.rows else 0

    def _write(
        self, values: dict[str, float], state: Mapping[str, Tensor], training: dict[str, Any]
    ) -> None:
        """Write weights, then the row that says so; after a resumption, in place of later ones."""
        number = int(values["epoch"])
        training = training or self._config["training"]
        if not self._is_open:
            hold_lock(self, self._run.path)
            self._run.sweep()
        if not self._is_open or self._config["training"] != training:
            self._config["training"] = training
            self._run.write_config(self._config)
            self._is_open = True
        for later, file in self._run.epochs():
            if later > number:  # rows after it are dropped below
                file.unlink()
        self.rows = [row for row in self.rows if row["epoch"] < number] + [values]
        if state:
            self._run.save_epoch(number, state)
            self._run.save(LAST, {"model": state, "epoch": number})
        columns = dict.fromkeys((name for row in self.rows for name in row), math.nan)
        self._run.write_metrics([{**columns, **row} for row in self.rows])

"""Activation sparsity: the share of neurons that are active, layer by layer.

A neuron is active on an input if its value after the activation function is greater than 0 (the
paper's Figure 2, right). For GELU the sign of the output is that of the input. Also measured:
neurons above a threshold, neurons that are never active, and the rank of the features, which SAM is
known to lower (Andriushchenko et al., NeurIPS 2023).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analyses.run_context import RunContext
from analyses.sparsity.result import BINS, GROUPS, Sparsity
from analyses.sparsity.settings import Settings
from landscape.errors import NotMeasurableError
from landscape.estimates import Proportion
from landscape.hooks.activations import watch_activations
from landscape.measures.feature_rank import Moments, components_for, effective_rank, jackknife_error
from landscape.objective.objective import Objective
from landscape.runtime.progress import track

# The most tokens or pixels of a sample, and neurons of a layer, that enter the rank.
POSITIONS = 16
NEURONS = 1024


def measure(objective: Objective, settings: Settings, context: RunContext) -> Sparsity:
    """Measure every activation over the objective's sample, in two passes with thresholds.

    A neuron is the last dimension of an output, or dimension 1 of an output of four dimensions.

    Args:
        objective: the network and its sample.
        settings: the thresholds.
        context: not used.

    Returns:
        Active neurons and feature ranks by layer.

    Raises:
        NotMeasurableError: if the model has no activation that can be watched.
    """
    layers: dict[str, _Layer] = defaultdict(lambda: _Layer(settings.seed))
    task = f"sparsity of {objective.label or 'model'} (batches)"
    with watch_activations(objective.module, lambda name, output: layers[name].add(output)):
        for _ in track(
            objective.outputs(), task, total=len(objective.batches), less="lower --samples"
        ):
            pass
    if not layers:
        raise NotMeasurableError(
            f"{type(objective.module).__name__} has no activation function that can be watched: "
            "no module of torch.nn and no call of torch.nn.functional"
        )
    by_sample = [torch.cat(layer.active).cpu().numpy() for layer in layers.values()]
    active = [Proportion.of(fractions) for fractions in by_sample]
    shares = [layer.share for layer in layers.values()]
    return Sparsity(
        layers=tuple(layers),
        active=np.array([estimate.value for estimate in active]),
        stderr=np.array([estimate.stderr for estimate in active]),
        mean_stderr=_error_of_mean(by_sample),
        above=_above(objective, layers, settings.thresholds),
        neurons=np.array([len(share) for share in shares]),
        dead=np.array([float((share == 0).mean()) for share in shares]),
        histogram=np.array([np.histogram(share, BINS, (0.0, 1.0))[0] for share in shares]),
        rank=np.array([layer.jackknife(effective_rank) for layer in layers.values()]),
        components=np.array([layer.jackknife(components_for) for layer in layers.values()]),
    )


class _Layer:
    """The sums of one layer over the batches."""

    def __init__(self, seed: int) -> None:
        self.active: list[Tensor] = []  # each batch's active fraction by sample
        self._generator = torch.Generator().manual_seed(seed)
        self._moments = Moments(GROUPS)
        self._counts: Tensor | None = None
        self._rows, self._samples = 0, 0
        self._squares, self._size = 0.0, 0
        self._chosen: tuple[Tensor, Tensor] | None = None  # positions and neurons

    def add(self, output: Tensor) -> None:
        """Add the outputs of one batch."""
        values = _neurons_last(output)
        positive = values > 0
        self.active.append(positive.flatten(1).double().mean(1))
        counts = positive.sum((0, 1))
        self._counts = counts if self._counts is None else self._counts + counts
        self._rows += values.shape[0] * values.shape[1]
        self._squares += float(values.double().square().sum())
        self._size += values.numel()
        if self._chosen is None:
            self._chosen = (
                self._draw(values.shape[1], POSITIONS),
                self._draw(values.shape[2], NEURONS),
            )
        positions, neurons = (indices.to(values.device) for indices in self._chosen)
        kept = values[:, positions][:, :, neurons]
        group = (torch.arange(len(kept)) + self._samples) % GROUPS
        for k in group.unique().tolist():
            self._moments.add(k, kept[(group == k).to(kept.device)].flatten(0, 1))
        self._samples += len(values)

    @property
    def share(self) -> NDArray[np.float64]:
        """Each neuron's share of inputs and positions on which it is active."""
        assert self._counts is not None
        return np.asarray(self._counts.double().cpu().numpy() / self._rows)

    @property
    def rms(self) -> float:
        """The root mean square of all values."""
        return math.sqrt(self._squares / self._size)

    def jackknife(self, statistic: Callable[[Tensor], float]) -> tuple[float, float]:
        """A statistic of the covariance, and its jackknife error over groups of samples."""
        replicates = [statistic(covariance) for covariance in self._moments.jackknife()]
        return statistic(self._moments.covariance()), jackknife_error(replicates)

    def _draw(self, count: int, most: int) -> Tensor:
        return torch.randperm(count, generator=self._generator)[:most].sort().values


def _above(
    objective: Objective, layers: Mapping[str, _Layer], thresholds: Sequence[float]
) -> NDArray[np.float64]:
    """The fraction of each layer above each threshold and its standard error, (T, L, 2)."""
    fractions: dict[tuple[float, str], list[Tensor]] = defaultdict(list)

    def count(name: str, output: Tensor) -> None:
        for threshold in thresholds:
            large = output.abs().reshape(len(output), -1) > threshold * layers[name].rms
            fractions[threshold, name].append(large.double().mean(1))

    if thresholds:
        with watch_activations(objective.module, count):
            for _ in objective.outputs():
                pass
    estimates = [
        Proportion.of(torch.cat(fractions[threshold, name]).cpu().numpy())
        for threshold in thresholds
        for name in layers
    ]
    table = [(estimate.value, estimate.stderr) for estimate in estimates]
    return np.array(table, dtype=np.float64).reshape(len(thresholds), len(layers), 2)


def _neurons_last(output: Tensor) -> Tensor:
    """An output as (samples, positions, neurons)."""
    if output.dim() == 4:
        return output.flatten(2).transpose(1, 2)
    return output.reshape(len(output), -1, output.shape[-1] if output.dim() > 1 else 1)


def _error_of_mean(by_sample: Sequence[NDArray[np.float64]]) -> float:
    """The standard error of the mean over layers, whose fractions are of the same samples.

    Where layers are passed by different numbers of samples it is the mean of their errors, which is
    as large as it can be.
    """
    if len({len(fractions) for fractions in by_sample}) == 1:
        return Proportion.of(np.mean(by_sample, axis=0)).stderr
    return float(np.mean([Proportion.of(fractions).stderr for fractions in by_sample]))

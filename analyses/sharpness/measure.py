"""The sharpness along training, against the edge of stability.

For every saved epoch of a run: the largest and the smallest Hessian eigenvalue with their errors,
the gradient, the cosine between the gradient and the eigenvector of the largest, and the largest
curvature at which a step of the run's learning rate is stable (Cohen et al., ICLR 2021; for SAM
Long and Bartlett, JMLR 2024).
"""

import logging
import math
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from analyses.run_context import RunContext
from analyses.saved_epochs import find_saved_epochs
from analyses.sharpness.result import Sharpness
from analyses.sharpness.settings import Settings
from landscape.checkpoints.logs.training_log import TrainingLog, find_log
from landscape.checkpoints.weights import read_weights
from landscape.curvature.operators import CurvatureOperator
from landscape.curvature.requests import ProductRequest
from landscape.curvature.sampling import sampling_errors
from landscape.curvature.stability import has_known_edge, sam_edge
from landscape.eigen.eigenpairs import WITH_ENDS
from landscape.eigen.lanczos import lanczos
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from landscape.runtime.progress import track
from landscape.training.stored_settings import stored_training

LOGGER = logging.getLogger(__name__)

TOLERANCE = 1e-3


def measure(objective: Objective, settings: Settings, context: RunContext) -> Sharpness:
    """Measure the saved epochs of a training.

    Args:
        objective: the loss, made from a checkpoint of the training.
        settings: the saved epochs (by default those of the run that the objective's checkpoint
            belongs to), and which of them.
        context: not used; one process does the work, in memory.

    Returns:
        The sharpness at each epoch, without label, settings and provenance.

    Raises:
        NotMeasurableError: if there are no saved epochs.
    """
    saved = find_saved_epochs(objective, settings)
    name = objective.origin.get("checkpoint") or "the model"
    if not saved.members:
        raise NotMeasurableError(
            f"{name} has no saved epochs: train with --save-every 1, or name files with --epochs"
        )
    log = _readable_log(saved.members[-1].path)
    training = stored_training(log.config, log.path) if log is not None else {}
    rates = log.learning_rates(saved.unit) if log is not None else {}
    vector = None
    rows = []
    for epoch in track(
        saved.members[:: settings.every], "saved epochs", less="raise --every or lower --samples"
    ):
        weights = read_weights(epoch.path, objective)
        row, norm, vector = _measure(
            objective, weights.theta, weights.statistics, vector, settings.seed
        )
        rate = rates.get(epoch.number, math.nan)
        rows.append([epoch.number, *row, rate, _edge(training, rate, norm)])
    return Sharpness(table=np.array(rows, dtype=np.float64))


def _readable_log(checkpoint: Path) -> TrainingLog | None:
    """The log of the training; none, with a message, if it is damaged."""
    try:
        return find_log(checkpoint)
    except InputError as error:
        LOGGER.info(f"learning rates and the edge of stability are left out: {error}")
        return None


def _measure(
    objective: Objective,
    theta: torch.Tensor,
    statistics: torch.Tensor,
    vector: torch.Tensor | None,
    seed: int,
) -> tuple[list[float], float, torch.Tensor]:
    """The numbers at ``theta`` in the order of the result's columns, gradient norm and eigenvector.

    ``vector`` is the eigenvector of the epoch before, which is close to this epoch's.
    """
    try:
        objective.live_statistics.copy_(statistics)
        gradient = objective.gradient(theta)
        hint = gradient if vector is None else vector
        pairs = lanczos(
            CurvatureOperator(objective, theta),
            1,
            torch.Generator().manual_seed(seed),
            tolerance=TOLERANCE,
            hint=hint,
            multiplicity=False,
            which=WITH_ENDS,
        ).ends
        requests = [ProductRequest(vector.unsqueeze(1)) for vector in pairs.vectors.T]
        errors = sampling_errors(
            objective, requests, pairs.eigenvalues.tolist(), theta=theta
        ).errors
        loss = objective.loss(theta)
    finally:
        objective.restore()
    first = pairs.vectors[:, 0]
    norm = torch.linalg.vector_norm(gradient.double()).item()
    cosine = abs(gradient.double().dot(first.double()).item()) / norm if norm else 0.0
    ends = zip(pairs.eigenvalues.tolist(), pairs.residuals.tolist(), errors, strict=True)
    return [*chain.from_iterable(ends), loss, norm, cosine], norm, first


def _edge(training: Mapping[str, Any], rate: float, gradient_norm: float) -> float:
    """The largest stable curvature; nan but for SGD, as an adaptive one's is not known here."""
    if not has_known_edge(training) or not rate > 0:
        return math.nan
    return sam_edge(
        rate,
        training.get("rho", 0.0),
        gradient_norm,
        training.get("momentum", 0.0),
        nesterov=bool(training.get("nesterov")),
    )

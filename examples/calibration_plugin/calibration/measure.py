"""The measurement: one forward pass over the sample."""

import numpy as np
import torch

from analyses import RunContext
from calibration.result import Calibration
from calibration.settings import Settings
from landscape import Estimate, NotMeasurableError, Objective
from landscape.estimates import Proportion


def measure(objective: Objective, settings: Settings, context: RunContext) -> Calibration:
    """Compare confidence with correctness, sample by sample.

    Raises:
        NotMeasurableError: the network is no classifier.
    """
    confidences, hits = [], []
    for batch, outputs in objective.outputs():
        targets = batch.targets
        if not isinstance(targets, torch.Tensor) or targets.is_floating_point():
            raise NotMeasurableError("calibration needs class numbers as targets")
        confidence, predicted = outputs.double().softmax(1).max(1)
        confidences.append(confidence.cpu().numpy())
        hits.append((predicted == targets).cpu().numpy())
    confidence, correct = np.concatenate(confidences), np.concatenate(hits).astype(np.float64)
    bins = np.minimum((confidence * settings.bins).astype(int), settings.bins - 1)
    members = [correct[bins == k] for k in range(settings.bins)]
    shares = [Proportion.of(each) if each.size else None for each in members]
    return Calibration(
        # The difference of each sample: the error of the mean is smaller than of both means apart.
        overconfidence=Estimate.of(confidence - correct),
        counts=np.array([len(each) for each in members]),
        accuracy=np.array([[s.value, s.stderr] if s else [np.nan] * 2 for s in shares]),
    )

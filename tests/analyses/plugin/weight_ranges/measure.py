"""The range of the weights of every tensor, one after the other."""

import logging
import os
from contextlib import nullcontext

import numpy as np

from landscape.results.fingerprint import fingerprint
from landscape.results.journal import Journal
from weight_ranges.result import Ranges

LOGGER = logging.getLogger(__name__)


def measure(objective, settings, context):
    """The ends of every tensor; with a journal, those that were measured before are kept."""
    path = context.journal("ranges")
    question = fingerprint(settings, objective.provenance(0.0))
    ends = []
    with nullcontext() if path is None else Journal(path, question) as journal:
        for number, weights in enumerate(objective.layout.views(objective.theta)):
            values = None if journal is None else journal.values((number,))
            if values is None:
                if number == int(os.environ.get("STOP_AT", "-1")):
                    raise KeyboardInterrupt
                LOGGER.warning(f"measuring tensor {number}")
                values = _ends(weights.numpy().ravel(), settings.left_out)
                if journal is not None:
                    journal.add((number,), values)
            ends.append(values)
    return Ranges(objective.layout.names, np.array(ends))


def _ends(weights, left_out):
    return np.quantile(weights.astype(np.float64), [left_out, 1 - left_out])

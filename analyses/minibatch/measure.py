"""The Hessian eigenvalues of single mini-batches, gathered over many (Park and Kim, ICLR 2022).

What an optimizer steps on is the loss of a mini-batch, of augmented samples, with its weight
decay. "How do vision transformers work?" (section 3) compares networks by the histogram of the
five largest eigenvalues of many such Hessians: far out means steep, left of 0 not convex.
"""

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analyses.minibatch.result import TOLERANCE, MinibatchSpectra
from analyses.minibatch.settings import Settings
from analyses.run_context import RunContext
from landscape.curvature.operators import CurvatureOperator
from landscape.curvature.products import LocalProducts
from landscape.data.augmentation.crop_flip import crop_and_flip
from landscape.data.batches import Batch, merge
from landscape.eigen.lanczos import lanczos
from landscape.errors import NotMeasurableError
from landscape.objective.objective import Objective
from landscape.results.fingerprint import fingerprint
from landscape.results.journal import Journal
from landscape.runtime.progress import track

LOGGER = logging.getLogger(__name__)


def measure(objective: Objective, settings: Settings, context: RunContext) -> MinibatchSpectra:
    """Measure the top eigenvalues of the Hessian of each mini-batch.

    Args:
        objective: the loss, whose sample the mini-batches are drawn from.
        settings: the mini-batches, and how many eigenvalues of each are measured.
        context: where finished mini-batches are kept.

    Returns:
        The spectra without label, settings and provenance.

    Raises:
        NotMeasurableError: if a mini-batch is larger than the sample, or if the data can't be
            augmented as the settings ask.
    """
    top = min(settings.minibatch_top, objective.num_parameters)
    question = fingerprint(settings, objective.provenance(0.0))
    path = context.journal("minibatch")
    batches = minibatches(objective, settings)
    spectra = []
    with nullcontext() if path is None else Journal(path, question) as journal:
        if journal:
            LOGGER.info(f"Resuming after {len(journal)} mini-batches")
        for number, batch in enumerate(
            track(
                batches,
                "mini-batches",
                total=settings.minibatches,
                less="lower --minibatches, --minibatch-size or --minibatch-top",
            )
        ):
            values = None if journal is None else journal.values((number,))
            if values is None:
                values = _spectrum(objective, batch, settings, top, number)
                if journal is not None:
                    journal.add((number,), values)
            spectra.append(values)
    table = np.array(spectra).reshape(len(spectra), 2, top)
    return MinibatchSpectra(eigenvalues=table[:, 0], residuals=table[:, 1])


def minibatches(objective: Objective, settings: Settings) -> Iterator[Batch]:
    """Draw mini-batches without replacement; reshuffle when too few samples are left for one."""
    size = settings.minibatch_size
    if size > objective.num_samples:
        raise NotMeasurableError(
            f"--minibatch-size {size} is more than the {objective.num_samples} samples"
        )
    whole = merge(objective.batches)
    generator = torch.Generator().manual_seed(settings.seed)
    order = torch.empty(0, dtype=torch.long)
    for _ in range(settings.minibatches):
        if len(order) < size:
            order = torch.randperm(whole.size, generator=generator)
        chosen, order = order[:size], order[size:]
        batch = whole.take(chosen)
        if settings.augmentation == "crop-flip":
            batch = Batch(_augmented(batch.inputs, generator), batch.targets, batch.size)
        yield batch


def _augmented(images: Any, generator: torch.Generator) -> Tensor:
    if not isinstance(images, Tensor) or images.dim() != 4:
        raise NotMeasurableError(
            "--augmentation crop-flip takes pictures of shape (n, channels, height, width)"
        )
    return crop_and_flip(images, generator)


def _spectrum(
    objective: Objective, batch: Batch, settings: Settings, top: int, number: int
) -> NDArray[np.float64]:
    """The eigenvalues of one mini-batch followed by their residuals, of shape (2 K,)."""
    products = LocalProducts(objective, batches=[batch])
    operator = CurvatureOperator(objective, answer=products, shift=settings.l2)
    generator = torch.Generator().manual_seed(settings.seed + number)
    hint = products.gradient() + settings.l2 * objective.theta
    pairs = lanczos(operator, top, generator, tolerance=TOLERANCE, hint=hint, multiplicity=False)
    return torch.cat([pairs.eigenvalues, pairs.residuals]).cpu().numpy()

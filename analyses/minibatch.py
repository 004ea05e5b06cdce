"""The Hessian eigenvalues of single mini-batches, gathered over many (Park and Kim, ICLR 2022).

What an optimizer steps on is the loss of a mini-batch, of augmented samples, with its weight
decay. "How do vision transformers work?" (section 3) compares networks by the histogram of the
five largest eigenvalues of many such Hessians: far out means steep, left of 0 not convex.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.curvature.lanczos import lanczos
from landscape.curvature.operators import CurvatureOperator
from landscape.curvature.products import LocalProducts
from landscape.data.augment import crop_and_flip
from landscape.data.batches import Batch, merge
from landscape.errors import InputError, NotMeasurableError
from landscape.objective import Objective
from landscape.options import option
from landscape.progress import track
from landscape.provenance import Provenance
from landscape.question import question_of
from landscape.results import Array, Result
from landscape.slices.journal import Journal, read_journal
from landscape.work import IN_MEMORY, Work

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.style import Look

TITLE = "Mini-batch Hessian spectra"
SUMMARY = "the top Hessian eigenvalues of many mini-batches, as a histogram"
READING = {
    "": (
        "The largest eigenvalues of the Hessian of single mini-batches, as an optimizer meets "
        "them, gathered over many. A mini-batch's Hessian is noisier and its largest eigenvalue "
        "larger than that of the whole sample."
    ),
    "minibatch": (
        "Each histogram holds the top eigenvalues of all mini-batches of one network. The "
        "further to the right it reaches, the steeper the loss that the optimizer steps on; what "
        "lies left of 0 are directions in which it is not convex."
    ),
}
# An eigenvalue is much closer than its residual says; a histogram asks for no more.
TOLERANCE = 1e-2


@dataclass(frozen=True)
class Settings:
    """The mini-batches and what is asked of each."""

    minibatches: int = option(24, "how many mini-batches", metavar="N")
    minibatch_size: int = option(16, "samples in each", metavar="N")
    minibatch_top: int = option(5, "eigenvalues of each, by magnitude", metavar="K")
    l2: float = option(0.0, "add an L2 term of λ/2 ‖θ‖² to the loss", metavar="λ")
    augmentation: str = option(
        "none",
        "crop-flip: each picture shifted by up to an eighth and mirrored half the time",
        choices=("none", "crop-flip"),
    )
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError for numbers that ask for nothing."""
        for name in ("minibatches", "minibatch_size", "minibatch_top"):
            if getattr(self, name) < 1:
                flag = name.replace("_", "-")
                raise InputError(f"--{flag} has to be at least 1, got {getattr(self, name)}")
        if not 0 <= self.l2 < math.inf:
            raise InputError(f"--l2 can't be negative, got {self.l2}")


@dataclass(frozen=True)
class MinibatchSpectra(Result):
    """Eigenvalues of N mini-batches, the K largest by magnitude of each, and residuals (N, K)."""

    eigenvalues: NDArray[np.float64]
    residuals: NDArray[np.float64]

    analysis: ClassVar[str] = "minibatch"
    settings_type: ClassVar[type[Any]] = Settings

    def arrays(self) -> dict[str, Array]:
        """Eigenvalues and residuals."""
        axes = ("minibatch", "rank")
        return {
            "eigenvalues": Array(self.eigenvalues, self.provenance.loss_unit, axes),
            "residuals": Array(self.residuals, "relative", axes),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        return cls(label, settings, provenance, arrays["eigenvalues"], arrays["residuals"])

    @property
    def largest(self) -> tuple[float, float]:
        """The mean over mini-batches of the largest eigenvalue, and its standard error."""
        return _mean(self.eigenvalues.max(1))

    @property
    def negative(self) -> tuple[float, float]:
        """The share of negative ones among the eigenvalues, and its standard error."""
        return _mean((self.eigenvalues < 0).mean(1))

    @property
    def converged(self) -> float:
        """The share of eigenvalues whose residual is within the tolerance."""
        return float((self.residuals <= TOLERANCE).mean())

    def headline(self) -> dict[str, Any]:
        """The mean of the largest, the share of negative ones, with their errors."""
        return {
            "mean_largest": self.largest[0],
            "mean_largest_stderr": self.largest[1],
            "max": float(self.eigenvalues.max()),
            "min": float(self.eigenvalues.min()),
            "negative_share": self.negative[0],
            "negative_share_stderr": self.negative[1],
            "converged": self.converged,
            "seconds": self.provenance.seconds,
        }


def compute(
    objective: Objective, settings: Settings | None = None, work: Work = IN_MEMORY
) -> MinibatchSpectra:
    """The top eigenvalues of each mini-batch's own Hessian.

    Raises NotMeasurableError for mini-batches larger than the sample, and for data that can't be
    augmented so.
    """
    settings = settings or Settings()
    started = time.perf_counter()
    top = min(settings.minibatch_top, objective.num_parameters)
    question = question_of(settings, objective.provenance(0.0))
    path = work.journal("minibatch")
    known = None if path is None else read_journal(path)
    done = known.values if known is not None and known.header == question else {}
    if path is not None and known is not None and known.header != question:
        path.unlink()
    journal = None if path is None else Journal(path, question)
    found = []
    batches = minibatches(objective, settings)
    for number, batch in enumerate(track(batches, "mini-batches", total=settings.minibatches)):
        values = done.get((number,))
        if values is None:
            values = _spectrum(objective, batch, settings, top, number)
            if journal is not None:
                journal.add((number,), values)
        found.append(values)
    if journal is not None:
        journal.close()
    table = np.array(found).reshape(len(found), 2, top)
    return MinibatchSpectra(
        label=objective.origin.get("label", ""),
        settings=settings,
        provenance=objective.provenance(time.perf_counter() - started),
        eigenvalues=table[:, 0],
        residuals=table[:, 1],
    )


def minibatches(objective: Objective, settings: Settings) -> Iterator[Batch]:
    """The samples in a random order, cut up; in another order when they are used up."""
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
    """Eigenvalues and after them residuals, of shape (2 K,)."""
    products = LocalProducts(objective, batches=[batch])
    operator = CurvatureOperator(objective, answer=products, shift=settings.l2)
    generator = torch.Generator().manual_seed(settings.seed + number)
    hint = products.gradient() + settings.l2 * objective.theta
    pairs = lanczos(operator, top, generator, tolerance=TOLERANCE, hint=hint, copies=False)
    return torch.cat([pairs.eigenvalues, pairs.residuals]).cpu().numpy()


def _mean(values: NDArray[np.float64]) -> tuple[float, float]:
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(values.mean()), float(error)


def tabulate(results: Sequence[MinibatchSpectra]) -> dict[str, list[dict[str, str]]]:
    """A row of the report for each checkpoint."""
    from analyses.style import number, with_error

    return {
        "": [
            {
                "checkpoint": one.label,
                "mean of the largest, ± standard error": with_error(*one.largest),
                "largest of all": number(float(one.eigenvalues.max())),
                "negative, %, ± standard error": with_error(
                    100 * one.negative[0], 100 * one.negative[1]
                ),
                "mini-batches": f"{len(one.eigenvalues)} of {one.settings.minibatch_size}",
                "L2": f"{one.settings.l2:g}",
                "augmentation": one.settings.augmentation,
                "residual within 1 %": f"{100 * one.converged:.0f} %",
                "seconds": f"{one.provenance.seconds:.1f}",
            }
            for one in results
        ]
    }


def draw(results: Sequence[MinibatchSpectra], look: Look | None = None) -> dict[str, Figure]:
    """A histogram for each checkpoint, on shared axes."""
    from analyses.sharpness_figures import histograms

    return {"minibatch": histograms(results)}

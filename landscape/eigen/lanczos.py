"""The leading eigenvalues by Lanczos, each with a certificate."""

import numpy as np
import torch
from torch import Tensor

from landscape.eigen.eigenpairs import Eigenpairs, certify, check_count, choose, default_tolerance
from landscape.eigen.krylov import Krylov
from landscape.eigen.multiplicity import Known, with_copies
from landscape.eigen.operator import SymmetricOperator, random_vector
from landscape.eigen.sums import unit
from landscape.errors import NotMeasurableError
from landscape.runtime.progress import track

# How many steps running T has to look finished: an eigenvalue that the start vector hardly
# contains shows up late.
STEPS_FINISHED = 2
# Ritz vectors beyond those asked for that survive a restart, and the room it needs to get on.
SPARE = 5


def lanczos(
    operator: SymmetricOperator,
    count: int,
    generator: torch.Generator,
    *,
    tolerance: float | None = None,
    max_steps: int = 300,
    hint: Tensor | None = None,
    copies: bool = True,
    which: str = "magnitude",
    columns: int | None = None,
) -> Eigenpairs:
    """The ``count`` eigenpairs of largest magnitude, each with its measured residual.

    With ``which`` = ``ends`` the ``count`` largest and the ``count`` smallest, 2 ``count`` in all.

    It starts from a random vector, to which ``hint`` of shape (P,), one that is rich in what is
    sought, is added with the same norm. The gradient is such a vector: it lies mostly in the
    leading eigenspace (Gur-Ari, Roberts and Dyer, 2018), and saves one to four products.

    Stops when the residuals that T predicts, |beta_m s_mi|, are within ``tolerance`` (default
    1e-4, in float64 1e-6, relative to the eigenvalue; of the ends, to the largest magnitude) or
    after ``max_steps`` products; then one more product a pair measures the true ones. The basis
    has at most ``columns`` vectors (default: what memory allows); where more are needed it is cut
    back to the leading ones, and goes on from there.

    With ``copies`` eigenvalues that occur several times are looked for in the complement of what
    was found, from another random start, for 8 products and more only if there are any.

    The certificate says that each value is an eigenvalue. That none is missing is very probable,
    as both starts are random, but not certain.
    """
    check_count(operator, count)
    tolerance = default_tolerance(operator) if tolerance is None else tolerance
    pairs = min(count if which == "magnitude" else 2 * count, operator.size)
    limit = min(max(max_steps, pairs), operator.size) if columns is None else max(max_steps, pairs)
    krylov = Krylov(operator, _start(operator, generator, hint), generator, limit, columns)
    finished = 0
    with track(range(limit), "top eigenvalues (Lanczos steps at most)") as steps:
        for _ in steps:
            krylov.advance(operator.matmat(krylov.vector.unsqueeze(1)).squeeze(1))
            if krylov.width < pairs:
                continue
            finished = finished + 1 if is_finished(krylov, count, 0.5 * tolerance, which) else 0
            if finished == STEPS_FINISHED or krylov.is_complete:
                break
            if krylov.is_full and krylov.steps < limit:
                restart(krylov, count, which)
    values, weights = krylov.ritz()
    top = choose(values, count, which)
    found = Known(values[top], krylov.ritz_vectors(weights[:, top]), krylov.steps)
    left = max(max_steps, count) - krylov.steps
    if copies and finished and not krylov.is_complete:
        found = with_copies(operator, found, count, 0.5 * tolerance, generator, left, which)
    largest = choose(found.values, count, which)
    vectors = found.vectors[:, largest.copy()]
    return certify(operator, vectors, tolerance, "lanczos", found.steps, which)


def restart(krylov: Krylov, count: int, which: str = "magnitude") -> None:
    """Make room. Raises NotMeasurableError where there is none for ``count`` pairs."""
    values, _ = krylov.ritz()
    keep = choose(values, count + SPARE, which)
    if len(keep) + SPARE > krylov.width:
        raise NotMeasurableError(
            f"there is room for {krylov.width} vectors only, too few for {count} eigenvalues; "
            "ask for fewer, or use a machine with more memory"
        )
    krylov.restart(keep)


def _start(operator: SymmetricOperator, generator: torch.Generator, hint: Tensor | None) -> Tensor:
    start = random_vector(operator, generator)
    if hint is not None and hint.isfinite().all():
        start = start + unit(hint)
    return start


def is_finished(krylov: Krylov, count: int, tolerance: float, which: str = "magnitude") -> bool:
    """Whether T predicts that those asked for are within ``tolerance`` and that none is missing.

    A start vector finds one eigenvector for each distinct eigenvalue. Where the process had to
    start afresh, it is done only when the fresh part holds nothing that belongs among the top.
    """
    values, vectors = krylov.ritz()
    top = choose(values, count, which)
    magnitudes = np.abs(values[top])
    allowed = tolerance * (magnitudes.max() if which == "ends" else magnitudes)
    if (krylov.errors(vectors[:, top]) > allowed).any():
        return False
    start = max(column for column in krylov.starts if column < krylov.width)
    if start == 0:
        return krylov.starts == [0]
    fresh, fresh_vectors = krylov.ritz(start)
    largest = np.argmax(np.abs(fresh))
    error = krylov.errors(fresh_vectors)[largest]
    return bool(np.abs(fresh[largest]) + error <= magnitudes.min() * (1 + tolerance))

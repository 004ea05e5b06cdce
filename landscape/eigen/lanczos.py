"""The leading eigenvalues by Lanczos, each with a certificate."""

import numpy as np
import torch
from torch import Tensor

from landscape.eigen.eigenpairs import (
    LESS_STEPS,
    SEARCH_SHARE,
    WITH_ENDS,
    Eigenpairs,
    certify,
    check_count,
    choose,
    default_tolerance,
    is_iterated,
    scale_of,
)
from landscape.eigen.joint_certificate import JointCertificate, certify_jointly
from landscape.eigen.krylov import Krylov
from landscape.eigen.multiplicity import RitzPairs, with_hidden_pairs
from landscape.eigen.operator import SymmetricOperator, random_vector
from landscape.eigen.sums import unit
from landscape.errors import NotMeasurableError
from landscape.runtime.progress import track

# T has to look finished after so many steps in a row: an eigenvalue that the start vector hardly
# contains shows up late.
STEPS_FINISHED = 2
# How many Ritz vectors beyond those asked for a restart keeps, and how much room it has to make.
SPARE = 5


def lanczos(
    operator: SymmetricOperator,
    count: int,
    generator: torch.Generator,
    *,
    tolerance: float | None = None,
    max_steps: int = 300,
    hint: Tensor | None = None,
    multiplicity: bool = True,
    which: str = "magnitude",
    columns: int | None = None,
) -> Eigenpairs:
    """The ``count`` eigenpairs of largest magnitude, each with its measured residual.

    It stops when the residuals that T predicts, |beta_m s_mi|, are within half of ``tolerance``, or
    after ``max_steps`` products. Then one more product for each pair measures the true residual.
    The certificate says that each value is an eigenvalue. That none is missing is very probable,
    as all starts are random, but not certain.

    Args:
        operator: the matrix H.
        count: how many pairs, from each end of the spectrum for ``which`` = ``ends``.
        generator: the source of the random starts.
        tolerance: of the residuals ||H v - lambda v|| relative to |lambda|, or for both ends to the
            largest magnitude; by default 1e-4, in float64 1e-6.
        max_steps: the largest number of products before the certificates.
        hint: a vector of shape (P,) that is rich in the eigenvectors sought, added to the random
            start with the same norm. The gradient is one: it lies mostly in the leading eigenspace
            (Gur-Ari, Roberts and Dyer, 2018), and saves one to four products.
        multiplicity: whether to look for further eigenvectors of eigenvalues that occur several
            times (:mod:`landscape.eigen.multiplicity`): if there are none, 1 to 8 products, and no
            product for a single eigenvalue.
        which: ``magnitude``, or ``ends`` for the ``count`` largest and the ``count`` smallest, or
            ``magnitude with ends`` (:data:`landscape.eigen.eigenpairs.WITH_ENDS`) for those of
            largest magnitude with the largest and the smallest besides, from the same Krylov space.
            No product is spent on a smallest one that is not among the largest in magnitude: it
            comes as far as it has converged.
        columns: the largest number of basis vectors, by default as many as there is memory for.
            Where more are needed the basis is cut back to the leading ones.

    Returns:
        The pairs, largest magnitude first; 2 ``count`` of them for ``ends``, and up to two more
        than ``count`` for ``magnitude with ends``.

    Raises:
        InputError: there are not that many eigenvalues.
        NotMeasurableError: a product is not finite, or memory does not hold the basis.

    Example:
        >>> operator = CurvatureOperator(objective)
        >>> pairs = lanczos(operator, 3, torch.Generator().manual_seed(0))
        >>> pairs.eigenvalues.shape, bool(pairs.converged.all())
        (torch.Size([3]), True)
    """
    check_count(operator, count)
    tolerance = default_tolerance(operator) if tolerance is None else tolerance
    pairs = min(2 * count if which == "ends" else count, operator.size)
    limit = min(max(max_steps, pairs), operator.size) if columns is None else max(max_steps, pairs)
    krylov = Krylov(operator, _start(operator, generator, hint), generator, limit, columns)
    finished = 0
    with track(range(limit), "top eigenvalues (Lanczos steps at most)", less=LESS_STEPS) as steps:
        for _ in steps:
            krylov.advance(operator.matmat(krylov.vector.unsqueeze(1)).squeeze(1))
            if krylov.width < pairs:
                continue
            finished = (
                finished + 1 if is_finished(krylov, count, SEARCH_SHARE * tolerance, which) else 0
            )
            if finished == STEPS_FINISHED or krylov.is_complete:
                break
            if krylov.is_full and krylov.steps < limit:
                restart(krylov, count, which)
    values, coordinates = krylov.ritz()
    top = choose(values, count, which)
    ritz_pairs = RitzPairs(values[top], krylov.ritz_vectors(coordinates[:, top]), krylov.steps)
    left = max(max_steps, count) - krylov.steps
    if multiplicity and finished and not krylov.is_complete:
        ritz_pairs = with_hidden_pairs(
            operator, ritz_pairs, count, SEARCH_SHARE * tolerance, generator, left, which, krylov
        )
    leading = choose(ritz_pairs.values, count, which)
    vectors = ritz_pairs.vectors[:, leading.copy()]
    steps_taken = ritz_pairs.steps
    if len(ritz_pairs.values) > len(top):  # of hidden pairs no images are known
        return certify(operator, vectors, tolerance, "lanczos", steps_taken, which, count)
    images = krylov.images(coordinates[:, top[leading]])
    joint = JointCertificate(vectors, images, generator, tolerance, which, count)
    return certify_jointly(operator, joint, "lanczos", steps_taken)


def restart(krylov: Krylov, count: int, which: str = "magnitude") -> None:
    """Make room for more steps by cutting the basis back to the leading Ritz vectors.

    Raises:
        NotMeasurableError: the basis is too small for ``count`` pairs.
    """
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
    """Whether T predicts that the leading pairs are within ``tolerance`` and none is missing.

    A start vector finds one eigenvector for each distinct eigenvalue. Where the process had to
    start from a fresh vector, it is finished only when the part of T since then has no value that
    belongs among the leading ones.
    """
    values, vectors = krylov.ritz()
    top = choose(values, count, which)
    magnitudes = np.abs(values[top])
    allowed = tolerance * scale_of(torch.from_numpy(magnitudes), which, count).numpy()
    is_missed = krylov.errors(vectors[:, top]) > allowed
    if (is_missed & is_iterated(values[top], count, which)).any():
        return False
    start = max(column for column in krylov.starts if column < krylov.width)
    if start == 0:
        return krylov.starts == [0]
    fresh, fresh_vectors = krylov.ritz(start)
    largest = np.argmax(np.abs(fresh))
    error = krylov.errors(fresh_vectors)[largest]
    smallest = magnitudes[:count].min() if which == WITH_ENDS else magnitudes.min()
    return bool(np.abs(fresh[largest]) + error <= smallest * (1 + tolerance))

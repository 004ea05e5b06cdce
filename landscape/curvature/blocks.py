"""The largest eigenvalue of each of many diagonal blocks, in one go.

One Lanczos process for each block; they advance side by side, so that every batch's forward and
first backward pass serves all of them. A block's product computes no derivative that the block
does not need: in the mean over the twelve blocks of a ViT it costs a quarter of a whole one.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from landscape.curvature.operators import CurvatureOperator
from landscape.eigen.eigenpairs import Eigenpairs, certificate, choose, default_tolerance
from landscape.eigen.krylov import Krylov
from landscape.eigen.lanczos import is_finished, restart
from landscape.eigen.operator import random_vector
from landscape.eigen.sums import unit
from landscape.parameters.groups import Group
from landscape.runtime.progress import track

# An eigenvalue is as exact as the square of its residual over the distance to the next.
LOOSE = 100
LOOSEST = 1e-2
# How much of a start is random, so that nothing is missed that the known pairs don't show.
RANDOM = 0.3


def block_eigenvalues(
    operator: CurvatureOperator,
    groups: Mapping[str, Group],
    generator: torch.Generator,
    *,
    pairs: Eigenpairs | None = None,
    tolerance: float | None = None,
    max_steps: int = 300,
) -> dict[str, Eigenpairs]:
    """The eigenpair of largest magnitude of each group's diagonal block, with its residual.

    ``pairs`` are leading eigenpairs V, L of the whole matrix, if they are known: to the random
    starts the first eigenvectors of the blocks of VLV' are added, which are close to those sought.
    The residuals are held to a hundred times ``tolerance``, that of eigenpairs (default 1e-4, in
    float64 1e-6), or to 1e-2 where that is less and not tighter: the values are much closer.
    """
    own = default_tolerance(operator) if tolerance is None else tolerance
    tolerance = max(own, min(LOOSE * own, LOOSEST))
    blocks = {name: operator.block(group) for name, group in groups.items()}
    processes = {
        name: _process(block, generator, pairs, max_steps) for name, block in blocks.items()
    }
    active = dict(processes)
    with track(range(max_steps), "components (Lanczos steps at most)") as steps:
        for _ in steps:
            asked = [(blocks[name], one.vector.unsqueeze(1)) for name, one in active.items()]
            for process, product in zip(active.values(), operator.together(asked), strict=True):
                process.advance(product.squeeze(1))
                if process.is_full and process.width < max_steps:
                    restart(process, 1)
            active = {name: one for name, one in active.items() if not _is_done(one, tolerance)}
            if not active:
                break
    vectors = {name: _leading(process) for name, process in processes.items()}
    asked = [(blocks[name], vector) for name, vector in vectors.items()]
    exact = dict(zip(vectors, operator.together(asked, exact=True), strict=True))
    return {
        name: certificate(vectors[name], exact[name], tolerance, "lanczos", process.steps)
        for name, process in processes.items()
    }


def _process(
    block: CurvatureOperator, generator: torch.Generator, pairs: Eigenpairs | None, limit: int
) -> Krylov:
    start = random_vector(block, generator)
    if pairs is not None:
        start = RANDOM * start + _first_of_block(block, pairs)
    return Krylov(block, start, generator, limit)


def _first_of_block(block: CurvatureOperator, pairs: Eigenpairs) -> Tensor:
    """The first eigenvector of the block of VLV', of the block's size."""
    assert block.group is not None
    basis, coordinates = torch.linalg.qr(block.group.gather(pairs.vectors))
    small = (coordinates.double() * pairs.eigenvalues) @ coordinates.double().T
    values, vectors = torch.linalg.eigh(small)
    return basis @ vectors[:, values.abs().argmax()].to(basis)


def _is_done(process: Krylov, tolerance: float) -> bool:
    return process.is_complete or is_finished(process, 1, 0.5 * tolerance)


def _leading(process: Krylov) -> Tensor:
    values, coordinates = process.ritz()
    vector = process.ritz_vectors(coordinates[:, choose(values, 1, "magnitude")])
    return unit(vector)

"""The leading eigenpairs of each of many diagonal blocks.

There is a Lanczos process for each block. The processes advance side by side, so that each batch's
forward and first backward pass serves all of them. A block's product computes only derivatives that
the block needs: in the mean over the twelve blocks of a ViT it costs a quarter of a whole product.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from landscape.curvature.operators import CurvatureOperator
from landscape.eigen.eigenpairs import (
    LESS_STEPS,
    SEARCH_SHARE,
    Eigenpairs,
    certificate,
    choose,
    default_tolerance,
)
from landscape.eigen.joint_certificate import JointCertificate
from landscape.eigen.krylov import Krylov
from landscape.eigen.lanczos import is_finished, restart
from landscape.eigen.operator import random_vector
from landscape.eigen.rayleigh_ritz import RitzSubspace
from landscape.eigen.sums import inner
from landscape.parameters.groups import Group
from landscape.runtime.progress import track

# The error of an eigenvalue is the square of its residual over the distance to the next one. So
# residuals may be so many times the tolerance of an eigenvalue, up to the second number.
LOOSE = 100
LOOSEST = 1e-2
# The random share of a start, so that nothing is missed that the known pairs don't show.
RANDOM = 0.3
# The share of the other end of the spectrum, which comes as far as the first one's steps take it.
OTHER_END = 0.3


def block_eigenvalues(
    operator: CurvatureOperator,
    groups: Mapping[str, Group],
    generator: torch.Generator,
    *,
    subspace: RitzSubspace | None = None,
    tolerance: float | None = None,
    max_steps: int = 300,
    which: str = "magnitude",
) -> dict[str, Eigenpairs]:
    """The eigenpair of largest magnitude of each group's diagonal block, with its residual.

    Args:
        operator: the whole matrix.
        groups: the parameters of each block, by name.
        generator: the source of the random starts.
        subspace: leading Ritz vectors V of the whole matrix with their images HV, if there are any.
            The eigenvectors at both ends of the block of V(V'HV)V' are close to those sought, and
            are added to the random start.
        tolerance: as for eigenpairs of the whole matrix, by default 1e-4, or 1e-6 in float64. The
            residuals of blocks may be a hundred times as large, up to 1e-2.
        max_steps: the largest number of products for each block before the certificates.
        which: ``magnitude``, or ``magnitude with ends`` for the largest and the smallest eigenvalue
            besides, as for :func:`landscape.eigen.lanczos.lanczos`: up to three pairs of each.
    """
    if not groups:
        return {}
    tolerance = default_tolerance(operator) if tolerance is None else tolerance
    tolerance = max(tolerance, min(LOOSE * tolerance, LOOSEST))
    blocks = {name: operator.block(group) for name, group in groups.items()}
    size_of_all = sum(block.size for block in blocks.values())
    processes = {
        name: _process(block, generator, subspace, max_steps, size_of_all)
        for name, block in blocks.items()
    }
    active = dict(processes)
    with track(
        range(max_steps),
        "components (Lanczos steps at most)",
        less=f"pass --components none, or {LESS_STEPS}",
    ) as steps:
        for _ in steps:
            requests = [(blocks[name], p.vector.unsqueeze(1)) for name, p in active.items()]
            products = operator.block_products(requests)
            for process, product in zip(active.values(), products, strict=True):
                process.advance(product.squeeze(1))
            active = {
                name: p for name, p in active.items() if not _is_finished(p, tolerance, which)
            }
            if not active:
                break
            for process in active.values():
                if process.is_full and process.steps < max_steps:
                    restart(process, 1, which)
    joints = {name: _leading(p, generator, tolerance, which) for name, p in processes.items()}
    return _certified(operator, blocks, processes, joints)


def _certified(
    operator: CurvatureOperator,
    blocks: Mapping[str, CurvatureOperator],
    processes: Mapping[str, Krylov],
    joints: Mapping[str, JointCertificate],
) -> dict[str, Eigenpairs]:
    """The pairs of each block, by fewer exact products of it where these say enough."""
    needed = {name: joint.products_needed() for name, joint in joints.items()}
    tried = [name for name, joint in joints.items() if needed[name] < joint.vectors.shape[1]]
    requests = [(blocks[name], joints[name].combinations(needed[name])) for name in tried]
    products = operator.block_products(requests, exact=True) if tried else []
    certified: dict[str, Eigenpairs] = {}
    for name, product in zip(tried, products, strict=True):
        pairs = joints[name].pairs(product, "lanczos", processes[name].steps)
        if pairs is not None:
            certified[name] = pairs
    left = [name for name in blocks if name not in certified]
    requests = [(blocks[name], joints[name].vectors) for name in left]
    products = operator.block_products(requests, exact=True) if left else []
    for name, product in zip(left, products, strict=True):
        joint, steps = joints[name], processes[name].steps
        certified[name] = certificate(
            joint.vectors, product, joint.tolerance, "lanczos", steps, joint.which, joint.count
        )
    return {name: certified[name] for name in blocks}


def _process(
    block: CurvatureOperator,
    generator: torch.Generator,
    subspace: RitzSubspace | None,
    limit: int,
    size_of_all: int,
) -> Krylov:
    start = random_vector(block, generator)
    if subspace is not None:
        largest, other = _ends_of_block(block, subspace)
        start = RANDOM * start + largest + OTHER_END * other
    return Krylov(block, start, generator, limit, size_of_all=size_of_all)


def _ends_of_block(block: CurvatureOperator, subspace: RitzSubspace) -> tuple[Tensor, Tensor]:
    """Eigenvectors of the block of V(V'HV)V', both (block.size,).

    The first is that of largest magnitude, the second that of the other end, zeros where that has
    the same sign.
    """
    assert block.group is not None
    basis, coordinates = torch.linalg.qr(block.group.gather(subspace.vectors))
    matrix = inner(subspace.vectors, subspace.images)
    coordinates = coordinates.double()
    values, vectors = torch.linalg.eigh(coordinates @ ((matrix + matrix.T) / 2) @ coordinates.T)
    first = int(values.abs().argmax())
    other = 0 if values[first] > 0 else len(values) - 1
    is_beyond_zero = bool(values[first] * values[other] < 0)
    directions = basis @ vectors[:, [first, other]].to(basis)
    return directions[:, 0], directions[:, 1] * is_beyond_zero


def _is_finished(process: Krylov, tolerance: float, which: str) -> bool:
    return process.is_complete or is_finished(process, 1, SEARCH_SHARE * tolerance, which)


def _leading(
    process: Krylov, generator: torch.Generator, tolerance: float, which: str
) -> JointCertificate:
    """The Ritz vector of largest magnitude, and those of both ends for WITH_ENDS."""
    values, coordinates = process.ritz()
    chosen = coordinates[:, choose(values, 1, which)]
    vectors, images = process.ritz_vectors(chosen), process.images(chosen)
    return JointCertificate(vectors, images, generator, tolerance, which, 1)

"""The density of a spectrum and its leading eigenpairs, from one set of products."""

from collections.abc import Callable

import numpy as np
import torch

from analyses.hessian.settings import Settings
from landscape.curvature.operators import CurvatureOperator
from landscape.curvature.pyhessian_check import pyhessian_eigenpairs
from landscape.eigen.eigenpairs import WITH_ENDS, Eigenpairs
from landscape.eigen.lanczos import lanczos
from landscape.eigen.power_iteration import power_iteration
from landscape.eigen.quadrature import Quadrature, stochastic_lanczos
from landscape.eigen.rayleigh_ritz import RitzSubspace, refine

SOLVERS: dict[str, Callable[..., Eigenpairs]] = {
    "lanczos": lanczos,
    "power": power_iteration,
    "pyhessian": pyhessian_eigenpairs,
}
# So many Ritz vectors of the whole matrix make good starts for the blocks of it.
WIDE = 30
NO_QUADRATURE = Quadrature(np.empty((0, 0)), np.empty((0, 0)), np.empty(0))


def density(
    operator: CurvatureOperator,
    settings: Settings,
    probes: torch.Tensor,
    generator: torch.Generator,
) -> tuple[Quadrature, RitzSubspace | None]:
    """The density, and the subspace it has explored; nothing without probes."""
    if not settings.probes:
        return NO_QUADRATURE, None
    has_blocks = settings.components != "none" or bool(settings.group)
    leading = settings.top if settings.method == "lanczos" else 0
    return stochastic_lanczos(
        operator,
        probes,
        settings.density_steps,
        generator,
        leading=leading,
        wide=max(settings.top, WIDE) if leading and has_blocks else 0,
        which=_which(settings),
    )


def _which(settings: Settings) -> str:
    """The pairs that Lanczos looks for: both ends of the spectrum are always among them."""
    return WITH_ENDS if settings.which == "magnitude" else settings.which


def eigenpairs(
    operator: CurvatureOperator,
    settings: Settings,
    generator: torch.Generator,
    gradient: torch.Tensor,
    subspace: RitzSubspace | None,
) -> Eigenpairs:
    """The top eigenpairs, refined from the density's subspace where there is one.

    Lanczos adds the ends of the spectrum where they are not among them.
    """
    if subspace is not None:
        return refine(
            operator,
            subspace,
            settings.top,
            generator,
            processes=settings.probes,
            tolerance=settings.tol,
            max_products=settings.max_steps,
            which=_which(settings),
        )
    is_lanczos = settings.method == "lanczos"
    lanczos_options = {"hint": gradient, "which": _which(settings)} if is_lanczos else {}
    return SOLVERS[settings.method](
        operator,
        settings.top,
        generator,
        tolerance=settings.tol,
        max_steps=settings.max_steps,
        **lanczos_options,
    )

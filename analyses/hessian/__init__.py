"""The Hessian spectrum: certified eigenvalues, density, trace, and the curvature of components."""

from typing import TYPE_CHECKING, Any

from analyses.analysis import Analysis
from analyses.hessian.settings import Settings

if TYPE_CHECKING:
    from analyses.hessian.result import Spectrum

__all__ = ["ANALYSIS", "Spectrum", "Settings", "compute", "draw", "of", "tabulate"]

ANALYSIS: "Analysis[Settings, Spectrum]" = Analysis(
    name="hessian",
    package=__name__,
    question="how sharp is the minimum, in all directions?",
    in_paper="Table 1",
    title="Hessian spectrum",
    summary="top Hessian eigenvalues with residuals, spectral density, trace and components",
    reading={
        "": (
            "The eigenvalues of the Hessian are the curvatures of the loss along its principal "
            "directions; the largest says how sharp the minimum is where it is sharpest, the "
            "trace is the sum over all directions. Together with its residual an eigenvalue is "
            "a bound: a true one of this sample's Hessian lies within residual × |λ| (where "
            "residuals were measured in float32, but for its rounding). λ_max is "
            "the largest and λ_min the smallest of all; λ₁ is the one of largest magnitude, mostly "
            "λ_max. A λ_min that has not converged is at most what is shown (--which ends iterates "
            "it). Each has a sampling error of its own, which says how far it may be from that of "
            "all the data. Besides, the λ_max of a subsample is biased upwards, and the fewer the "
            "samples the more: of a small ViT on digits by 37% at 64 samples, 3% at 512. "
            "--held-out gives a number that is biased downwards, and one extrapolated in between."
        ),
        "hessian": (
            "Above, the eigenvalues from the largest down: the higher a curve, the sharper the "
            "minimum, and a steep fall means that few directions carry the curvature; bars are "
            "sampling errors, or residuals where these are larger. Below, "
            "for each network, how many of all directions have which curvature: the hump around"
            " 0 is the bulk of flat directions, the stems on the right are the steep ones."
        ),
        "hessian-tails": (
            "Read at a curvature on the horizontal axis which share of all directions is more "
            "curved than that, upwards on the left and downwards (negative curvature) on the "
            "right. A curve further to the right is sharper in as many directions; nothing is "
            "smoothed here, each step is a node of the quadrature."
        ),
        "hessian-linear": (
            "The same densities with the curvature on a linear axis, on which distances are "
            "true. The band is the standard error over the random probes; between two nodes of "
            "the quadrature the curve is a guess, so single humps beside the bulk are no "
            "finding."
        ),
        "hessian-components": (
            "The largest curvature within each part of the network, all other weights held "
            "fixed. Every part's is at most that of the whole network, and the part that comes "
            "closest to it is where the sharpness sits. Bars are sampling errors, or residuals "
            "where these are larger."
        ),
    },
    settings=Settings,
    result="Spectrum",
    is_distributed=True,
    examples=(
        "landscape-plot hessian plain=runs/a/last.pt sam=runs/b/last.pt --top 10",
        "landscape-plot hessian ViT-B_16.npz --model vit-b16 --data imagefolder \\\n"
        "                 --data-dir imagenet --split val",
    ),
)
compute, of, tabulate, draw = ANALYSIS.compute, ANALYSIS.of, ANALYSIS.tabulate, ANALYSIS.draw


def __getattr__(name: str) -> Any:
    return ANALYSIS.public_name(name)

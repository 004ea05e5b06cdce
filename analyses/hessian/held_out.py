"""What the two halves of a sample say, as the file and the JSON of a spectrum hold it."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from landscape.curvature.held_out import HeldOut
from landscape.results.result import Array

FOLDER = "held_out/"


def held_out_arrays(halves: HeldOut | None, unit: str) -> dict[str, Array]:
    """The arrays of a result file; none where nothing was held out."""
    if halves is None:
        return {}
    return {
        f"{FOLDER}eigenvalues": Array(halves.eigenvalues, unit, ("half",)),
        f"{FOLDER}residuals": Array(halves.residuals, "relative", ("half",)),
        f"{FOLDER}converged": Array(halves.converged, "", ("half",)),
        f"{FOLDER}quotients": Array(halves.quotients, unit, ("half",)),
        f"{FOLDER}errors": Array(halves.errors, unit, ("half",)),
        f"{FOLDER}dof": Array(halves.dof, "degrees of freedom", ("half",)),
        f"{FOLDER}products": Array(halves.products, "of half the sample"),
    }


def held_out_from_arrays(arrays: Mapping[str, NDArray[Any]]) -> HeldOut | None:
    """The inverse of :func:`held_out_arrays`."""
    if f"{FOLDER}quotients" not in arrays:
        return None
    return HeldOut(
        eigenvalues=arrays[f"{FOLDER}eigenvalues"],
        residuals=arrays[f"{FOLDER}residuals"],
        converged=arrays[f"{FOLDER}converged"].astype(bool),
        quotients=arrays[f"{FOLDER}quotients"],
        errors=arrays[f"{FOLDER}errors"],
        dof=arrays[f"{FOLDER}dof"],
        products=int(arrays[f"{FOLDER}products"]),
    )


def held_out_headline(halves: HeldOut | None, eigenvalue: float) -> dict[str, Any] | None:
    """The numbers of the JSON; ``eigenvalue`` is the largest of the whole sample."""
    if halves is None:
        return None
    return {
        "quotient": halves.lower.value,
        "quotient_stderr": halves.lower.stderr,
        "quotient_dof": halves.lower.dof,
        "extrapolated": halves.extrapolated(eigenvalue),
        "eigenvalues_of_halves": halves.eigenvalues,
        "residuals_of_halves": halves.residuals,
        "converged": bool(halves.converged.all()),
        "products_of_half_the_sample": halves.products,
    }

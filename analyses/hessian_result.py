"""What the Hessian analysis was asked and what it found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from landscape.components import ORDER
from landscape.curvature.eigenpairs import WHICH
from landscape.curvature.matrices import MATRICES
from landscape.curvature.quadrature import Quadrature
from landscape.curvature.stability import gradient_descent_edge, sam_edge
from landscape.curvature.trace import Estimate
from landscape.errors import InputError
from landscape.options import option
from landscape.provenance import Provenance
from landscape.results import Array, Result

METHODS = ("lanczos", "power", "pyhessian")
COUNTS = ("steps", "products", "block_products")


@dataclass(frozen=True)
class Settings:
    """What is asked of the spectrum."""

    top: int = option(5, "how many eigenvalues", metavar="K")
    which: str = option(
        "magnitude",
        "magnitude: the largest in size; ends: the K largest and the K smallest",
        choices=WHICH,
    )
    method: str = option("lanczos", "how they are found", choices=METHODS)
    matrix: str = option(
        "hessian",
        "hessian, ggn (generalised Gauss-Newton) or fisher (empirical)",
        choices=tuple(MATRICES),
    )
    l2: float = option(0.0, "add an L2 term of λ/2 ‖θ‖² to the loss", metavar="λ")
    tol: float | None = option(
        None,
        "relative residual to reach (default: 1e-4, in fp64 1e-6; of components a hundred times "
        "that, their eigenvalues are far closer)",
        parse=float,
    )
    max_steps: int = option(300, "iterations at most (power, pyhessian: for each)", metavar="N")
    probes: int = option(6, "random probes of density and trace; 0 leaves them out", metavar="N")
    density_steps: int = option(40, "Lanczos steps of each probe", metavar="N")
    components: str = option(
        "auto",
        "auto: the largest eigenvalue of embedding, attention, MLP, every block, queries, keys, "
        "values, projections, norms and head, as far as the network has them; none",
        choices=("auto", "none"),
    )
    group: tuple[str, ...] = option(
        (),
        "further components: all parameters in whose name REGEX is found",
        metavar="NAME=REGEX",
        nargs="+",
        parse=str,
    )
    save_vectors: bool = option(
        False, "keep the eigenvectors in the .h5 file, for --directions of surfaces and lines"
    )
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError for counts that ask for nothing and for what does not go together."""
        for name in ("top", "max_steps", "density_steps"):
            if getattr(self, name) < 1:
                flag = name.replace("_", "-")
                raise InputError(f"--{flag} has to be at least 1, got {getattr(self, name)}")
        if self.probes < 0:
            raise InputError(f"--probes can't be negative, got {self.probes}")
        if self.tol is not None and not self.tol > 0:
            raise InputError(f"--tol has to be positive, got {self.tol}")
        if not 0 <= self.l2 < math.inf:
            raise InputError(f"--l2 can't be negative, got {self.l2}")
        if self.method != "lanczos" and self.which != "magnitude":
            raise InputError(f"--which ends is for lanczos, got --method {self.method}")
        if self.method == "pyhessian" and (self.matrix != "hessian" or self.l2):
            raise InputError("--method pyhessian knows neither --matrix nor --l2; use lanczos")
        names = [_name_and_pattern(word)[0] for word in self.group]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"--group names {name!r} twice; take another name")

    @property
    def patterns(self) -> dict[str, str]:
        """The user's own groups: regular expressions by name."""
        return dict(map(_name_and_pattern, self.group))


def _name_and_pattern(word: str) -> tuple[str, str]:
    name, separator, pattern = word.partition("=")
    if not separator or not name or not pattern:
        raise InputError(f"--group takes NAME=REGEX, got {word!r}")
    return name, pattern


@dataclass(frozen=True)
class Components:
    """For C components their sizes, largest eigenvalues, relative residuals and verdicts, (C,)."""

    names: tuple[str, ...]
    sizes: NDArray[np.int64]
    eigenvalues: NDArray[np.float64]
    residuals: NDArray[np.float64]
    converged: NDArray[np.bool_]


def component_names(results: Sequence[Spectrum]) -> list[str]:
    """The names of all results' components: kinds of layers in the usual order, then blocks."""
    names = dict.fromkeys(name for result in results for name in result.components.names)
    kinds = [name for name in ORDER if name in names]
    return [*kinds, *(name for name in names if name not in kinds)]


@dataclass(frozen=True)
class Spectrum(Result):
    """Eigenvalues (K,), largest magnitude first, with residuals relative to their magnitude.

    ``quadrature`` has the density's raw nodes and weights and the trace's samples; ``trace`` and
    ``frobenius`` are better than those by what the eigenpairs know. ``sampling_error`` is that of
    the first eigenvalue, ``cosine`` that of its eigenvector with the gradient. ``vectors`` (K, P)
    are the eigenvectors, if asked for. ``products`` counts every product over the sample, those
    of the certificates included (the ones that pyhessian makes inside are its own and not
    counted); ``block_products`` those with components, which cost a part of a whole one each.
    """

    eigenvalues: NDArray[np.float64]
    residuals: NDArray[np.float64]
    converged: NDArray[np.bool_]
    sampling_error: float
    quadrature: Quadrature
    trace: Estimate
    frobenius: Estimate
    components: Components
    loss: float
    loss_stderr: float
    gradient_norm: float
    cosine: float
    steps: int
    products: int
    block_products: int
    vectors: NDArray[np.float32]

    analysis: ClassVar[str] = "hessian"
    settings_type: ClassVar[type[Any]] = Settings

    def arrays(self) -> dict[str, Array]:
        """Eigenvalues, residuals, the density's raw nodes and weights, components."""
        unit = self.provenance.loss_unit
        quadrature, components = self.quadrature, self.components
        scalars = {name: Array(getattr(self, name), u) for name, u in _scalars(unit).items()}
        estimates = {
            name: Array([getattr(self, name).value, getattr(self, name).stderr], unit, ("±",))
            for name in ("trace", "frobenius")
        }
        vectors = {"eigenvectors": Array(self.vectors, "", ("rank", "parameter"))}
        return {
            "eigenvalues": Array(self.eigenvalues, unit, ("rank",)),
            "residuals": Array(self.residuals, "relative", ("rank",)),
            "converged": Array(self.converged, "", ("rank",)),
            "density_nodes": Array(quadrature.nodes, unit, ("probe", "node")),
            "density_weights": Array(quadrature.weights, "", ("probe", "node")),
            "trace_samples": Array(quadrature.traces, unit, ("probe",)),
            "components/names": Array(np.array(components.names, dtype=object), "", ("component",)),
            "components/sizes": Array(components.sizes, "parameters", ("component",)),
            "components/eigenvalues": Array(components.eigenvalues, unit, ("component",)),
            "components/residuals": Array(components.residuals, "relative", ("component",)),
            "components/converged": Array(components.converged, "", ("component",)),
            **estimates,
            **scalars,
            **(vectors if self.vectors.size else {}),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        scalars: dict[str, Any] = {name: float(arrays[name]) for name in _scalars("")}
        scalars |= {name: int(arrays[name]) for name in COUNTS}
        return cls(
            label,
            settings,
            provenance,
            eigenvalues=arrays["eigenvalues"],
            residuals=arrays["residuals"],
            converged=arrays["converged"].astype(bool),
            quadrature=Quadrature(
                arrays["density_nodes"], arrays["density_weights"], arrays["trace_samples"]
            ),
            trace=Estimate(*map(float, arrays["trace"])),
            frobenius=Estimate(*map(float, arrays["frobenius"])),
            components=Components(
                tuple(str(name) for name in arrays["components/names"]),
                arrays["components/sizes"],
                arrays["components/eigenvalues"],
                arrays["components/residuals"],
                arrays["components/converged"].astype(bool),
            ),
            vectors=arrays.get("eigenvectors", np.empty((0, 0), np.float32)),
            **scalars,
        )

    @property
    def edges(self) -> dict[str, float]:
        """The largest stable curvature at this point of training, where that is known.

        For SGD alone: an adaptive optimizer's depends on its preconditioner. Keys: ``lr``,
        ``edge`` and, for SAM, ``sam_edge``; none where the learning rate is not recorded or 0.
        """
        training = self.provenance.origin.get("training") or {}
        rate = training.get("lr")
        if training.get("opt") != "sgd" or not rate:
            return {}
        momentum = training.get("momentum") or 0.0
        found = {"lr": rate, "edge": gradient_descent_edge(rate, momentum)}
        if training.get("rho"):
            found["sam_edge"] = sam_edge(rate, training["rho"], self.gradient_norm, momentum)
        return found

    def headline(self) -> dict[str, Any]:
        """Eigenvalues with residuals and verdicts, trace with its standard error, cost."""
        pairs = zip(self.eigenvalues, self.residuals, self.converged, strict=True)
        measured = bool(self.settings.probes)
        negative, negative_error = self.quadrature.negative_share if measured else (None, None)
        components = self.components
        return {
            "eigenvalues": self.eigenvalues,
            "residuals": self.residuals,
            "converged": bool(self.converged.all()),
            "eigenpairs": [
                {"eigenvalue": value, "residual": residual, "converged": bool(verdict)}
                for value, residual, verdict in pairs
            ],
            "sampling_error": self.sampling_error,
            "trace": self.trace.value if measured else None,
            "trace_stderr": self.trace.stderr if measured else None,
            "frobenius": self.frobenius.value if measured else None,
            "frobenius_stderr": self.frobenius.stderr if measured else None,
            "negative_share": negative,
            "negative_share_stderr": negative_error,
            "components": {
                name: {
                    "parameters": int(components.sizes[k]),
                    "eigenvalue": components.eigenvalues[k],
                    "residual": components.residuals[k],
                    "converged": bool(components.converged[k]),
                }
                for k, name in enumerate(components.names)
            },
            "loss": self.loss,
            "loss_stderr": self.loss_stderr,
            "gradient_norm": self.gradient_norm,
            "cosine_of_gradient_and_first_eigenvector": self.cosine,
            "stability": self.edges,
            "products": self.products,
            "block_products": self.block_products,
            "seconds": self.provenance.seconds,
        }


def _scalars(unit: str) -> dict[str, str]:
    """The numbers of a spectrum that stand alone, each with its unit."""
    return {
        "sampling_error": unit,
        "loss": unit,
        "loss_stderr": unit,
        "gradient_norm": unit,
        "cosine": "",
        **dict.fromkeys(COUNTS, ""),
    }

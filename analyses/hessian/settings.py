"""What is asked of the Hessian spectrum and of the curvature of components."""

import math
from dataclasses import dataclass

from landscape.errors import InputError
from landscape.runtime.choices import CURVATURE_MATRICES, SPECTRUM_ENDS
from landscape.runtime.options import option

METHODS = ("lanczos", "power", "pyhessian")


@dataclass(frozen=True)
class MatrixSettings:
    """Which matrix of curvature, how exactly, and which components besides the usual ones."""

    matrix: str = option(
        "hessian",
        "hessian, ggn (generalised Gauss-Newton) or fisher (empirical)",
        choices=CURVATURE_MATRICES,
    )
    l2: float = option(0.0, "add an L2 term of λ/2 ‖θ‖² to the loss", metavar="λ")
    tol: float | None = option(
        None,
        "relative residual to reach (default: 1e-4, in fp64 1e-6; of components a hundred times "
        "that, their eigenvalues are far closer)",
        parse=float,
    )
    max_steps: int = option(300, "iterations at most (power, pyhessian: for each)", metavar="N")
    group: tuple[str, ...] = option(
        (),
        "further components: all parameters in whose name REGEX is found",
        metavar="NAME=REGEX",
        nargs="+",
        parse=str,
    )
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError for what can't be reached or is named twice."""
        if self.max_steps < 1:
            raise InputError(f"--max-steps has to be at least 1, got {self.max_steps}")
        if self.tol is not None and not self.tol > 0:
            raise InputError(f"--tol has to be positive, got {self.tol}")
        if not 0 <= self.l2 < math.inf:
            raise InputError(f"--l2 can't be negative, got {self.l2}")
        names = [_name_and_pattern(word)[0] for word in self.group]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"--group names {name!r} twice; take another name")

    @property
    def patterns(self) -> dict[str, str]:
        """The user's own groups: regular expressions by name."""
        return dict(map(_name_and_pattern, self.group))


@dataclass(frozen=True)
class Settings(MatrixSettings):
    """What is asked of the spectrum."""

    top: int = option(5, "how many eigenvalues", metavar="K")
    which: str = option(
        "magnitude",
        "magnitude: the largest in size; ends: the K largest and the K smallest",
        choices=SPECTRUM_ENDS,
    )
    method: str = option("lanczos", "how they are found", choices=METHODS)
    probes: int = option(6, "random probes of density and trace; 0 leaves them out", metavar="N")
    density_steps: int = option(40, "Lanczos steps of each probe", metavar="N")
    components: str = option(
        "auto",
        "auto: the largest eigenvalue of embedding, attention, MLP, every block, queries, keys, "
        "values, projections, norms and head, as far as the network has them; none",
        choices=("auto", "none"),
    )
    save_vectors: bool = option(
        False, "keep the eigenvectors in the .h5 file, for --directions of surfaces and lines"
    )

    def __post_init__(self) -> None:
        """Raise InputError for counts that ask for nothing and for what does not go together."""
        super().__post_init__()
        for name in ("top", "density_steps"):
            if getattr(self, name) < 1:
                flag = name.replace("_", "-")
                raise InputError(f"--{flag} has to be at least 1, got {getattr(self, name)}")
        if self.probes < 0:
            raise InputError(f"--probes can't be negative, got {self.probes}")
        if self.method != "lanczos" and self.which != "magnitude":
            raise InputError(f"--which ends is for lanczos, got --method {self.method}")
        if self.method == "pyhessian" and (self.matrix != "hessian" or self.l2):
            raise InputError("--method pyhessian knows neither --matrix nor --l2; use lanczos")


def _name_and_pattern(word: str) -> tuple[str, str]:
    name, separator, pattern = word.partition("=")
    if not separator or not name or not pattern:
        raise InputError(f"--group takes NAME=REGEX, got {word!r}")
    return name, pattern

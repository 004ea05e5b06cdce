"""The settings of Hessian spectra, and those that they share with components."""

import math
from dataclasses import dataclass

from landscape.errors import InputError
from landscape.runtime.choices import CURVATURE_MATRICES, SPECTRUM_ENDS
from landscape.runtime.options import check_choices, check_numbers, option

METHODS = ("lanczos", "power", "pyhessian")


@dataclass(frozen=True)
class MatrixSettings:
    """The matrix of curvature, the tolerance, and further components."""

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
        """Raise InputError for limits that can't be reached and for names that occur twice."""
        check_choices(self)
        if self.max_steps < 1:
            raise InputError(f"--max-steps has to be at least 1, got {self.max_steps}")
        if self.tol is not None and not self.tol > 0:
            raise InputError(f"--tol has to be positive, got {self.tol}")
        if not 0 <= self.l2 < math.inf:
            raise InputError(f"--l2 has to be finite and not negative, got {self.l2}")
        names = [_name_and_pattern(word)[0] for word in self.group]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"--group names {name!r} twice; take another name")
        check_numbers(self)

    @property
    def patterns(self) -> dict[str, str]:
        """The regular expressions of ``group`` by name."""
        return dict(map(_name_and_pattern, self.group))


@dataclass(frozen=True)
class Settings(MatrixSettings):
    """What is measured of the spectrum.

    Example:
        >>> Settings(top=3, quick=True).probes
        0
    """

    top: int = option(5, "how many eigenvalues", metavar="K")
    which: str = option(
        "magnitude",
        "magnitude: the largest in size, with λ_max and λ_min beside them; ends: the K largest and "
        "the K smallest",
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
    held_out: bool = option(
        False,
        "enclose λ_max of all the data: also the Rayleigh quotient of each half of the sample with "
        "the other half's eigenvector, which is biased downwards",
    )
    save_vectors: bool = option(
        False, "keep the eigenvectors in the .h5 file, for --directions of surfaces and lines"
    )
    quick: bool = option(
        False, "the eigenvalues alone: no density, trace or components", stored=False
    )

    def __post_init__(self) -> None:
        """Replace ``quick`` by what it stands for.

        Raises InputError for counts that ask for nothing and settings that contradict each other.
        """
        super().__post_init__()
        if self.quick:
            # A short form of other settings: those alone are compared and stored.
            object.__setattr__(self, "probes", 0)
            object.__setattr__(self, "components", "none")
            object.__setattr__(self, "quick", False)
        for name in ("top", "density_steps"):
            if getattr(self, name) < 1:
                flag = name.replace("_", "-")
                raise InputError(f"--{flag} has to be at least 1, got {getattr(self, name)}")
        if self.probes < 0:
            raise InputError(f"--probes can't be negative, got {self.probes}")
        if self.method != "lanczos" and self.which != "magnitude":
            raise InputError(f"--which ends is for lanczos, got --method {self.method}")
        if self.method != "lanczos" and self.held_out:
            raise InputError(f"--held-out is for lanczos, got --method {self.method}")
        if self.method == "pyhessian" and (self.matrix != "hessian" or self.l2):
            raise InputError("--method pyhessian knows neither --matrix nor --l2; use lanczos")

    @property
    def num_pairs(self) -> int:
        """How many eigenpairs are asked for."""
        return 2 * self.top if self.which == "ends" else self.top

    @property
    def cost_note(self) -> str:
        """What the density, trace and components cost, and the flags that leave them out.

        Empty if only eigenvalues are measured.
        """
        eigenvalues = f"{self.top} eigenvalue{'' if self.top == 1 else 's'}"
        density = (
            f"about {self.probes * self.density_steps} Hessian products for density and trace, "
            f"more for {eigenvalues}"
        )
        has_components = self.components != "none"
        if self.probes and has_components:
            return (
                f"{density} and the components; --quick gives the eigenvalues alone, --probes 0 "
                "and --components none leave out their parts"
            )
        if self.probes:
            return f"{density}; --quick gives the eigenvalues alone"
        if has_components:
            return (
                f"Hessian products for {eigenvalues} and the components; --quick gives the "
                "eigenvalues alone"
            )
        return ""


def _name_and_pattern(word: str) -> tuple[str, str]:
    name, separator, pattern = word.partition("=")
    if not separator or not name or not pattern:
        raise InputError(f"--group takes NAME=REGEX, got {word!r}")
    return name, pattern

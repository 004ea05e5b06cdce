"""The settings of lines and planes: directions, and what is measured at the points."""

from collections.abc import Sequence
from dataclasses import dataclass

from analyses.slices.grid import Axis
from landscape.errors import InputError
from landscape.parameters.policies import PRESETS, parse_override
from landscape.runtime.choices import BATCHNORM_STATISTICS, NORMALIZATIONS
from landscape.runtime.options import check_choices, check_numbers, option

KINDS = ("random", "gradient", "eigenvector")
DIR_TYPES = ("auto", "weights", "states")
# What --precision may be for lines and surfaces.
SLICE_PRECISIONS = ("fp32", "fp64", "tf32", "bf16", "auto")


def _words(text: str) -> tuple[str, ...]:
    return tuple(parse_override(word) for word in text.split(",") if word)


@dataclass(frozen=True)
class PointSettings:
    """What is measured at every point."""

    bn: str = option(
        "fixed",
        "BatchNorm statistics: fixed (the network's own, or moved along a direction that has "
        "them), or reestimate, from the training samples at every point",
        choices=BATCHNORM_STATISTICS,
    )
    eigenvalues: bool = option(
        False, "also the Hessian's smallest and largest eigenvalue at every point"
    )


@dataclass(frozen=True)
class SliceSettings(PointSettings):
    """Where the direction of a line comes from and how it is scaled.

    A subclass adds the coordinates as field ``x``, which may be given as a tuple.
    """

    directions: str = option(
        "random",
        "random, gradient, eigenvector (the Hessian's), two of these with a comma, or the "
        "directions in a direction or surface file",
        metavar="KIND|FILE.h5",
    )
    toward_x: str = option(
        "", "instead: x points to this checkpoint, which is at 1", metavar="CHECKPOINT"
    )
    dir_type: str = option(
        "auto",
        "weights, or states: BatchNorm statistics too; auto: states toward checkpoints",
        choices=DIR_TYPES,
    )
    normalize: str = option(
        "filter",
        "scale of random directions, relative to the weights (filter: Li et al., 2018)",
        choices=NORMALIZATIONS,
    )
    policy: str = option(
        "li2018",
        "what a random direction moves and what a filter is: li2018 (biases and norms stay, "
        "slices along dimension 0), transformer (also: each position and token a filter), or all",
        choices=tuple(PRESETS),
    )
    perturb: tuple[str, ...] = option(
        (),
        "changes to the policy, such as bias=whole,norm=zero; zero, copy (the weights "
        "themselves), rows, vectors or whole",
        parse=_words,
        metavar="KIND=TREATMENT,...",
    )
    repeats: int = option(
        1, "lay this many random slices, with seeds SEED, SEED+1, ...", metavar="K"
    )
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError for settings that contradict each other."""
        check_choices(self)
        for name in ("x", "y"):
            value = getattr(self, name, None)
            if value is not None:
                object.__setattr__(self, name, Axis.of(value))
        if self.repeats < 1:
            raise InputError(f"--repeats has to be at least 1, got {self.repeats}")
        is_random = self.is_random  # raises InputError for unknown directions
        if self.repeats > 1 and not is_random:
            raise InputError("--repeats draws random directions; leave out what fixes them")
        check_numbers(self)

    @property
    def is_random(self) -> bool:
        """Whether all directions are random draws."""
        return self.axis_kinds == ("random", "random")

    @property
    def axis_kinds(self) -> tuple[str, str]:
        """Where x and y come from: one of :data:`KINDS`, ``toward`` a checkpoint, or a ``file``."""
        kinds = self.kinds or ("file", "file")
        x, y = ("toward" if path else kind for path, kind in zip(self.toward, kinds, strict=True))
        return x, y

    @property
    def toward(self) -> tuple[str, str]:
        """The checkpoints that x and y point to, each empty where it points to none."""
        return self.toward_x, ""

    @property
    def kinds(self) -> tuple[str, str] | None:
        """The kinds of x and y, or None if they are read from a file.

        Raises InputError for unknown kinds.
        """
        words = self.directions.split(",")
        if any(word not in KINDS for word in words) or len(words) > 2:
            if len(words) == 1 and ("." in self.directions or "/" in self.directions):
                return None
            raise InputError(
                f"unknown directions {self.directions!r}; expected {', '.join(KINDS)}, two of "
                "these with a comma, or a file"
            )
        # The gradient is one direction, so its plane needs another.
        second = "random" if words == ["gradient"] else words[-1]
        return words[0], second


@dataclass(frozen=True)
class PlaneSettings(SliceSettings):
    """Where the directions of a plane come from; a subclass adds ``x`` and ``y``."""

    toward_y: str = option("", "--toward-x for y", metavar="CHECKPOINT")
    orthogonalize: bool = option(False, "make y orthogonal to x")

    @property
    def toward(self) -> tuple[str, str]:
        """The checkpoints that x and y point to, each empty where it points to none."""
        return self.toward_x, self.toward_y


def axis_label(name: str, settings: Sequence[SliceSettings]) -> str:
    """The name of an axis, with its unit if all directions are scaled in the same known way."""
    units = {"filter": "filter norms", "layer": "layer norms", "weight": "weights"}
    scales = {each.normalize if each.is_random else None for each in settings}
    unit = units.get(scales.pop() or "") if len(scales) == 1 else None
    return f"{name} ({unit})" if unit else name

"""The settings of flatness: the noise and the balls."""

import math
from dataclasses import dataclass

from landscape.errors import InputError
from landscape.parameters.policies import PRESETS, Policy, parse_override
from landscape.runtime.choices import NOISES
from landscape.runtime.options import check_choices, check_numbers, option

# Each ball has radii of its own, because the three differ in scale.
BALLS = ("l2", "adaptive-l2", "adaptive-linf")


def _split_words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)


@dataclass(frozen=True)
class Settings:
    """The noise on the weights and the balls around them."""

    noise: tuple[str, ...] = option(
        NOISES,
        "kinds of noise: fixed (one σ for all weights), filter (relative to the norm of each "
        "filter), adaptive (relative to each weight)",
        parse=str,
        choices=NOISES,
        nargs="+",
    )
    sigmas: tuple[float, ...] = option(
        (0.0025, 0.005, 0.01, 0.02, 0.04),
        "σ of fixed noise",
        parse=float,
        nargs="+",
        metavar="σ",
    )
    relative_sigmas: tuple[float, ...] = option(
        (0.025, 0.05, 0.1, 0.2, 0.4),
        "σ of filter and adaptive noise, relative to the weights",
        parse=float,
        nargs="+",
        metavar="σ",
    )
    draws: int = option(10, "draws of noise; every σ uses the same ones", metavar="N")
    radii: tuple[float, ...] = option(
        (0.05, 0.1, 0.2),
        "ρ of the ball ‖ε‖₂ ≤ ρ that is searched for the worst loss; 0 leaves it out",
        parse=float,
        nargs="+",
        metavar="ρ",
    )
    adaptive_radii: tuple[float, ...] = option(
        (0.5, 1.0, 2.0),
        "ρ of the adaptive ball ‖ε/|w|‖₂ ≤ ρ; 0 leaves it out",
        parse=float,
        nargs="+",
        metavar="ρ",
    )
    linf_radii: tuple[float, ...] = option(
        (0.002, 0.004, 0.008),
        "ρ of the adaptive ball max|ε/w| ≤ ρ; 0 leaves it out",
        parse=float,
        nargs="+",
        metavar="ρ",
    )
    ascent_steps: int = option(
        10, "gradient steps in each ball, of which SAM's is the first", metavar="N"
    )
    policy: str = option(
        "li2018",
        "which tensors filter noise moves and what a filter is, as for random directions",
        choices=tuple(PRESETS),
    )
    perturb: tuple[str, ...] = option(
        (),
        "changes to the policy, such as bias=whole,norm=zero; zero, rows, vectors or whole",
        parse=_split_words,
        metavar="KIND=TREATMENT,...",
    )
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError if a setting is out of range."""
        check_choices(self)
        for name in ("draws", "ascent_steps"):
            if getattr(self, name) < 1:
                flag = name.replace("_", "-")
                raise InputError(f"--{flag} has to be at least 1, got {getattr(self, name)}")
        if len(set(self.noise)) != len(self.noise):
            raise InputError(
                f"--noise has to be different words of {', '.join(NOISES)}, "
                f"got {' '.join(self.noise)}"
            )
        for name in ("sigmas", "relative_sigmas", "radii", "adaptive_radii", "linf_radii"):
            values = getattr(self, name)
            if name.endswith("radii") and values in ((), (0.0,)):
                continue
            in_order = all(a < b for a, b in zip((0.0, *values), (*values, math.inf), strict=True))
            if not values or not in_order:
                raise InputError(
                    f"--{name.replace('_', '-')} has to be positive and increasing, "
                    f"got {' '.join(map(str, values)) or 'nothing'}"
                )
        for word in self.perturb:
            if parse_override(word).endswith("=copy"):
                raise InputError(
                    f"--perturb {word} is not noise; use zero, rows, vectors or whole instead"
                )
        check_numbers(self)

    def sigmas_of(self, kind: str) -> tuple[float, ...]:
        """The grid of sizes of a kind of noise."""
        return self.sigmas if kind == "fixed" else self.relative_sigmas

    @property
    def balls(self) -> dict[str, tuple[float, ...]]:
        """The radii of every ball that is searched, by the ball's name in :data:`BALLS`."""
        radii_by_ball = zip(BALLS, (self.radii, self.adaptive_radii, self.linf_radii), strict=True)
        return {ball: radii for ball, radii in radii_by_ball if radii and radii != (0.0,)}

    @property
    def filter_policy(self) -> Policy:
        """Which tensors filter noise moves, and what a filter of them is."""
        return Policy.named(self.policy, self.perturb)

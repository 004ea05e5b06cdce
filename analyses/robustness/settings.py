"""The settings of robustness: corruptions, attacks and further sets."""

from dataclasses import dataclass

from landscape.errors import InputError
from landscape.runtime.choices import CORRUPTIONS
from landscape.runtime.options import check_numbers, option

# The length of the paper's steps of PGD, 0.25 for a radius of 4, relative to the radius.
STEP_SHARE = 1 / 16


@dataclass(frozen=True)
class Settings:
    """How the pictures are modified, and on which further sets the accuracy is measured."""

    corruptions: str = option(
        "all", "families of ImageNet-C, at five severities each: all, none, or some", metavar="F,G"
    )
    attack_radius: tuple[float, ...] = option(
        (1.0, 2.0, 4.0, 8.0),
        "l-infinity radii of FGSM and PGD, in 1/255 of the pixels' range; none: no attacks",
        parse=float,
        nargs="*",
        metavar="R",
    )
    attack_steps: int = option(10, "steps of PGD, from a random start", metavar="N")
    attack_step: float | None = option(
        None,
        "length of a step, in 1/255 (default: a sixteenth of the radius)",
        parse=float,
        metavar="A",
    )
    sets: tuple[str, ...] = option(
        (),
        "also measure the accuracy on other sets: folders laid out like ImageNet-V2, -R and -C, or "
        "NAME=real.json for ImageNet-ReaL",
        parse=str,
        nargs="+",
        metavar="NAME=DIR",
    )
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError if a corruption is unknown or a number or set is not valid."""
        unknown = [name for name in self.families if name not in CORRUPTIONS]
        if unknown or not self.corruptions:
            raise InputError(
                f"--corruptions has to be all, none or some of {','.join(CORRUPTIONS)}, "
                f"got {self.corruptions}"
            )
        if not all(0 < radius <= 255 for radius in self.attack_radius):
            raise InputError(
                "--attack-radius has to be above 0 and at most 255, "
                f"got {' '.join(f'{radius:g}' for radius in self.attack_radius)}"
            )
        if len(set(self.attack_radius)) < len(self.attack_radius):
            raise InputError(
                "--attack-radius has to be different radii, "
                f"got {' '.join(f'{radius:g}' for radius in self.attack_radius)}"
            )
        if self.attack_steps < 1:
            raise InputError(f"--attack-steps has to be at least 1, got {self.attack_steps}")
        if self.attack_step is not None and not 0 < self.attack_step <= 255:
            raise InputError(
                f"--attack-step has to be above 0 and at most 255, got {self.attack_step}"
            )
        for word in self.sets:
            name, _, path = word.partition("=")
            if not name or not path:
                raise InputError(f"--sets has to be NAME=DIR or NAME=FILE.json, got {word}")
        names = [word.partition("=")[0] for word in self.sets]
        if len(set(names)) < len(names):
            raise InputError(f"--sets has to be sets of different names, got {' '.join(names)}")
        check_numbers(self)

    @property
    def families(self) -> tuple[str, ...]:
        """The families of corruption, each once; all of them in the order of ImageNet-C."""
        if self.corruptions in ("all", "none"):
            return tuple(CORRUPTIONS) if self.corruptions == "all" else ()
        return tuple(dict.fromkeys(self.corruptions.split(",")))

    def step_of(self, radius: float) -> float:
        """The length of a step of PGD, in 1/255."""
        return radius * STEP_SHARE if self.attack_step is None else self.attack_step

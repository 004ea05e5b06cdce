"""The settings of sharpness-aware minimisation."""

from dataclasses import dataclass

from landscape.errors import InputError
from landscape.runtime.options import check_choices, check_numbers, option, refuse_negative
from landscape.training.schedules import decay

VARIANTS = ("sam", "asam", "gsam", "looksam")
# What --sam-alpha and --sam-every default to: 0.6 is that of GSAM's published configuration, of
# ViT-B/32 (big_vision, configs/proj/gsam/vit_i1k_gsam_no_aug.py), 0.7 and 5 are LookSAM's (its
# section 5.1).
ALPHA = {"gsam": 0.6, "looksam": 0.7}
EVERY = {"looksam": 5}


@dataclass(frozen=True)
class SamSettings:
    """How the weights are perturbed before a step; ``rho`` = 0 is plain training."""

    rho: float = option(0.0, "radius of the perturbation; 0 is plain training", metavar="RADIUS")
    sam: str = option(
        "sam",
        "sam (Foret et al. 2021); asam: scales the perturbation by |w| (Kwon et al. 2021); gsam: "
        "also closes the surrogate gap (Zhuang et al. 2022); looksam: reuses a SAM gradient for "
        "several steps (Liu et al. 2022)",
        choices=VARIANTS,
    )
    rho_schedule: str = option(
        "constant",
        "the radius over the run: constant, or from --rho to --rho-end along a line, along half a "
        "cosine, or in proportion to the learning rate (as in GSAM)",
        choices=("constant", "linear", "cosine", "lr"),
    )
    rho_end: float = option(0.0, "the radius at the end of a schedule", metavar="RADIUS")
    sam_start: float = option(0.0, "epochs of plain training before SAM", metavar="EPOCH")
    sam_stop: float | None = option(
        None, "the epoch after which training is plain again (default: never)", parse=float
    )
    sam_scope: str = option(
        "all",
        "which parameters are perturbed: all; norms (SAM-ON, Mueller et al. 2023); or a regular "
        "expression for their names, such as 'attn|head'",
        metavar="NAMES",
    )
    sam_batch: int = option(
        0,
        "number of samples of a process that share a perturbation (m-sharpness); 0: all of a batch",
        metavar="M",
    )
    sam_sync: bool = option(
        True,
        "under torchrun, all processes share a perturbation; with --no-sam-sync each has its own, "
        "as is the default of the published code",
    )
    sam_every: int | None = option(
        None, "perturb every Nth step; the others are plain (default: 1; 5 for looksam)", parse=int
    )
    sam_alpha: float | None = option(
        None, "weight of the correction (default: 0.6 for gsam, 0.7 for looksam)", parse=float
    )
    sam_eta: float = option(0.01, "asam: added to |w|")
    sam_scaled: str = option(
        "weight",
        "asam: which parameters |w| scales, by a regular expression for their names; weight: as in "
        "the authors' code, where biases are perturbed as in SAM; all: every one",
        metavar="NAMES",
    )

    def __post_init__(self) -> None:
        """Raise InputError for invalid values."""
        check_choices(self)
        refuse_negative(self, "rho", "rho_end", "sam_start", "sam_stop")
        refuse_negative(self, "sam_batch", "sam_alpha", "sam_eta")
        if self.sam_every is not None and self.sam_every < 1:
            raise InputError(f"--sam-every has to be positive, got {self.sam_every}")
        if self.sam_stop is not None and self.sam_stop <= self.sam_start:
            raise InputError(
                f"--sam-stop {self.sam_stop:g} has to be after --sam-start {self.sam_start:g}"
            )
        if self.rho == 0.0 and (self.sam != "sam" or self.rho_end):
            raise InputError("--sam and --rho-end need a radius: pass --rho too, such as --rho 0.1")
        check_numbers(self)

    def samples_per_perturbation(self, batch_size: int, processes: int) -> int:
        """The m of m-sharpness: how many samples determine a perturbation together.

        Args:
            batch_size: The samples of a batch, over all processes together.
            processes: The number of processes.
        """
        share = batch_size // processes
        return min(self.sam_batch or share, share) * (processes if self.sam_sync else 1)

    def rho_at(self, step: int, steps_per_epoch: int, total: int, rate: float) -> float:
        """The radius at a step; 0 for a plain step.

        Args:
            step: Counted from 0 over the whole run.
            steps_per_epoch: The number of steps of an epoch.
            total: The number of steps of the whole run.
            rate: The learning rate of the step as a share of the peak. With the schedule ``lr`` the
                radius is rho_end + (rho - rho_end) * rate (GSAM's equation 9, whose smallest
                learning rate is 0 here).
        """
        start = round(self.sam_start * steps_per_epoch)
        stop = total if self.sam_stop is None else round(self.sam_stop * steps_per_epoch)
        if not start <= step < stop:
            return 0.0
        share = rate if self.rho_schedule == "lr" else 1.0
        if self.rho_schedule in ("linear", "cosine"):
            share = decay((step - start) / max(min(stop, total) - start, 1), self.rho_schedule)
        if self.rho_schedule == "constant":
            return self.rho
        return self.rho_end + (self.rho - self.rho_end) * share

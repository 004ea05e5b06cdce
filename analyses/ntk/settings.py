"""The settings of the tangent kernel: at which weights, over which samples and outputs."""

from __future__ import annotations

from dataclasses import dataclass

from landscape.errors import InputError
from landscape.runtime.options import check_choices, check_numbers, option

# What becomes of the pairs of a sample and an output: the kernel over all of them, its sum over
# outputs, each output's own, and that of the sum of the logits.
VARIANTS = ("full", "summed", "logit", "logit_sum")


@dataclass(frozen=True)
class Settings:
    """At which weights, over which samples and outputs, and how often the kernel is measured."""

    ntk_at: str = option(
        "init",
        "init: networks with fresh weights, as in the paper; checkpoint: the network as it is",
        choices=("init", "checkpoint"),
    )
    ntk_samples: int = option(32, "samples of the kernel, drawn with --seed", metavar="N")
    ntk_outputs: int = option(
        10, "outputs of the kernel, drawn with --seed where there are more; 0: all", metavar="K"
    )
    ntk_seeds: int = option(
        3,
        "repetitions, each with other fresh weights or, at a checkpoint, other samples",
        metavar="N",
    )
    ntk_head: str = option(
        "random",
        "at init, what becomes of a head that starts at zero, as published for ViT and Mixer: "
        "random: drawn lecun-normal, as big_vision does for a head that is not zero; zero: left at "
        "zero, where all layers but the head have no derivatives",
        choices=("random", "zero"),
    )
    ntk_bn: str = option(
        "auto",
        "what BatchNorm normalises by. reestimate: statistics estimated from the kernel's samples; "
        "batch: those of the samples as one batch, through which derivatives go, as in training "
        "(TE-NAS); fixed: the stored ones, 0 and 1 in a network that was never trained; auto: "
        "reestimate at init, fixed at a checkpoint",
        choices=("auto", "reestimate", "batch", "fixed"),
    )
    ntk_reduction: str = option(
        "full",
        "the kernel that κ is of, in JSON and the paper's tables; all are measured. full: over "
        "pairs of samples and outputs; summed: its sum over outputs; logit: each output's own; "
        "logit_sum: of the sum of all logits (TE-NAS)",
        choices=VARIANTS,
    )
    ntk_precision: str = option(
        "fp64",
        "precision of the derivatives; the kernel is summed in fp64",
        choices=("fp64", "fp32"),
    )
    seed: int = 0

    @property
    def statistics(self) -> str:
        """What BatchNorm normalises by: ``reestimate``, ``batch`` or ``fixed``."""
        if self.ntk_bn != "auto":
            return self.ntk_bn
        return "reestimate" if self.ntk_at == "init" else "fixed"

    def __post_init__(self) -> None:
        """Raise InputError if a count is too small for a kernel."""
        check_choices(self)
        for name, least in (("ntk_samples", 2), ("ntk_outputs", 0), ("ntk_seeds", 1)):
            if getattr(self, name) < least:
                flag = name.replace("_", "-")
                raise InputError(f"--{flag} has to be at least {least}, got {getattr(self, name)}")
        check_numbers(self)

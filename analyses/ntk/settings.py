"""The settings of the tangent kernel: at which weights, over which samples and outputs."""

from __future__ import annotations

from dataclasses import dataclass

from landscape.errors import InputError
from landscape.runtime.options import option


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
        "random: drawn like other dense layers; zero: left at zero, where all layers but the head "
        "have no derivatives",
        choices=("random", "zero"),
    )
    ntk_precision: str = option(
        "fp64",
        "precision of the derivatives; the kernel is summed in fp64",
        choices=("fp64", "fp32"),
    )
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError if a count is too small for a kernel."""
        for name, least in (("ntk_samples", 2), ("ntk_outputs", 0), ("ntk_seeds", 1)):
            if getattr(self, name) < least:
                flag = name.replace("_", "-")
                raise InputError(f"--{flag} has to be at least {least}, got {getattr(self, name)}")

"""The share of weights that is left out at both ends."""

from dataclasses import dataclass

from landscape.runtime.options import option


@dataclass(frozen=True)
class Settings:
    """How much is left out."""

    left_out: float = option(0.0, "share of weights left out at both ends", metavar="SHARE")

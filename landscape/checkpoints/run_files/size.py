"""Whether a run's weights can be those of the network that its config.json describes."""

from pathlib import Path

from landscape.errors import InputError
from landscape.models.catalog import ModelSpec

# Networks of so many parameters are made in any case; reading the file says what is wrong with it.
ALWAYS_TAKEN = 2**24


def refuse_oversized_network(spec: ModelSpec, weights: Path) -> None:
    """Raise InputError if a network has more parameters than its file has bytes by far.

    They are counted without taking memory for them, since a damaged size may ask for any amount.
    Models that run code of others, to which this does not apply, are not counted.

    Args:
        spec: The network, from config.json.
        weights: The file that its weights are in.
    """
    size = weights.stat().st_size if weights.is_file() else 0
    count = spec.count_weights() or 0
    if weights.is_file() and count > size + ALWAYS_TAKEN:
        raise InputError(
            f"{weights} is truncated, or its config.json is damaged: {size:,} bytes can't hold the "
            f"{count:,} parameters of the network that it describes; restore both from a copy"
        )

"""Whether a run's weights can be those of the network that its config.json describes."""

from pathlib import Path

from landscape.errors import InputError
from landscape.models.catalog import ModelSpec


def refuse_oversized_network(spec: ModelSpec, weights: Path) -> None:
    """Raise InputError if a network has more parameters than its file has bytes.

    They are counted without taking memory for them, since a damaged size may ask for any amount.
    Models that run code of others, to which this does not apply, are not counted.

    Args:
        spec: The network, from config.json.
        weights: The file that its weights are in.
    """
    size = weights.stat().st_size if weights.is_file() else 0
    count = spec.count_weights() or 0
    if count > size > 0:  # an empty file has a message of its own
        raise InputError(
            f"the config.json of {weights} describes a network of {count:,} parameters, more than "
            f"the {size:,} bytes of the file can hold; restore config.json from a copy"
        )

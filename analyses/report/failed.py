"""What failed of a command, as its pages tell it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SharedReason:
    """A reason with all that failed for it, as pages and messages list them."""

    labels: tuple[str, ...]
    analyses: tuple[str, ...]
    reason: str

"""What is published of the benchmark."""

from benchmarks.paper.plan import Scale
from benchmarks.paper.steps import Journal


def publish(scale: Scale, journal: Journal, origin: str, *, into_repository: bool) -> None:
    """Write the page."""

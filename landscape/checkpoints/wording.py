"""Words of messages that several readers use."""

from collections.abc import Sequence


def list_some(items: Sequence[str], limit: int = 4) -> str:
    """The first few of these, and how many more there are."""
    rest = f" and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(items[:limit]) + rest

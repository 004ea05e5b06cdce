"""Results without what only their files need: vectors as long as the network has parameters."""

from typing import Protocol, runtime_checkable

from landscape.results.result import Result


@runtime_checkable
class HoldsVectors(Protocol):
    """A result that may hold directions or eigenvectors."""

    def without_vectors(self) -> Result:
        """The same without them."""


def without_vectors(result: Result) -> Result:
    """The result as pictures and tables need it, so that many fit into memory."""
    return result.without_vectors() if isinstance(result, HoldsVectors) else result

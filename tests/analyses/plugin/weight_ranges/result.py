"""The range of the weights of every tensor."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from landscape import Array, Result
from weight_ranges.settings import Settings


@dataclass(frozen=True)
class Ranges(Result):
    """Names of T tensors and ``ends`` (T, 2), their smallest and largest weights."""

    tensors: tuple[str, ...]
    ends: np.ndarray

    analysis: ClassVar[str] = "ranges"
    settings_type: ClassVar[type] = Settings

    def arrays(self):
        """Names and ends."""
        return {
            "tensors": Array(np.array(self.tensors, dtype=object), "", ("tensor",)),
            "ends": Array(self.ends, "weight", ("tensor", "end")),
        }

    @classmethod
    def from_arrays(cls, arrays, label, settings, provenance):
        """The inverse of :meth:`arrays`."""
        names = tuple(map(str, arrays["tensors"]))
        identity = {"label": label, "settings": settings, "provenance": provenance}
        return cls(names, arrays["ends"], **identity)

    def headline(self):
        """The ends by tensor."""
        return {"ranges": dict(zip(self.tensors, self.ends, strict=True))}

"""Which parameters a random direction moves, and what one filter of each is.

Li et al. (2018) normalise a direction filter by filter, which is defined for kernels. Their code
does not move tensors of one dimension (``ignore=biasbn``) and splits all others along dimension 0,
so that the whole position embedding of a ViT, of shape (1, N, D), is one filter. A policy defines
the filters for every kind of parameter, and results record them tensor by tensor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from landscape.errors import InputError
from landscape.parameters.kinds import KINDS

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from landscape.parameters.layout import ParameterLayout

# zero: not moved; copy: the direction is the weights themselves (in the code of Li et al. for
# tensors of one dimension that it does not ignore). The others define a filter: rows, each slice
# along dimension 0; vectors, each vector along the last dimension; whole, the tensor. A tensor of
# one dimension has no slices, and with rows it is not moved.
TREATMENTS = ("zero", "copy", "rows", "vectors", "whole")

_TOKENS = {"class-token": "whole", "position": "vectors"}
PRESETS: dict[str, dict[str, str]] = {
    # Slices along dimension 0 of every tensor of two or more dimensions, as in the original code.
    "li2018": dict.fromkeys(KINDS, "rows"),
    # Rows of dense kernels, channels of the patch embedding, and each position and token.
    "transformer": {**dict.fromkeys(KINDS, "rows"), **_TOKENS},
    # Everything moves; a tensor of one dimension is one filter.
    "all": {
        **dict.fromkeys(KINDS, "whole"),
        **_TOKENS,
        "kernel": "rows",
        "embedding": "rows",
    },
}
# Of BatchNorm's running statistics: a random variance would become negative, so none is drawn.
STATISTICS_TREATMENTS = ("zero", "copy")


@dataclass(frozen=True)
class Policy:
    """A treatment for each kind of parameter.

    Attributes:
        treatments: one of :data:`TREATMENTS` for each of :data:`landscape.parameters.kinds.KINDS`.
        statistics: one of :data:`STATISTICS_TREATMENTS`, for BatchNorm's running statistics.
    """

    treatments: Mapping[str, str]
    statistics: str = "zero"

    @classmethod
    def named(cls, preset: str = "li2018", overrides: Iterable[str] = ()) -> Policy:
        """A preset with changes.

        Args:
            preset: one of :data:`PRESETS`.
            overrides: changes in the form KIND=TREATMENT, such as ``bias=whole``.

        Raises:
            InputError: for an unknown preset, kind or treatment.

        Example:
            ``Policy.named("transformer", ["norm=whole"])``
        """
        if preset not in PRESETS:
            raise InputError(f"unknown policy {preset!r}; expected one of {', '.join(PRESETS)}")
        changed = dict(map(_parse, overrides))
        statistics = changed.pop("statistics", "zero")
        return cls({**PRESETS[preset], **changed}, statistics)

    def of(self, layout: ParameterLayout) -> tuple[str, ...]:
        """The treatment of each tensor of the layout."""
        return tuple(map(self._treatment, layout.kinds, layout.shapes))

    def _treatment(self, kind: str, shape: torch.Size) -> str:
        treatment = self.treatments[kind]
        return "zero" if treatment == "rows" and len(shape) <= 1 else treatment


def filters(tensor: Tensor, treatment: str) -> Tensor:
    """The filters of a tensor as rows, of shape (filters, entries); a view of it."""
    if treatment == "rows":
        return tensor.view(len(tensor), -1)
    if treatment == "vectors" and tensor.dim() > 1:
        return tensor.view(-1, tensor.shape[-1])
    return tensor.view(1, -1)


def parse_override(word: str) -> str:
    """Check an override ``KIND=TREATMENT`` and return it; raises InputError if it is invalid."""
    _parse(word)
    return word


def _parse(word: str) -> tuple[str, str]:
    kind, _, treatment = word.partition("=")
    known = STATISTICS_TREATMENTS if kind == "statistics" else TREATMENTS
    if kind not in (*KINDS, "statistics") or treatment not in known:
        raise InputError(
            f"expected KIND=TREATMENT, such as bias=whole, got {word!r}; kinds: "
            f"{', '.join(KINDS)}; treatments: {', '.join(TREATMENTS)}; or statistics=copy"
        )
    return kind, treatment

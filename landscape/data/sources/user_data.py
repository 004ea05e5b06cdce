"""The data that a user's own function returns, in any form that an objective takes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from landscape.data.batches import Batch, can_merge, merge
from landscape.data.resident import resident_batches
from landscape.data.samples import Normalization, Samples, TensorSamples
from landscape.data.settings import DataSettings
from landscape.errors import InputError
from landscape.runtime.user_files import call_user_function

_CPU = torch.device("cpu")
_READ_AT_ONCE = 256


@dataclass(frozen=True)
class BatchForm:
    """What the batches of a user's data may be like.

    Attributes:
        is_step: whether a training step takes them, which may be of any kind.
        is_whole: whether batches have to stay in one piece.
        most_samples: how many samples are read; 0 reads all.
    """

    is_step: bool = False
    is_whole: bool = False
    most_samples: int = 0


@dataclass(frozen=True)
class BatchedSamples:
    """Samples whose inputs are no single tensor: dicts, tuples, graphs, what a step takes.

    Attributes:
        batches: one batch of all samples where these can be joined; else those of the data.
    """

    batches: tuple[Batch, ...]

    @property
    def targets(self) -> Tensor:
        """The targets if they are one tensor; else zeros, which are no class numbers."""
        first = self.batches[0].targets
        if len(self.batches) == 1 and isinstance(first, Tensor):
            return first
        return torch.zeros(len(self))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Empty: no single tensor is the input."""
        return ()

    @property
    def classes(self) -> Sequence[str]:
        """Empty: the names of classes are not known."""
        return ()

    def __len__(self) -> int:
        return sum(batch.size for batch in self.batches)

    def fetch(self, indices: Tensor) -> Tensor:  # noqa: ARG002
        """Raise InputError: nothing of this can be stacked to one tensor."""
        raise InputError("this takes inputs that are one tensor; the data's are of another kind")

    def take(self, indices: Tensor) -> "BatchedSamples":
        """The samples at ``indices``, or, where batches can't be joined, the first so many."""
        if len(indices) == len(self):
            return self
        if len(self.batches) == 1 and not self.batches[0].is_whole:
            return BatchedSamples((self.batches[0].take(indices),))
        kept: list[Batch] = []
        for batch in self.batches:
            if kept and sum(item.size for item in kept) + batch.size > len(indices):
                break
            kept.append(batch)
        return BatchedSamples(tuple(kept))

    def as_data(self) -> Any:
        """The samples in a form that an objective reads: a pair to be cut, or batches."""
        first = self.batches[0]
        if len(self.batches) == 1 and not first.is_whole and first.targets is not None:
            return first.as_given
        return [piece.as_given for batch in self.batches for piece in _pieces(batch)]


def read_user_data(
    settings: DataSettings,
    split: str,
    normalization: Normalization | None,
    form: BatchForm,
) -> Samples:
    """Call FILE.py:FUNCTION and read once what it returns.

    The function may have any of the parameters split, data_dir and image_size. It returns a pair of
    tensors, a Dataset, an iterable of batches, or a dict of these by split.

    Args:
        settings: which data.
        split: ``train``, ``test`` or ``val``.
        normalization: of pixels.
        form: what batches may be like, and how many samples are read.

    Raises:
        InputError: the function fails, or returns something else.
    """
    arguments = {
        "split": split,
        "data_dir": settings.data_dir or None,
        "image_size": settings.image_size or None,
    }
    data = call_user_function(settings.data, arguments, strict=False)
    if isinstance(data, Mapping) and {split, "train", "val", "test"} & set(data):
        names = [name for name in (split, "val") if name in data]
        if not names or (split == "train" and "train" not in data):
            raise InputError(f"{settings.data} has no split {split!r}, only {', '.join(data)}")
        data = data[names[0]]
    try:
        batches = resident_batches(
            data,
            _READ_AT_ONCE,
            _CPU,
            None,
            is_step=form.is_step,
            whole=form.is_whole,
            samples=form.most_samples,
        )
    except Exception as error:  # the user's own code runs while their data is read
        raise InputError(
            f"the data that {settings.data} returned can't be read: {error}"
        ) from error
    first = batches[0]
    if all(can_merge(first, batch) for batch in batches[1:]) and not first.is_whole:
        batches = [merge(batches)]
    joined = batches[0]
    is_pair = isinstance(joined.inputs, Tensor) and isinstance(joined.targets, Tensor)
    if len(batches) > 1 or joined.is_whole or not is_pair:
        if normalization is not None:
            raise InputError("--mean and --std are for pictures, which these data are not")
        return BatchedSamples(
            tuple(replace(batch, targets=_as_labels(batch.targets)) for batch in batches)
        )
    return TensorSamples(joined.inputs, _as_labels(joined.targets), (), normalization)


def _pieces(batch: Batch) -> Iterator[Batch]:
    """A batch in pieces of the size in which data are read."""
    if batch.is_whole:
        yield batch
        return
    for start in range(0, batch.size, _READ_AT_ONCE):
        yield batch.slice(start, min(start + _READ_AT_ONCE, batch.size))


def _as_labels(targets: Any) -> Any:
    """Whole numbers as 64-bit integers, the only ones that torch's losses take as classes."""
    is_whole = isinstance(targets, Tensor) and not (
        targets.is_floating_point() or targets.is_complex()
    )
    return targets.long() if is_whole else targets

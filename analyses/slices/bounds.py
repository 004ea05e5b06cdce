"""Between which numbers the values of points lie."""

from landscape.slices.refinement import UNBOUNDED

PER_CENT, FRACTION, NOT_NEGATIVE = (0.0, 100.0), (0.0, 1.0), (0.0, UNBOUNDED[1])
# Of a split, by what follows its name.
BOUNDS = {
    "acc": PER_CENT,
    "top5_error": PER_CENT,
    "confidence": FRACTION,
    "loss_stderr": NOT_NEGATIVE,
}


def bounds_of(name: str, splits: list[str]) -> tuple[float, float]:
    """The least and the largest number that a value can be, by its name.

    Args:
        name: such as ``train_acc``.
        splits: those that are evaluated.
    """
    bounded = (BOUNDS.get(name.removeprefix(f"{split}_")) for split in splits)
    return next((bounds for bounds in bounded if bounds), UNBOUNDED)

"""The lines that tell how a training ended."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from landscape.checkpoints.run import RunDirectory
from landscape.runtime.console import show
from landscape.training.state import Row


def show_result(run: RunDirectory, row: Row) -> None:
    """Print the result of the last epoch."""
    show(
        f"{run.path}: epoch {int(row['epoch'])}, train loss {row['train_loss']:.4f}, "
        f"val loss {row['val_loss']:.4f}, val accuracy {row['val_accuracy']:.2f}%"
    )


def show_spread(folder: Path, rows: Sequence[Row]) -> None:
    """Print means and standard deviations over the seeds."""
    cells = []
    for column, title, digits in (
        ("train_loss", "train loss", 4),
        ("val_loss", "val loss", 4),
        ("val_accuracy", "val accuracy (%)", 2),
    ):
        values = [row[column] for row in rows]
        mean, deviation = statistics.fmean(values), statistics.stdev(values)
        cells.append(f"{title} {mean:.{digits}f} ± {deviation:.{digits}f}")
    show(f"{folder}: {len(rows)} seeds, mean ± standard deviation: {', '.join(cells)}")

"""Stage (e): a ViT-S/4 on 50,000 pictures of 32 pixels, plain and with SAM, and its curvature."""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.gpu.pictures import write_synthetic_pictures
from benchmarks.gpu.records import Measurement
from benchmarks.gpu.stages import Work
from landscape.checkpoints.load import load_checkpoint
from landscape.checkpoints.run import RunDirectory
from landscape.cli import main as landscape_train
from landscape.data.catalog import load_data
from landscape.data.settings import DataSettings
from landscape.objective.objective import Objective
from landscape.slices.extremes import extreme_eigenvalues

RHO = 0.1
MOST_EPOCHS = 20
# What is kept of the time for the curvature of both networks.
RESERVE = 0.35
# An epoch of plain training and one of SAM take so many plain epochs.
EPOCHS_OF_BOTH = 3.2


@dataclass(frozen=True)
class Sizes:
    """How much is trained and measured."""

    model: Sequence[str]
    training: int
    test: int
    batch_size: int
    samples: int
    precision: str = "bf16"


SIZES = Sizes(
    ("dim=384", "depth=12", "heads=6", "mlp_dim=1536", "patch_size=4"), 50_000, 10_000, 512, 512
)
DRY_SIZES = Sizes(
    ("dim=8", "depth=1", "heads=2", "mlp_dim=8", "patch_size=16"), 40, 10, 40, 8, "fp32"
)


def measure(work: Work) -> None:
    """Train both networks for as many epochs as there is time for, and measure them."""
    sizes = DRY_SIZES if work.is_dry else SIZES
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data = work.data_dir
        if not data:
            write_synthetic_pictures(folder, sizes.training, sizes.test)
            data = temporary
        pictures = "CIFAR-10" if work.data_dir else "synthetic pictures, not CIFAR-10"
        first = _train(work, sizes, data, folder / "first", rho=0.0, epochs=1)
        affordable = (1 - RESERVE) * work.seconds_left / (EPOCHS_OF_BOTH * first["seconds"])
        epochs = 1 if work.is_dry else max(1, min(MOST_EPOCHS, math.floor(affordable)))
        for name, rho in (("plain", 0.0), ("SAM", RHO)):
            row = _train(work, sizes, data, folder / name, rho=rho, epochs=epochs)
            what = f"ViT-S/4 at 32, {name}"
            note = f"{pictures}, {epochs} epochs, {sizes.precision}"
            for measurement in (
                Measurement(f"{what}: training", row["images_per_second"], "images/s", note=note),
                Measurement(f"{what}: training loss", row["train_loss"], "nats", note=note),
                Measurement(f"{what}: validation loss", row["val_loss"], "nats", note=note),
                Measurement(f"{what}: validation accuracy", row["val_accuracy"], "%", note=note),
            ):
                work.recorder.measured(measurement)
        for name in ("plain", "SAM"):
            _measure_curvature(work, sizes, data, folder / name, name)


def _train(
    work: Work, sizes: Sizes, data: str, run: Path, *, rho: float, epochs: int
) -> dict[str, float]:
    """Train with landscape-train; returns the last row of metrics.csv.

    Raises:
        RuntimeError: the command failed.
    """
    words = ["--model", "vit", "--model-args", *sizes.model, "--data", "cifar10"]
    words += ["--data-dir", data, "--epochs", str(epochs), "-b", str(sizes.batch_size)]
    words += ["--warmup-epochs", "0.5", "--augment", "none", "--rho", str(rho)]
    words += [
        "--device",
        str(work.device),
        "--precision",
        sizes.precision,
        "--output-dir",
        str(run),
    ]
    status = landscape_train([*words, "--quiet"])
    if status:
        raise RuntimeError(f"landscape-train ended with {status}")
    return RunDirectory(run).read_metrics()[-1]


def _measure_curvature(work: Work, sizes: Sizes, data: str, run: Path, name: str) -> None:
    """Record the largest eigenvalue of the Hessian on the first training samples."""
    samples = load_data(DataSettings(data="cifar10", data_dir=data), "train")
    chosen = torch.arange(min(sizes.samples, len(samples)))
    batch = samples.fetch(chosen), samples.targets[chosen]
    objective = Objective(
        load_checkpoint(run).model, batch, batch_size=256, device=work.device, verify=False
    )
    _, largest, residual = extreme_eigenvalues(objective)
    note = f"{len(chosen)} samples, residual {residual:.1e} of the largest magnitude"
    work.recorder.measured(Measurement(f"ViT-S/4 at 32, {name}: λ_max", largest, note=note))

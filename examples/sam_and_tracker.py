"""A convolutional network of your own in a plain training loop, without SAM and with it.

A ``landscape.Tracker`` measures the largest Hessian eigenvalue and the trace during both trainings,
which stay the same to the bit. Printed is a row for each measurement, with the residual of the
eigenvalue and the standard error of the trace; a curve of both trainings is drawn. One run of each
shows how to measure, and can't decide what SAM does (docs/replicates.md).

    python examples/sam_and_tracker.py [FOLDER]
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import Tensor, nn

from landscape import SAM, Tracker

EPOCHS, EVERY, BATCH = 6, 2, 128


def make_model() -> nn.Module:
    """The same initial weights for both trainings."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Unflatten(1, (1, 8)),
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, 10),
    )


def train(images: Tensor, labels: Tensor, rho: float, folder: Path) -> Tracker:
    """Train with SGD, or with SAM around it, and track it in ``folder``."""
    model = make_model()
    optimizer = SAM(
        model.parameters(), torch.optim.SGD, rho=rho, lr=0.05, momentum=0.9, model=model
    )
    tracker = Tracker(folder, (images[:256], labels[:256]), every=EVERY)  # a fixed sample
    tracker.at(0, model, optimizer)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(images)).split(BATCH):

            def closure(rows: Tensor = rows) -> Tensor:
                loss = F.cross_entropy(model(images[rows]), labels[rows])
                loss.backward()
                return loss

            optimizer.step(closure)  # with rho=0 a single pass
        tracker.step(model, optimizer)  # counts an epoch here, and measures every second one
    return tracker


def main(folder: Path) -> None:
    """Train twice, print what was recorded, and draw it."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32) / 16
    labels = torch.tensor(digits.target)
    page = Figure(figsize=(4.5, 3), layout="constrained")
    axes = page.subplots()
    for name, rho in (("SGD", 0.0), ("SAM", 0.1)):
        rows = train(images, labels, rho, folder / name).rows
        for row in rows:
            print(
                f"{name} epoch {row['epoch']:.0f}: loss {row['train_loss']:.3f}, "
                f"λ₁ {row['lambda_1']:.2f} (residual {row['lambda_1_residual']:.0e}), "
                f"trace {row['trace']:.0f} ± {row['trace_stderr']:.0f}"
            )
        axes.plot(
            [row["epoch"] for row in rows], [row["lambda_1"] for row in rows], "o-", label=name
        )
    axes.set(xlabel="epoch", ylabel="largest Hessian eigenvalue λ₁ (nats)", ylim=(0, None))
    axes.legend()
    page.savefig(folder / "sam_and_tracker.png", dpi=150)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "figures/examples"))

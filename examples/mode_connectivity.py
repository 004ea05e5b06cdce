"""Mode connectivity: is there a barrier of loss on the line between two trained networks?

Two trainings from different initial weights are compared with two that share their first epochs
and then see their batches in different orders (Frankle et al., ICML 2020). Printed is the height of
both barriers with its standard error and its place on the line; a negative one says that the loss
lies below the straight line between its ends. Both lines are drawn together.

    python examples/mode_connectivity.py [FOLDER]
"""

import copy
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

from analyses import interpolate


def make_model(seed: int) -> nn.Module:
    """A network with fresh weights."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def train(model: nn.Module, images: Tensor, labels: Tensor, epochs: int, seed: int) -> nn.Module:
    """A trained copy of ``model``; ``seed`` is that of the order of the batches."""
    model = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(epochs):
        for rows in torch.randperm(len(images), generator=generator).split(64):
            optimizer.zero_grad()
            F.cross_entropy(model(images[rows]), labels[rows]).backward()
            optimizer.step()
    return model


def main(folder: Path) -> None:
    """Train the networks, measure the lines between them, and draw both."""
    folder.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32) / 16
    data = images, torch.tensor(digits.target)

    shared = train(make_model(0), *data, epochs=2, seed=0)
    pairs = {
        "different initial weights": [
            train(make_model(k), *data, epochs=8, seed=k) for k in (1, 2)
        ],
        "two epochs shared": [train(shared, *data, epochs=6, seed=k) for k in (1, 2)],
    }
    results = []
    for label, (first, second) in pairs.items():
        other = folder / "second.pt"  # any file of weights, or the directory of a run
        torch.save(second.state_dict(), other)
        result = interpolate.of(
            first, data, toward_x=str(other), x=(-0.2, 1.2, 29), origin={"label": label}
        )
        barrier = result.barriers()["train"]
        print(
            f"{label}: barrier {barrier.height:.4f} ± {barrier.stderr:.4f} nats "
            f"at {barrier.place:.2f} of the way"
        )
        results.append(result)
    page = interpolate.draw(results)["interpolate"]
    page.savefig(folder / "mode_connectivity.png", dpi=150)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "figures/examples"))

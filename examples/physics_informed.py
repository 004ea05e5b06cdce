"""A physics-informed network: the loss takes derivatives of the network by its inputs.

The network u solves u'' = -sin(x) with u(0) = u(π) = 0, whose solution is sin(x). Its loss has no
targets and no outputs that a loss function could take, so it is given as a training step. Printed
are the loss, the distance from the exact solution, and both ends of the Hessian's spectrum with
their residuals; the loss along the two first eigenvectors is drawn.

    python examples/physics_informed.py [FOLDER]
"""

import math
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from analyses import hessian, surface
from landscape import Objective


def residual_loss(model: nn.Module, batch: tuple[Tensor]) -> Tensor:
    """The mean square of u'' + sin(x) over the points, and that of u at both ends."""
    (points,) = batch
    points = points.detach().requires_grad_()
    u = model(points)
    (slope,) = torch.autograd.grad(u.sum(), points, create_graph=True)
    (curve,) = torch.autograd.grad(slope.sum(), points, create_graph=True)
    ends = model(torch.tensor([[0.0], [math.pi]]).to(points))
    return (curve + points.sin()).square().mean() + ends.square().mean()


def train(points: Tensor) -> nn.Module:
    """A small network after a short training."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh())
    model.append(nn.Linear(16, 1)).to(torch.float64)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        residual_loss(model, (points,)).backward()
        optimizer.step()
    return model


def main(folder: Path) -> None:
    """Train, measure and draw."""
    points = torch.linspace(0, math.pi, 64, dtype=torch.float64)[:, None]
    model = train(points)
    with torch.no_grad():
        distance = (model(points) - points.sin()).abs().max().item()
    print(f"largest distance from sin(x): {distance:.4f}")

    # All points are one batch: the term of the ends belongs to the whole sample.
    objective = Objective(model, [(points,)], step=residual_loss, dtype=torch.float64)
    spectrum = hessian.compute(objective, hessian.Settings(top=3, quick=True))
    print(f"loss {spectrum.loss:.2e}, norm of the gradient {spectrum.gradient_norm:.1e}")
    for value, residual in zip(spectrum.eigenvalues, spectrum.residuals, strict=True):
        print(f"λ {value:.4g}, and a true eigenvalue within {abs(value) * residual:.0e}")

    settings = surface.Settings(directions="eigenvector", x=(-0.1, 0.1, 15), y=(-0.1, 0.1, 15))
    folder.mkdir(parents=True, exist_ok=True)
    page = surface.compute(objective, settings).plot()["surface"]
    page.savefig(folder / "physics_informed.png", dpi=150)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "figures/examples"))

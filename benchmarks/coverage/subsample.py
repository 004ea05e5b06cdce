"""How far the largest Hessian eigenvalue of a subsample is from that of all the data.

    python -m benchmarks.coverage.subsample [--json FILE]        about four minutes on one core

A small ViT is trained on the 1,442 digits, whose Hessian's largest eigenvalue is the truth. Random
subsamples of every size give the plain eigenvalue of the subsample, the extrapolated one (twice it
less the mean of its halves) and the held-out one (the Rayleigh quotient of one half's eigenvector
with the other half). The table has the mean of each relative to the truth, with its standard error,
the root mean square error of each, and how often the truth is between the held-out value and the
plain one.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from landscape import Objective
from landscape.curvature.held_out import held_out
from landscape.curvature.operators import CurvatureOperator
from landscape.data.sources.digits import digits
from landscape.eigen.eigenpairs import WITH_ENDS
from landscape.eigen.lanczos import lanczos
from landscape.models.vit import VisionTransformer

ESTIMATES = ("plain", "extrapolated", "held out")
TOLERANCE = 1e-3


def trained(inputs: Tensor, targets: Tensor, steps: int) -> nn.Module:
    """A ViT of two blocks after some steps of AdamW on mini-batches of 64."""
    torch.manual_seed(0)
    model = VisionTransformer(
        image_size=8,
        patch_size=2,
        dim=32,
        depth=2,
        heads=2,
        mlp_dim=64,
        num_classes=10,
        channels=1,
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
    for _ in range(steps):
        chosen = torch.randint(len(targets), (64,))
        optimizer.zero_grad()
        F.cross_entropy(model(inputs[chosen]), targets[chosen]).backward()
        optimizer.step()
    return model.eval()


def largest(objective: Objective, generator: torch.Generator) -> float:
    """The largest eigenvalue of the Hessian over the objective's sample."""
    pairs = lanczos(
        CurvatureOperator(objective),
        1,
        generator,
        tolerance=TOLERANCE,
        hint=objective.gradient(),
        which=WITH_ENDS,
        multiplicity=False,
    )
    return pairs.ends.eigenvalues[0].item()


def estimates(objective: Objective, generator: torch.Generator) -> tuple[float, float, float]:
    """The plain, the extrapolated and the held-out estimate of one subsample."""
    plain = largest(objective, generator)
    halves = held_out(objective, generator, tolerance=TOLERANCE)
    assert halves is not None
    return plain, halves.extrapolated(plain), halves.lower.value


def row(samples: int, values: NDArray[np.float64], truth: float) -> dict[str, Any]:
    """What subsamples of one size say, from estimates of shape (repeats, 3)."""
    relative = values / truth - 1
    spread = relative.std(0, ddof=1) / np.sqrt(len(relative))
    encloses = (values[:, 2] <= truth) & (truth <= values[:, 0])
    return {
        "samples": samples,
        "bias": dict(zip(ESTIMATES, relative.mean(0).tolist(), strict=True)),
        "standard error": dict(zip(ESTIMATES, spread.tolist(), strict=True)),
        "rms": dict(zip(ESTIMATES, np.sqrt((relative**2).mean(0)).tolist(), strict=True)),
        "enclosed": float(encloses.mean()),
    }


def main() -> None:
    """Print a row for each size of subsamples."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20, help="subsamples of each size")
    parser.add_argument("--steps", type=int, default=400, help="of training")
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64, 128, 256, 512])
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    samples = digits("train")
    everything = torch.arange(len(samples))
    inputs, targets = samples.fetch(everything), samples.targets
    model = trained(inputs, targets, arguments.steps)
    generator = torch.Generator().manual_seed(0)
    whole = Objective(model, (inputs, targets), device="cpu")
    truth = largest(whole, generator)
    print(f"loss {whole.loss():.4f}, largest eigenvalue of all {len(samples):,}: {truth:.4g}\n")
    columns = [f"{name}, bias % (rms)" for name in ESTIMATES]
    print(f"| samples | {' | '.join(columns)} | truth enclosed, % |")
    print("|---:" * (len(columns) + 2) + "|")
    rows = []
    for size in arguments.sizes:
        values = []
        for _ in range(arguments.repeats):
            chosen = torch.randperm(len(samples), generator=generator)[:size]
            part = Objective(model, (inputs[chosen], targets[chosen]), device="cpu", verify=False)
            values.append(estimates(part, generator))
        rows.append(row(size, np.array(values), truth))
        cells = [
            f"{100 * rows[-1]['bias'][name]:+.1f} ± {100 * rows[-1]['standard error'][name]:.1f} "
            f"({100 * rows[-1]['rms'][name]:.1f})"
            for name in ESTIMATES
        ]
        print(f"| {size} | {' | '.join(cells)} | {100 * rows[-1]['enclosed']:.0f} |", flush=True)
    if arguments.json:
        content = {"truth": truth, "all": len(samples), "sizes": rows}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()

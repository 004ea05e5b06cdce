"""What the proof of an objective costs, in forward passes over its data.

For each network the times, the least of several, of an objective with and without its proof, and of
one evaluation of the loss.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from landscape import Objective
from landscape.models.catalog import resolve_model

NETWORKS = ("vit-tiny", "mixer-tiny", "resnet-tiny")
FACTS = {"image_size": 32, "channels": 3, "num_classes": 10}


def measure(name: str, samples: int, repeats: int) -> dict[str, Any]:
    """The times of one network, in seconds, and the proof in forward passes."""
    torch.manual_seed(0)
    model = resolve_model(name, {}, FACTS).build().eval()
    data = torch.randn(samples, 3, 32, 32), torch.randint(10, (samples,))

    def objective(*, verify: bool) -> Objective:
        return Objective(model, data, device="cpu", verify=verify)

    forward = _least(objective(verify=False).evaluate, repeats)
    without = _least(lambda: objective(verify=False), repeats)
    proved = _least(lambda: objective(verify=True), repeats)
    return {
        "network": name,
        "forward pass": forward,
        "without proof": without,
        "with proof": proved,
        "proof in forward passes": (proved - without) / forward,
    }


def _least(function: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def main() -> None:
    """Print a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(name, arguments.samples, arguments.repeats) for name in NETWORKS]
    for row in rows:
        print({key: round(v, 3) if isinstance(v, float) else v for key, v in row.items()})
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()

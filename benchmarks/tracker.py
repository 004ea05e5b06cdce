"""What a measurement of a Tracker costs, in steps of the training that it records.

Steps and measurements are timed in turn; for each network the medians and the range are printed.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from landscape import Tracker
from landscape.models.catalog import resolve_model

NETWORKS = ("resnet-tiny", "vit-tiny")
FACTS = {"image_size": 8, "channels": 1, "num_classes": 10}
BATCH, SAMPLE = 128, 256
QUANTITIES = {
    "all": ("lambda_1", "trace", "grad_norm", "surrogate_gap"),
    "norm and gap": ("grad_norm", "surrogate_gap"),
}


def measure(name: str, rounds: int) -> list[dict[str, Any]]:
    """For each set of quantities the cost of a measurement in steps: median, least and most."""
    torch.manual_seed(0)
    model = resolve_model(name, {}, FACTS).build()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    inputs, targets = torch.randn(SAMPLE, 1, 8, 8), torch.randint(10, (SAMPLE,))

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(inputs[:BATCH]), targets[:BATCH]).backward()
        optimizer.step()

    rows = []
    for kind, quantities in QUANTITIES.items():
        with tempfile.TemporaryDirectory() as folder:
            tracker = Tracker(Path(folder) / "run", (inputs, targets), quantities=quantities)
            tracker.step(model, optimizer)  # the first one also verifies the loss
            ratios = []
            for _ in range(rounds):
                seconds = _seconds(step, times=10) / 10
                ratios.append(_seconds(partial(tracker.step, model, optimizer)) / seconds)
        rows.append(
            {
                "network": name,
                "quantities": kind,
                "steps": statistics.median(ratios),
                "least": min(ratios),
                "most": max(ratios),
            }
        )
    return rows


def _seconds(function: Callable[[], None], times: int = 1) -> float:
    started = time.perf_counter()
    for _ in range(times):
        function()
    return time.perf_counter() - started


def main() -> None:
    """Print a row for each network and set of quantities."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for name in NETWORKS for row in measure(name, arguments.rounds)]
    for row in rows:
        print({key: round(v, 1) if isinstance(v, float) else v for key, v in row.items()})
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()

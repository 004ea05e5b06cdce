"""The search for the settings of the miniature: everything that was tried, and what it gave.

    python -m benchmarks.paper.search            train what is not trained yet; write search.json

One seed that the miniature does not use, validated on test pictures that it does not use. The
radius of SAM and the number of pictures were searched; all else was set beforehand, and nothing was
tried that is not listed here.
"""

import argparse
import csv
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.paper.places import add_commands_to_path, find_cifar10
from benchmarks.paper.plan import (
    ADAMW,
    BASIC,
    CROPS,
    FULL,
    MIXER,
    RESNET,
    SGD,
    STRONG,
    VIT,
    Network,
    Scale,
)
from benchmarks.paper.steps import Journal, Step, run_steps, sole_worker
from landscape.results.files import make_directory

SEED = 100
RECORD = Path(__file__).with_name("search.json")
LARGE = replace(
    FULL, name="paper-search-4000", seeds=(SEED,), training=400, validation=(0, 200), epochs=40
)
SMALL = replace(LARGE, name="paper-search-2000", training=200)
SHORT = replace(LARGE, name="paper-search-short", epochs=30)
LONG = replace(SMALL, name="paper-search-2000-long", epochs=60)
LONGEST = replace(SMALL, name="paper-search-1000-long", training=100, epochs=120)


FINAL = replace(LONGEST, name="paper-search-final", epochs=300, validation=(0, 100))
VIT64 = "--model vit --model-args patch_size=8 dim=64 depth=4 heads=4 mlp_dim=128"
MIXER64 = "--model mixer --model-args patch_size=8 dim=64 depth=4 token_dim=32 channel_dim=256"


@dataclass(frozen=True)
class Candidate:
    """Settings that were tried, at a size."""

    scale: Scale
    network: Network

    @property
    def metrics(self) -> Path:
        """The log of its training."""
        return self.scale.run(self.network, SEED) / "metrics.csv"


CANDIDATES = (
    Candidate(FINAL, Network("small-vit-rho-0", f"{VIT64} {ADAMW} {CROPS}", 0.0)),
    Candidate(FINAL, Network("small-vit-rho-0.1", f"{VIT64} {ADAMW} {CROPS}", 0.1)),
    Candidate(FINAL, Network("small-vit-rho-0.05", f"{VIT64} {ADAMW} {CROPS}", 0.05)),
    Candidate(FINAL, Network("small-mixer-rho-0", f"{MIXER64} {ADAMW} {CROPS}", 0.0)),
    Candidate(FINAL, Network("small-mixer-rho-0.2", f"{MIXER64} {ADAMW} {CROPS}", 0.2)),
    Candidate(LONG, Network("vit-crops-rho-0", f"{VIT} {ADAMW} {CROPS}", 0.0)),
    Candidate(LONGEST, Network("vit-crops-rho-0", f"{VIT} {ADAMW} {CROPS}", 0.0)),
    Candidate(LONGEST, Network("vit-crops-rho-0.1", f"{VIT} {ADAMW} {CROPS}", 0.1)),
    Candidate(LONG, Network("vit-crops-rho-0.1", f"{VIT} {ADAMW} {CROPS}", 0.1)),
    *(
        Candidate(SHORT, Network(f"{name}-crops-rho-{rho:g}", f"{model} {ADAMW} {CROPS}", rho))
        for name, model, radii in (("vit", VIT, (0.0, 0.2)), ("mixer", MIXER, (0.0, 0.4)))
        for rho in radii
    ),
    *(
        Candidate(LARGE, Network(f"{name}-rho-{rho:g}", f"{model} {ADAMW} {BASIC}", rho))
        for name, model in (("vit", VIT), ("mixer", MIXER))
        for rho in (0.0, 0.2)
    ),
    *(
        Candidate(SMALL, Network(f"{name}-rho-{rho:g}", f"{model} {optimizer} {augmentation}", rho))
        for name, model, optimizer, augmentation, radii in (
            ("vit", VIT, ADAMW, BASIC, (0.0, 0.1, 0.2)),
            ("mixer", MIXER, ADAMW, BASIC, (0.0, 0.2, 0.4)),
            ("resnet", RESNET, SGD, BASIC, (0.0, 0.1)),
            ("vit-aug", VIT, ADAMW, STRONG, (0.0,)),
        )
        for rho in radii
    ),
)


def main() -> None:
    """Train the candidates that are not trained yet, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where CIFAR-10 is")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N")
    arguments = parser.parse_args()
    add_commands_to_path()
    for scale in (SHORT, LARGE, SMALL):
        with sole_worker(make_directory(scale.runs)) as lock:
            scale.prepare(find_cifar10(arguments.data_dir))
            steps = [
                _step(candidate) for candidate in CANDIDATES if candidate.scale.name == scale.name
            ]
            journal = Journal(scale.runs / "journal.jsonl")
            run_steps(steps, journal, jobs=arguments.jobs, lock=lock)
    RECORD.write_text(json.dumps([_outcome(each) for each in CANDIDATES], indent=1) + "\n")


def _step(candidate: Candidate) -> Step:
    scale, network = candidate.scale, candidate.network
    run = scale.run(network, SEED)
    return Step(
        name=network.label,
        command=scale.training_of(network, SEED),
        weight=float(network.passes),
        begun=run / "config.json",
        continuing=f"landscape-train --resume --output-dir {run} --quiet",
    )


def _outcome(candidate: Candidate) -> dict[str, Any]:
    """What a candidate has reached at its end."""
    with candidate.metrics.open(newline="") as lines:
        last = list(csv.DictReader(lines))[-1]
    return {
        "network": candidate.network.label,
        "flags": candidate.network.flags,
        "rho": candidate.network.rho,
        "training pictures": 10 * candidate.scale.training,
        "epochs": int(last["epoch"]),
        "training error, %": float(last["train_error"]),
        "held-out accuracy, %": float(last["val_accuracy"]),
        "held-out loss": float(last["val_loss"]),
    }


if __name__ == "__main__":
    main()

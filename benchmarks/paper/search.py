"""The search for the settings of the miniature: everything that was tried, and what it gave.

    python -m benchmarks.paper.search            train what is not trained yet; write search.json

One seed that the miniature does not use, validated on test pictures that it does not use. Searched
were the radius of SAM, the number of pictures, the epochs, the width, and whether pictures are
cropped and flipped. Some trainings were stopped when they had said enough: the record has their
last epoch, and the page names those that were stopped at once.
"""

import argparse
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.paper.places import add_commands_to_path, find_cifar10
from benchmarks.paper.plan import (
    ADAMW,
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
from benchmarks.paper.steps import Journal, Step, run_steps
from benchmarks.paper.work import training_step
from landscape.checkpoints.run import RunDirectory
from landscape.results.lock import locked

SEED = 100
RECORD = Path(__file__).with_name("search.json")
# The sizes that were tried first: about 350,000 parameters.
WIDE_VIT = "--model vit --model-args patch_size=8 dim=96 depth=4 heads=4 mlp_dim=192"
WIDE_MIXER = "--model mixer --model-args patch_size=8 dim=96 depth=4 token_dim=48 channel_dim=384"
NONE = "--augment none"


@dataclass(frozen=True)
class Candidate:
    """Settings that were tried, on so many pictures."""

    pictures: int
    network: Network

    @property
    def scale(self) -> Scale:
        """The size and the folders of its training."""
        return replace(
            FULL,
            name=f"paper-search-{self.pictures}",
            seeds=(SEED,),
            training=self.pictures // 10,
            validation=(0, 200),
        )

    @property
    def run(self) -> Path:
        """Its run directory."""
        return self.scale.run(self.network, SEED)

    @property
    def curvature(self) -> Path:
        """The file with its λ_max."""
        return self.scale.figures / self.network.label / f"seed-{SEED}" / "hessian.json"

    def steps(self) -> list[Step]:
        """Its training, and the measurement of λ_max of the training loss."""
        training = training_step(self.scale, self.network, SEED)
        measuring = Step(
            name=f"measure {self.network.label}",
            command=(
                f"landscape-plot hessian {self.run} --quick --top 1 --samples 512 --device cpu "
                f"--format none --quiet --output-dir {self.scale.figures}"
            ),
            weight=30.0,
            after=(training.name,),
        )
        return [training, measuring]


def tried(pictures: int, name: str, flags: str, epochs: int, *radii: float) -> list[Candidate]:
    """A candidate for each radius of SAM."""
    return [
        Candidate(pictures, Network(f"{name}-rho-{rho:g}", flags, rho, epochs)) for rho in radii
    ]


CANDIDATES = (
    *tried(4000, "vit", f"{WIDE_VIT} {ADAMW} {NONE}", 40, 0.0, 0.2),
    *tried(4000, "mixer", f"{WIDE_MIXER} {ADAMW} {NONE}", 40, 0.0, 0.2),
    *tried(2000, "vit", f"{WIDE_VIT} {ADAMW} {NONE}", 40, 0.0, 0.1, 0.2),
    *tried(2000, "mixer", f"{WIDE_MIXER} {ADAMW} {NONE}", 40, 0.0, 0.2, 0.4),
    *tried(2000, "resnet", f"{RESNET} {SGD} {NONE}", 40, 0.0, 0.1),
    *tried(2000, "vit-aug", f"{WIDE_VIT} {ADAMW} {STRONG}", 40, 0.0),
    *tried(4000, "vit-crops", f"{WIDE_VIT} {ADAMW} {CROPS}", 30, 0.0, 0.2),
    *tried(2000, "vit-crops", f"{WIDE_VIT} {ADAMW} {CROPS}", 60, 0.0, 0.1),
    *tried(1000, "vit-crops", f"{WIDE_VIT} {ADAMW} {CROPS}", 120, 0.0, 0.1),
    *tried(1000, "small-vit-crops", f"{VIT} {ADAMW} {CROPS}", 300, 0.0, 0.1),
    *tried(1000, "small-mixer-crops", f"{MIXER} {ADAMW} {CROPS}", 300, 0.0),
    *tried(1000, "small-vit-crops", f"{VIT} {ADAMW} {CROPS}", 200, 0.2),
    *tried(1000, "small-mixer-crops", f"{MIXER} {ADAMW} {CROPS}", 200, 0.4),
)


def main() -> None:
    """Train the candidates that are not trained yet, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where CIFAR-10 is")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N")
    arguments = parser.parse_args()
    add_commands_to_path()
    for pictures in sorted({candidate.pictures for candidate in CANDIDATES}):
        alike = [candidate for candidate in CANDIDATES if candidate.pictures == pictures]
        scale = alike[0].scale
        with locked(scale.runs) as lock:
            scale.prepare(find_cifar10(arguments.data_dir))
            steps = [step for candidate in alike for step in candidate.steps()]
            journal = Journal(scale.runs / "journal.jsonl")
            run_steps(steps, journal, jobs=arguments.jobs, lock=lock)
    write_record()


def write_record() -> None:
    """Write what every candidate has reached, also those whose training was stopped."""
    RECORD.write_text(json.dumps([_outcome(each) for each in CANDIDATES], indent=1) + "\n")


def _outcome(candidate: Candidate) -> dict[str, Any]:
    """What a candidate has reached."""
    last = RunDirectory(candidate.run).read_metrics()[-1]
    network, curvature = candidate.network, None
    if candidate.curvature.is_file():
        measured = json.loads(candidate.curvature.read_text())
        curvature = {"loss": measured["loss"], "λ_max": measured["lambda_max"]["eigenvalue"]}
    return {
        "network": network.label,
        "flags": network.flags,
        "rho": network.rho,
        "training pictures": candidate.pictures,
        "epochs": f"{last['epoch']:.0f} of {network.epochs}",
        "training error, %": last["train_error"],
        "held-out accuracy, %": last["val_accuracy"],
        "held-out loss": last["val_loss"],
        "curvature": curvature,
    }


if __name__ == "__main__":
    main()

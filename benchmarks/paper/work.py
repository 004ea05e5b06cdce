"""The steps of the benchmark: every training, every measurement, the page, and what is shipped."""

import sys
from pathlib import Path

from benchmarks.paper.plan import FIGURES, NETWORKS, RELEASED, Network, Scale
from benchmarks.paper.steps import Step

# Seconds on one core for an epoch's pass, for what is measured on a network, and for the page. They
# serve to estimate the time left alone.
TRAINING_PASS, MEASURING, DRAWING = 0.6, 110.0, 100.0


def all_steps(scale: Scale) -> list[Step]:
    """Every command of the benchmark, in the order in which they are begun."""
    steps = []
    for seed in scale.seeds:
        steps += [training_step(scale, network, seed) for network in NETWORKS]
        if seed == scale.seeds[0]:
            steps += _released(scale, seed)
        steps += [_measuring(scale, network, seed) for network in NETWORKS]
    runs = " ".join(str(scale.runs / network.label) for network in NETWORKS)
    page = Step(
        name="draw the page",
        command=(
            f"landscape-plot report {runs} {scale.measuring} "
            f"--data-dir {scale.measured_photographs} --quiet --output-dir {scale.figures}"
        ),
        weight=DRAWING * scale.share,
        after=tuple(step.name for step in steps),
    )
    return [*steps, page, *_figures(scale)]


def training_step(scale: Scale, network: Network, seed: int) -> Step:
    """The training of a network, which goes on where it was killed."""
    run = scale.run(network, seed)
    return Step(
        name=f"train {network.label}/seed-{seed}",
        command=scale.training_of(network, seed),
        weight=TRAINING_PASS * network.passes * scale.share,
        begun=run / "config.json",
        continuing=f"landscape-train --resume --output-dir {run} --quiet",
    )


def _measuring(scale: Scale, network: Network, seed: int) -> Step:
    return Step(
        name=f"measure {network.label}/seed-{seed}",
        command=_measure(scale, scale.run(network, seed), scale.figures),
        weight=MEASURING * scale.share,
        after=(f"train {network.label}/seed-{seed}",),
    )


def _measure(scale: Scale, run: Path, figures: Path) -> str:
    """The command that measures a run, and draws nothing."""
    return (
        f"landscape-plot report {run} {scale.measuring} --data-dir {scale.measured_photographs} "
        f"--format none --quiet --output-dir {figures}"
    )


def _figures(scale: Scale) -> list[Step]:
    """The paper's figures of one network of each kind, drawn from what was measured."""
    return [
        Step(
            name=f"draw {name}",
            command=(
                f"landscape-plot {analysis} {' '.join(scale.results(analysis, labels))} "
                f"--format png --quiet --output-dir {scale.figures / name}"
            ),
            weight=10 * scale.share,
            after=tuple(f"measure {label}/seed-{scale.seeds[0]}" for label in labels),
        )
        for name, (analysis, labels) in FIGURES.items()
    ]


def _released(scale: Scale, seed: int) -> list[Step]:
    """What makes the released networks, whose weights are rounded, and measures these."""
    steps = []
    for network in NETWORKS:
        if network.label not in RELEASED:
            continue
        folder = scale.released / network.label
        steps += [
            Step(
                name=f"release {network.label}",
                command=(
                    f"{sys.executable} -m benchmarks.paper.release {scale.run(network, seed)} "
                    f"{folder}"
                ),
                weight=3.0,
                after=(f"train {network.label}/seed-{seed}",),
            ),
            Step(
                name=f"measure the released {network.label}",
                command=_measure(scale, folder, scale.released_figures),
                weight=MEASURING * scale.share,
                after=(f"release {network.label}",),
            ),
        ]
    return steps

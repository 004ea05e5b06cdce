"""How often a report decides something where nothing differs, and whether it finds what does.

    python -m benchmarks.null_test                    16 networks of each family
    python -m benchmarks.null_test --runs 6 --pages 50

Networks of three families are trained, which differ within a family in their seed alone, and
measured once. On each page half of each family, drawn at random, is labelled as trained with SAM,
and the paper's claims are judged. Then the curvature of those so labelled is divided by what three
standard deviations over seeds are: a true effect, which is to be found. Trained and measured
networks are kept in ``--output-dir`` and used again.
"""

import argparse
import json
import math
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from tqdm import tqdm

from analyses.catalog import known_analyses
from analyses.report.paper.catalog import FLATTER, judge
from analyses.report.paper.claims import Judgement
from analyses.report.paper.inference import LEVEL
from analyses.report.paper.subjects import networks
from landscape.results.result import Result

NETWORKS = {
    "vit": "--model vit-tiny --model-args depth=2 dim=16 mlp_dim=32 --opt adamw --lr 0.003",
    "mixer": "--model mixer-tiny --model-args depth=2 dim=16 --opt adamw --lr 0.003",
    "resnet": "--model resnet-tiny --model-args width=8 --opt sgd --lr 0.1",
}
ANALYSES = ("hessian", "flatness", "norms", "sparsity", "linearity", "robustness")
MEASURE = (
    "--samples 512 --top 1 --probes 0 --draws 4 --ascent-steps 1 --radii 0.1 --segment 3 "
    "--corruptions fog,contrast,gaussian_noise --attack-steps 1"
)
EFFECT = 3.0  # standard deviations over seeds


def main() -> None:
    """Train, measure, and print how many verdicts are decided."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=16, metavar="N", help="of each family, even")
    parser.add_argument("--pages", type=int, default=200, metavar="N")
    parser.add_argument("--epochs", type=int, default=5, metavar="N")
    parser.add_argument("--output-dir", type=Path, default=Path("figures/null-test"), metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.runs < 4 or arguments.runs % 2:
        parser.error("--runs has to be an even number of at least 4")
    measured = measure_networks(arguments.runs, arguments.epochs, arguments.output_dir)
    rows = {
        "nothing differs": count_verdicts(measured, arguments.pages, effect=0.0),
        f"λ_max lower by {EFFECT:g} standard deviations": count_verdicts(
            measured, arguments.pages, effect=EFFECT
        ),
    }
    for title, counts in rows.items():
        print(f"{title}, {arguments.runs // 2} runs against {arguments.runs // 2}:")
        print(
            f"  verdicts decided {counts['decided']} of {counts['verdicts']}; pages with any "
            f"{counts['pages_decided']} of {counts['pages']} (at most {LEVEL:.0%} is stated; "
            f"95 % interval {interval(counts['pages_decided'], counts['pages'])})"
        )
        print(
            f"  p < {LEVEL:g} without Holm's correction: {counts['small_p']} of "
            f"{counts['verdicts']}; SAM found flatter {counts['flatter']} of "
            f"{counts['flatter_asked']} times"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


def measure_networks(runs: int, epochs: int, folder: Path) -> dict[str, dict[str, list[Result]]]:
    """The results of each network, by family and then by analysis, each in the order of seeds."""
    seeds = " ".join(map(str, range(runs)))
    measured: dict[str, dict[str, list[Result]]] = {}
    for family, settings in tqdm(NETWORKS.items(), desc="training and measuring", unit="family"):
        trained = folder / "runs" / family
        resume = ["--resume"] if trained.exists() else []
        command = f"landscape-train {settings} --epochs {epochs} --data digits --seeds {seeds}"
        subprocess.run(
            [*command.split(), *resume, "--output-dir", str(trained), "--quiet"], check=True
        )
        command = f"landscape-plot report {trained} --only {','.join(ANALYSES)} {MEASURE}"
        subprocess.run(
            [*command.split(), "--format", "none", "--output-dir", str(folder), "--quiet"],
            check=True,
        )
        measured[family] = {
            name: [
                known_analyses()[name].result_type.load(folder / family / f"seed-{seed}/{name}.h5")
                for seed in range(runs)
            ]
            for name in ANALYSES
        }
    return measured


def count_verdicts(
    measured: Mapping[str, Mapping[str, Sequence[Result]]], pages: int, *, effect: float
) -> dict[str, int]:
    """What the claims decide on pages of which half of the networks are labelled SAM at random."""
    rng = np.random.default_rng(0)
    counts = dict.fromkeys(
        ("pages", "pages_decided", "verdicts", "decided", "small_p", "flatter", "flatter_asked"), 0
    )
    for _ in range(pages):
        comparisons = [
            (judgement.claim is FLATTER, comparison)
            for judgement in _page(measured, rng, effect)
            for comparison in judgement.comparisons
        ]
        decided = [each.verdict != "can't decide" for _, each in comparisons]
        flatter = [each.verdict == "supports" for is_flatter, each in comparisons if is_flatter]
        counts["pages"] += 1
        counts["pages_decided"] += any(decided)
        counts["verdicts"] += len(decided)
        counts["decided"] += sum(decided)
        counts["small_p"] += sum(
            each.difference is not None and each.difference.p < LEVEL for _, each in comparisons
        )
        counts["flatter"] += sum(flatter)
        counts["flatter_asked"] += len(flatter)
    return counts


def _page(
    measured: Mapping[str, Mapping[str, Sequence[Result]]], rng: np.random.Generator, effect: float
) -> list[Judgement]:
    results: dict[str, list[Result]] = {name: [] for name in ANALYSES}
    for family, by_analysis in measured.items():
        sharpness = [float(r.headline()["eigenvalues"][0]) for r in by_analysis["hessian"]]
        factor = math.exp(-effect * float(np.log(sharpness).std(ddof=1))) if effect else 1.0
        order = rng.permutation(len(sharpness)).tolist()
        with_sam = set(order[: len(order) // 2])
        for name, members in by_analysis.items():
            results[name] += _labelled(family, members, with_sam, factor)
    return judge(networks(results))


def _labelled(
    family: str, members: Sequence[Result], with_sam: set[int], factor: float
) -> Iterator[Result]:
    """The results with the labels and the training of a page; SAM's curvature times ``factor``."""
    for number, result in enumerate(members):
        is_sam = number in with_sam
        origin: dict[str, Any] = dict(result.provenance.origin)
        # Runs of different seeds have no partner, so that no pairing is invented.
        origin["training"] = {**origin["training"], "rho": 0.1 if is_sam else 0.0, "seed": number}
        changed: Any = replace(
            result,
            label=f"{family}{'-sam' if is_sam else ''}/seed-{number}",
            provenance=replace(result.provenance, origin=origin),
        )
        if is_sam and result.analysis == "hessian" and factor != 1.0:
            changed = replace(
                changed,
                eigenvalues=factor * changed.eigenvalues,
                sampling_error=factor * changed.sampling_error,
            )
        yield changed


def interval(count: int, total: int) -> str:
    """The exact interval (Clopper and Pearson) of a share, in words."""
    low, high = stats.binomtest(count, total).proportion_ci(1 - LEVEL)
    return f"{100 * low:.1f} to {100 * high:.1f} %"


if __name__ == "__main__":
    main()

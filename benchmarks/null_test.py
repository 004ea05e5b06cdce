"""How often a report decides something where nothing differs, and whether it finds what does.

    python -m benchmarks.null_test                    16 networks of each family
    python -m benchmarks.null_test --runs 6 --pages 50

Networks of three families are trained, which differ within a family in their seed alone, and
measured once. On each page half of each family, drawn at random, is labelled as trained with SAM,
and the paper's claims are judged; those that compare SAM with none should be decided on at most
one page in twenty. (The others compare families or parts of a network, which do differ.) Then the
curvature of those so labelled is divided, and the norm of their weights multiplied, by what three
standard deviations over seeds are: true effects, which are to be found. Trained and measured
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
from tqdm import tqdm

from analyses.catalog import known_analyses
from analyses.hessian.eigenvalues import LARGEST, Eigenvalues
from analyses.report.paper.catalog import judge
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
# By quantity a word of the claim about it, and by analysis what is scaled.
PLANTED = {"lower λ_max found": "flatter minima", "larger ‖w‖ found": "weights"}
SCALED = {"hessian": "ends", "norms": "norms"}


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
        f"planted: {EFFECT:g} standard deviations": count_verdicts(
            measured, arguments.pages, effect=EFFECT
        ),
    }
    half = arguments.runs // 2
    for title, counts in rows.items():
        print(f"{title}, {half} runs against {half}:")
        for name in ("pages with any verdict", "verdicts", "p below the level", *PLANTED):
            count, total = counts[name]
            print(f"  {name}: {count} of {total}, {100 * count / total:.1f} %")
    print(
        f"stated: at most {LEVEL:.0%} of the pages where nothing differs have any verdict. All "
        "pages are of the same networks, so that these counts are not independent"
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
        members = " ".join(f"{trained}/seed-{seed}" for seed in range(runs))
        command = f"landscape-plot report {members} --only {','.join(ANALYSES)} {MEASURE}"
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
) -> dict[str, tuple[int, int]]:
    """What the claims about SAM decide on pages of which half of the networks are labelled so.

    Returns:
        How many, and of how many, by name.
    """
    rng = np.random.default_rng(0)
    pages_decided, decided, small = 0, [], []
    supported: dict[str, list[bool]] = {name: [] for name in PLANTED}
    for _ in range(pages):
        about_sam = [
            (judgement.claim.statement, comparison)
            for judgement in _page(measured, rng, effect)
            for comparison in judgement.comparisons
            if "-sam" in comparison.second.label and "-sam: " not in comparison.first.label
        ]
        verdicts = [comparison.verdict != "can't decide" for _, comparison in about_sam]
        pages_decided += any(verdicts)
        decided += verdicts
        small += [
            each.difference is not None and each.difference.p < LEVEL for _, each in about_sam
        ]
        for name, words in PLANTED.items():
            supported[name] += [
                each.verdict == "supports" for statement, each in about_sam if words in statement
            ]
    return {
        "pages with any verdict": (pages_decided, pages),
        "verdicts": (sum(decided), len(decided)),
        "p below the level": (sum(small), len(small)),
        **{name: (sum(verdicts), len(verdicts)) for name, verdicts in supported.items()},
    }


def _page(
    measured: Mapping[str, Mapping[str, Sequence[Result]]], rng: np.random.Generator, effect: float
) -> list[Judgement]:
    results: dict[str, list[Result]] = {name: [] for name in ANALYSES}
    for family, by_analysis in measured.items():
        factors = {
            "hessian": _factor(
                [r.headline()["eigenvalues"][0] for r in by_analysis["hessian"]], -effect
            ),
            "norms": _factor([_weight_norm(r) for r in by_analysis["norms"]], effect),
        }
        order = rng.permutation(len(by_analysis["hessian"])).tolist()
        with_sam = set(order[: len(order) // 2])
        for name, members in by_analysis.items():
            results[name] += _labelled(family, members, with_sam, factors.get(name, 1.0))
    return judge(networks(results))


def _factor(values: Sequence[float], deviations: float) -> float:
    """What so many standard deviations of the logarithms multiply a value by."""
    return math.exp(deviations * float(np.log(values).std(ddof=1)))


def _sharpness(result: Any) -> float:
    return float(result.ends.values[LARGEST])


def _weight_norm(result: Any) -> float:
    return float(result.norms[0])


def _labelled(
    family: str, members: Sequence[Result], with_sam: set[int], factor: float
) -> Iterator[Result]:
    """The results with the labels and the training of a page; SAM's numbers times ``factor``."""
    for number, result in enumerate(members):
        is_sam = number in with_sam
        origin: dict[str, Any] = dict(result.provenance.origin)
        origin["training"] = {**origin["training"], "rho": 0.1 if is_sam else 0.0}
        changed: Any = replace(
            result,
            label=f"{family}{'-sam' if is_sam else ''}/seed-{number}",
            provenance=replace(result.provenance, origin=origin),
        )
        if is_sam and result.analysis in SCALED:
            field = SCALED[result.analysis]
            changed = replace(changed, **{field: _scaled(getattr(changed, field), factor)})
        yield changed


def _scaled(numbers: Any, factor: float) -> Any:
    if isinstance(numbers, Eigenvalues):
        errors = factor * numbers.sampling_errors
        return replace(numbers, values=factor * numbers.values, sampling_errors=errors)
    return factor * numbers


if __name__ == "__main__":
    main()

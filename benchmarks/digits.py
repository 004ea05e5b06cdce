"""Six small networks on digits: trained, measured by every analysis, and put on one page.

    python -m benchmarks.digits                 one seed; figures/digits/report.html
    python -m benchmarks.digits --seeds 0 1 2   replicates, on one page; a table of their means

It runs the commands a user would type, and prints them. The pictures of docs/analyses are from it.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from benchmarks.paper.steps import run_command

# Model, its settings, and the radius of SAM: chosen for speed, not searched for a winner.
NETWORKS = {
    "vit": ("--model vit-tiny --opt adamw --lr 0.003 --epochs 25", 0.1),
    "mixer": ("--model mixer-tiny --opt adamw --lr 0.003 --epochs 20", 0.1),
    "resnet": ("--model resnet-tiny --opt sgd --lr 0.1 --epochs 20", 0.05),
}
MEASURE = "--samples 256 --x=-1:1:21 --y=-1:1:21 --top 5 --probes 4 --density-steps 40"


def main() -> None:
    """Train, measure and draw with each seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the table as JSON")
    arguments = parser.parse_args()
    started = time.perf_counter()
    is_replicated = len(arguments.seeds) > 1
    name = "digits-seeds" if is_replicated else "digits"
    runs, pictures = Path("checkpoints") / name, Path("figures") / name
    page = run_all_networks(arguments.seeds, runs, pictures)
    seconds = time.perf_counter() - started
    print(f"\n{page.resolve().as_uri()} is ready after {seconds:.0f} s: open it in a browser")
    numbers = [
        collect(runs, pictures, f"seed-{seed}" if is_replicated else "") for seed in arguments.seeds
    ]
    table = tabulate(numbers)
    print(format_table(table, len(numbers)))
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=2) + "\n")


def run_all_networks(seeds: Sequence[int], runs: Path, pictures: Path) -> Path:
    """Train the six networks with each seed, measure each, draw all; returns the report's path.

    Each network is a job of one thread, as many at a time as there are processors: networks of
    this size keep no second thread busy, and the numbers are the same on any machine.
    """
    jobs = []
    for seed in seeds:
        for name, (settings, rho) in NETWORKS.items():
            for label, radius in ((f"{name}-sam", rho), (name, 0.0)):
                run = runs / label if len(seeds) == 1 else runs / label / f"seed-{seed}"
                train = (
                    f"landscape-train {settings} --rho {radius:g} --seed {seed} --data digits "
                    f"--output-dir {run} --force --quiet"
                )
                measure = f"landscape-plot report {run} {MEASURE} --output-dir {pictures} --force"
                jobs.append([train, f"{measure} --format none --quiet"])
    steps = sum(len(commands) for commands in jobs)
    with tqdm(total=steps, desc="training and measuring the networks", unit="step") as bar:
        run_jobs(jobs, bar)
    labels = [label for name in NETWORKS for label in (name, f"{name}-sam")]
    checkpoints = " ".join(str(runs / label) for label in labels)
    draw = f"landscape-plot report {checkpoints} {MEASURE} --output-dir {pictures} --quiet"
    with tqdm(total=1, desc="drawing", unit="page") as bar:
        run_jobs([[draw]], bar)
    return pictures / "report.html"


def run_jobs(jobs: Sequence[Sequence[str]], bar: "tqdm[NoReturn]") -> None:
    """Run jobs, as many at a time as there are processors; ends the program if a command fails.

    Args:
        jobs: the commands of each, one after the other; each is printed, and a step of the bar.
        bar: of all commands.
    """

    def work(commands: Sequence[str]) -> None:
        for command in commands:
            tqdm.write(f"$ {command}")
            run_command(command)
            bar.update()

    with ThreadPoolExecutor(os.cpu_count()) as workers:
        waiting = [workers.submit(work, commands) for commands in jobs]
        try:
            for finished in as_completed(waiting):
                finished.result()
        except subprocess.CalledProcessError as error:
            workers.shutdown(cancel_futures=True)  # those under way end by themselves
            sys.exit(f"this command failed: {shlex.join(error.cmd)}")


def collect(runs: Path, pictures: Path, replicate: str) -> dict[str, dict[str, float]]:
    """The headline numbers of each network, by label; of a ``replicate`` where there are some."""
    numbers = {}
    for name in NETWORKS:
        for label in (name, f"{name}-sam"):
            last = (runs / label / replicate / "metrics.csv").read_text().splitlines()
            row = dict(zip(last[0].split(","), map(float, last[-1].split(",")), strict=True))
            hessian, surface, sparsity = (
                json.loads((pictures / label / replicate / f"{analysis}.json").read_text())
                for analysis in ("hessian", "surface", "sparsity")
            )
            numbers[label] = {
                "val accuracy (%)": row["val_accuracy"],
                "val loss": row["val_loss"],
                "train loss": row["train_loss"],
                "λ_max": hessian["lambda_max"]["eigenvalue"],
                "λ_min": hessian["lambda_min"]["eigenvalue"],
                "trace": hessian["trace"],
                "mean loss on the plane": surface["mean_loss"],
                "active neurons (%)": 100 * sparsity["mean"],
            }
    return numbers


def tabulate(
    numbers: Sequence[dict[str, dict[str, float]]],
) -> dict[str, dict[str, tuple[float, float]]]:
    """Mean and standard deviation over the seeds (nan for one) of each number, by label."""
    table: dict[str, dict[str, tuple[float, float]]] = {}
    for label, columns in numbers[0].items():
        table[label] = {}
        for column in columns:
            values = [seed[label][column] for seed in numbers]
            spread = statistics.stdev(values) if len(values) > 1 else float("nan")
            table[label][column] = (statistics.fmean(values), spread)
    return table


def format_table(table: dict[str, dict[str, tuple[float, float]]], seeds: int) -> str:
    """The table in Markdown."""
    columns = list(next(iter(table.values())))
    header = (
        f"| mean ± standard deviation over {seeds} seeds |"
        if seeds > 1
        else "| one seed, no spread known |"
    )
    lines = ["", header + "".join(f" {column} |" for column in columns)]
    lines.append("|---|" + "---:|" * len(columns))
    for label, row in table.items():
        cells = [
            f" {mean:.4g} ± {spread:.2g} |" if seeds > 1 else f" {mean:.4g} |"
            for mean, spread in row.values()
        ]
        lines.append(f"| {label} |" + "".join(cells))
    return "\n".join(lines)


if __name__ == "__main__":
    main()

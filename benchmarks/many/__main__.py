"""A report of many networks: its seconds, its memory, and the size of its page.

    python -m benchmarks.many [--labels 200] [--results DIR ...] [--only LIST] [--json FILE]

What was measured on two tiny networks, which takes a minute, or lies in other folders of results,
is written under many labels with small changes. ``landscape-plot report`` then draws it in its
own process.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from analyses.catalog import known_analyses
from benchmarks.many.copies import write_copies
from landscape.results.result import Result

MODEL = (
    "--model vit-tiny --model-args depth=2 dim=16 heads=2 mlp_dim=24 --data digits --epochs 2 "
    "--save-every 1 --batch-size 256 --lr 0.01 --device cpu"
)
# The radius of SAM by label.
TINY = {"plain": 0.0, "sam": 0.1}
MEASURING = (
    "--samples 32 --x=-1:1:21 --y=-1:1:21 --top 5 --probes 2 --density-steps 15 --tol 0.01 "
    "--minibatches 4 --minibatch-size 8 --minibatch-top 2 --ntk-samples 8 --ntk-outputs 2 "
    "--ntk-seeds 2 --draws 4 --ascent-steps 2 --recursion-samples 3 --cka-samples 16 --pictures 4 "
    "--segment 11 --pairs 16 --corruptions fog,contrast --attack-radius 1 4 --attack-steps 2 "
    "--device cpu --format none"
)
# macOS counts ru_maxrss in bytes, Linux in kibibytes.
_BYTES_OF_MAXRSS = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Cost:
    """What a report took.

    Attributes:
        labels: the networks of the report.
        files: the result files it was made of.
        seconds: wall time of the whole command.
        processor_seconds: user and system time of it and of its children.
        peak_mb: the largest memory of a process of it, in megabytes (1e6 bytes).
        page_mb: the size of the HTML page.
        pictures: how many PNG files were written.
    """

    labels: int
    files: int
    seconds: float
    processor_seconds: float
    peak_mb: float
    page_mb: float
    pictures: int


def main() -> None:
    """Write the results, draw the report, and print what it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--labels", type=int, default=200, metavar="N")
    parser.add_argument(
        "--results", type=Path, nargs="+", metavar="DIR",
        help="folders of result files to take instead of measuring two tiny networks",
    )  # fmt: skip
    parser.add_argument(
        "--only", metavar="LIST", help="analyses, a list with commas (default: all)"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="where to leave results and report"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        sources = read_sources(arguments.results or measure_tiny_networks(folder), arguments.only)
        labels = [f"network-{number:03}" for number in range(1, arguments.labels + 1)]
        files = write_copies(sources, labels, folder / "results")
        cost = cost_of_report(files, len(labels), folder / "report")
    for name, value in asdict(cost).items():
        print(f"{name:18} {value:10.1f}" if isinstance(value, float) else f"{name:18} {value:8}")
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(cost), indent=2) + "\n")


def measure_tiny_networks(folder: Path) -> list[Path]:
    """Train two tiny networks on digits and measure them; returns their folders of results."""
    for label, rho in TINY.items():
        run, results = folder / "runs" / label, folder / "measured"
        for words in (
            ["landscape-train", *shlex.split(MODEL), "--rho", str(rho), "--output-dir", str(run)],
            ["landscape-plot", "report", str(run), *shlex.split(MEASURING),
             "--output-dir", str(results)],
        ):  # fmt: skip
            program = Path(sys.executable).with_name(words[0])
            subprocess.run([program, *words[1:], "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return [folder / "measured" / label for label in TINY]


def read_sources(folders: Sequence[Path], only: str | None = None) -> list[list[Result]]:
    """All results in each folder, or those of some analyses."""
    wanted = set(only.split(",")) if only else set(known_analyses())
    return [
        [
            known_analyses()[path.stem].result_type.load(path)
            for path in sorted(folder.glob("*.h5"))
            if path.stem in wanted
        ]
        for folder in folders
    ]


def cost_of_report(files: Sequence[Path], labels: int, folder: Path) -> Cost:
    """Draw a report of result files in a process of its own."""
    words = ["-c", "from analyses.cli import main; raise SystemExit(main())", "report"]
    command = [sys.executable, *words, *map(str, files), "--output-dir", str(folder), "--quiet"]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"the report ended with status {process.returncode}")
    return Cost(
        labels=labels,
        files=len(files),
        seconds=seconds,
        processor_seconds=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss * _BYTES_OF_MAXRSS / 1e6,
        page_mb=(folder / "report.html").stat().st_size / 1e6,
        pictures=len(list(folder.glob("*.png"))),
    )


if __name__ == "__main__":
    main()

"""How long the commands take to show their help, relative to an import of torch.

    python -m benchmarks.startup [--rounds N] [--json FILE]

Each round runs every command once, in turn; the figures are medians of processor seconds (user and
system), which say less about what else the machine does than wall time.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

TORCH = "import torch"


def main() -> None:
    """Time the commands and print their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    arguments = parser.parse_args()
    bin_folder = Path(sys.executable).parent
    commands = {
        TORCH: [sys.executable, "-c", "import torch"],
        "landscape-plot --help": [str(bin_folder / "landscape-plot"), "--help"],
        "landscape-train --help": [str(bin_folder / "landscape-train"), "--help"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(arguments.rounds):
        for name, command in commands.items():
            seconds[name].append(processor_seconds(command))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        print(f"{name:24} {median:6.2f} s, {median / medians[TORCH]:5.2f} times import torch")
    if arguments.json:
        arguments.json.write_text(json.dumps(medians, indent=2) + "\n")


def processor_seconds(command: list[str]) -> float:
    """User and system time of a process."""
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    user = after.children_user - before.children_user
    return user + after.children_system - before.children_system


if __name__ == "__main__":
    main()

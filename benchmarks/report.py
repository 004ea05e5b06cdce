"""What a whole report costs beside its two dearest analyses.

    python -m benchmarks.report checkpoints/demo/vit [--json FILE] [flags of landscape-plot report]

It measures one network from scratch in a temporary folder and prints the seconds of each analysis,
and the time of the whole command (with starting, drawing and writing) over the sum of the two that
took longest.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Run the report and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the table as JSON")
    arguments, flags = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        command = ["landscape-plot", "report", str(arguments.checkpoint), *flags]
        started = time.perf_counter()
        subprocess.run([*command, "--output-dir", folder, "--quiet"], check=True)
        whole = time.perf_counter() - started
        seconds_by_analysis = {
            path.stem: float(json.loads(path.read_text())["provenance"]["seconds"])
            for path in Path(folder).glob("*/*.json")
        }
    seconds = dict(sorted(seconds_by_analysis.items(), key=lambda item: -item[1]))
    dearest = sum(list(seconds.values())[:2])
    print("| analysis | seconds |\n|---|---:|")
    for name, value in seconds.items():
        print(f"| {name} | {value:.1f} |")
    print(f"| the whole command | {whole:.1f} |")
    print(f"\nwhole / two dearest: {whole / dearest:.2f}")
    if arguments.json:
        table = {"seconds": seconds, "whole": whole, "ratio": whole / dearest}
        arguments.json.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()

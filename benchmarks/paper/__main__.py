"""The paper in miniature: trained, measured, and its claims decided.

    python -m benchmarks.paper              five seeds, two to three hours on two cores
    python -m benchmarks.paper --quick      one seed of tiny trainings, minutes
    python -m benchmarks.paper --publish    afterwards: into docs/, README.md, checkpoints/gallery

The same command continues a run that was killed. It runs the commands a user would type, and prints
them; figures/paper/report.html is what comes out.
"""

import argparse
import os
import sys
from pathlib import Path

from benchmarks.paper.places import PLACES, add_commands_to_path, find_cifar10
from benchmarks.paper.plan import FULL, QUICK
from benchmarks.paper.publish import publish
from benchmarks.paper.steps import Journal, StepFailedError, run_steps
from benchmarks.paper.work import all_steps
from landscape.errors import InputError, InUseError
from landscape.results.lock import locked


def main() -> int:
    """Run the benchmark, or what is left of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one seed of tiny trainings")
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="where CIFAR-10 is: the published archive, or a folder of pictures, also packed "
        f"(default: {' or '.join(map(str, PLACES))})",
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), metavar="N", help="commands at a time"
    )
    parser.add_argument(
        "--publish", action="store_true", help="write docs/paper-in-miniature.md and what it shows"
    )
    arguments = parser.parse_args()
    scale = QUICK if arguments.quick else FULL
    add_commands_to_path()
    try:
        with locked(scale.runs) as lock:
            origin = scale.prepare(find_cifar10(arguments.data_dir))
            journal = Journal(scale.runs / "journal.jsonl")
            run_steps(all_steps(scale), journal, jobs=arguments.jobs, lock=lock)
            publish(scale, journal, origin, into_repository=arguments.publish)
    except (InputError, InUseError, StepFailedError) as error:
        print(f"benchmarks.paper: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("benchmarks.paper: interrupted; the same command goes on", file=sys.stderr)
        return 130
    print(f"{(scale.figures / 'report.html').resolve().as_uri()}: open it in a browser")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Test and time a CUDA device, in one command of a few minutes.

    python -m benchmarks.gpu [--minutes 8] [--stages a c] [--output FILE] [--data-dir DIR]
    python -m benchmarks.gpu --dry-run           the same at tiny sizes on the processor
    python -m benchmarks.gpu --table FILE        the table of what was measured, as Markdown

Stages, in order of worth:

(a) the CUDA tests: pytest -m cuda
(b) a point of a surface of ViT-B/16 at 224 and of ResNet-20 at 32 pixels, as a share of the
    measured rate of matrix products, and against the original tool's loop
(c) a Hessian product of ViT-S/16 and ResNet-50 in gradients, against other packages
(d) a step of SAM in plain steps, and throughput against loops written by hand
(e) ViT-S/4 on 50,000 pictures of 32 pixels, plain and with SAM: CIFAR-10 from --data-dir, else
    synthetic pictures

Every stage is a process of its own that ends at its deadline, and every number is in the file when
it is known. The repository need not be installed.
"""

import argparse
import math
import os
import signal
import sys
import time
from pathlib import Path

from benchmarks.gpu.processes import Plan, run_all
from benchmarks.gpu.records import Recorder, machine, read_runs
from benchmarks.gpu.stages import STAGES, Work, output_file, run_stage
from benchmarks.gpu.table import tables
from landscape.errors import InputError

# A stage that nobody has ended ends itself so many seconds after its deadline.
GRACE = 5


def main() -> int:
    """Run the stages, or print the table of a file; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=8.0, help="for all stages together")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--output", type=Path, help="default: gpu.jsonl in $OUT, else in build/")
    parser.add_argument("--data-dir", default="", help="CIFAR-10: its archive or picture folders")
    parser.add_argument("--dry-run", action="store_true", help="tiny sizes, on the processor")
    parser.add_argument("--table", type=Path, metavar="FILE", help="print the table of a file")
    parser.add_argument("--run-stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=0.0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.table:
        print(tables(read_runs(arguments.table)))
        return 0
    output = output_file(arguments.output, os.environ.get("OUT")).resolve()
    if arguments.run_stage:
        signal.alarm(
            math.ceil(arguments.seconds) + GRACE
        )  # should the process above be gone by then
        recorder = Recorder(output, arguments.run_stage)
        data_dir = arguments.data_dir
        run_stage(
            arguments.run_stage, Work(recorder, arguments.dry_run, arguments.seconds, data_dir)
        )
        return 0
    return _run(arguments, output)


def _run(arguments: argparse.Namespace, output: Path) -> int:
    started = time.monotonic()
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        device = Work(Recorder(output), arguments.dry_run, 0.0).device
    except InputError as error:
        print(f"{error}; --dry-run does the same without one", file=sys.stderr)
        return 2
    Recorder(output).write("run", **machine(device, is_dry=arguments.dry_run))
    data_dir = str(Path(arguments.data_dir).resolve()) if arguments.data_dir else ""
    seconds = 60 * arguments.minutes - (time.monotonic() - started)
    plan = Plan(arguments.stages, seconds, output, arguments.dry_run, data_dir)
    succeeded = run_all(plan)
    print(tables(read_runs(output)[-1:]))
    return 0 if succeeded else 1


if __name__ == "__main__":
    sys.exit(main())

"""Release a run in half precision: ``python -m benchmarks.paper.release RUN FOLDER``."""

import sys
from pathlib import Path

import torch

from landscape.checkpoints.release import release_run

if __name__ == "__main__":
    release_run(Path(sys.argv[1]), Path(sys.argv[2]), torch.float16)

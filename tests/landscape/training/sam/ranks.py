"""What each of two processes does that train with DistributedDataParallel and SAM."""

import json
import math
import sys
from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from landscape import SAM
from tests.landscape.training.sam.problems import Problem


def train(rank, method, form, file):
    """The weights of both after three steps, this rank's on its half of the samples."""
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    problem = Problem()
    model = DistributedDataParallel(problem.model)
    problem.model = model
    rows = slice(6 * rank, 6 * rank + 6)
    optimizer = SAM(
        model.parameters(),
        torch.optim.SGD,
        rho=0.2,
        method=method,
        every=2,
        lr=0.3,
        model=model,
        per_device=form != "shared",
    )
    scaler = None
    for number in range(3):
        if form == "overflow":
            scaler = scaler or torch.amp.GradScaler("cpu", init_scale=256.0)
            scale = math.inf if rank == 0 and number == 1 else 1.0

            def closure(scale=scale, scaler=scaler):
                scaler.scale(problem.loss(rows) * scale).backward()

            optimizer.step(closure, scaler=scaler)
            scaler.update()
        elif form == "two steps":
            optimizer.zero_grad()
            with optimizer.first_pass():
                problem.loss(rows).backward()
            if optimizer.first_step():
                problem.loss(rows).backward()
            optimizer.second_step()
        else:
            optimizer.step(lambda: problem.loss(rows).backward())
    weights = [None, None]
    dist.all_gather_object(weights, problem.vector().tolist())
    dist.destroy_process_group()
    return weights


def main(words: Sequence[str]) -> int:
    """Train as the rank, by the method, in the form, and meeting at the file that are named."""
    rank, *others = words
    sys.stdout.write(json.dumps(train(int(rank), *others)))
    return 0

"""Two processes train with DistributedDataParallel and SAM; prints the weights of both as JSON.

Arguments: the method, the form, and a file to meet at.
"""

import json
import math
import os
import sys

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from landscape import SAM
from tests.landscape.training.sam.problems import Problem


def train(rank, method, form, file):
    """The weights after three steps of rank ``rank``, on its half of the samples."""
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


if __name__ == "__main__":
    torch.set_num_threads(1)
    child = os.fork()
    weights = train(0 if child else 1, *sys.argv[1:])
    if child:
        sys.stdout.write(json.dumps(weights))
        assert os.waitpid(child, 0)[1] == 0
    sys.stdout.flush()
    os._exit(0)

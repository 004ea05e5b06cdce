"""What a process does that wraps networks in one process group after the other."""

import sys
from collections.abc import Sequence

import torch
import torch.distributed as dist

from landscape.runtime.distributed import Ranks, process_group
from landscape.training.scale.data_parallel import DataParallelGroup


def main(words: Sequence[str]) -> int:
    """Free as many wrapped networks as is said, each after its group, as an error's frames do."""
    # A thread that waits for the GIL gets it only when this one waits, too.
    sys.setswitchinterval(100)
    for number in range(int(words[0])):
        ranks = Ranks(0, 1, dist.HashStore())
        with process_group(ranks, torch.device("cpu"), str(number)):
            wrapped = DataParallelGroup(Ranks(0, 2)).wrap(torch.nn.Linear(3, 2))
            wrapped(torch.ones(1, 3)).sum().backward()
            flag = torch.tensor([1])
            dist.all_reduce(flag)
            del flag
        del wrapped
    return 0

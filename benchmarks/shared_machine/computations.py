"""What is computed in a process of its own, while others may be busy."""

import json
import time
from collections.abc import Callable

import torch

from benchmarks.cases import resnet20
from benchmarks.shared_machine.names import LOSSES, PRODUCTS
from landscape import CurvatureOperator, Objective
from landscape.models.catalog import resolve_model


def compute() -> None:
    """Print the seconds of two Hessian products and of two losses, after one of each."""
    torch.manual_seed(0)
    facts = {"image_size": 32, "channels": 3, "num_classes": 10}
    mixer = resolve_model("mixer-tiny", {}, facts).build().eval()
    data = torch.randn(512, 3, 32, 32), torch.randint(10, (512,))
    hessian = CurvatureOperator(Objective(mixer, data, device="cpu", verify=False))
    vector = torch.randn(hessian.size, 1)
    resnet = Objective(resnet20(), data, device="cpu", verify=False)
    seconds = {}
    calls: dict[str, Callable[[], object]] = {
        PRODUCTS: lambda: hessian @ vector,
        LOSSES: resnet.evaluate,
    }
    for name, call in calls.items():
        call()
        started = time.perf_counter()
        for _ in range(2):
            call()
        seconds[name] = time.perf_counter() - started
    print(json.dumps(seconds))

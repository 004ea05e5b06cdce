"""What a Hessian-vector product costs, in times of a gradient."""

import statistics
from dataclasses import dataclass
from functools import partial

import torch

from benchmarks.curvature.tools import PRODUCTS, Case, gradient
from benchmarks.timing import seconds_in_turn


@dataclass(frozen=True)
class Product:
    """Seconds of a product, and the same in times of a gradient."""

    tool: str
    seconds: float
    gradients: float


def time_products(case: Case, rounds: int, missing: list[str]) -> list[Product]:
    """Measure rounds of a gradient and every tool's product in turn."""
    size = sum(p.numel() for p in case.model.parameters())
    vector = torch.randn(size, generator=torch.Generator().manual_seed(0)).to(case.device)
    calls = {"gradient": gradient(case)}
    for tool, prepare in PRODUCTS.items():
        try:
            multiply = prepare(case)
        except ImportError as error:
            missing.append(f"{tool}: {error}")
            continue
        calls[tool] = partial(multiply, vector)
    seconds = seconds_in_turn(calls, rounds, case.device)
    return [
        Product(tool, statistics.median(times), _ratio(times, seconds["gradient"]))
        for tool, times in seconds.items()
    ]


def _ratio(times: list[float], unit: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(times, unit, strict=True))

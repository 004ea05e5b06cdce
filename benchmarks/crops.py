"""The area of Inception crops, and how many pictures a second are augmented.

    python -m benchmarks.crops [--size 500x375 ...] [--draws 100000] [--rounds 7] [--json FILE]

For each size of picture: mean area of the crops as a share of the picture's, with its standard
error, the share of crops below 15% of the area, and the smallest and largest width / height.
TensorFlow's sampler, summed over its heights, has 0.3425 and 25.3% for 500x375 pixels.

The speeds are medians over rounds, with one thread: drawing the boxes of a batch, cropping 32x32
pixels in memory, decoding and cropping a JPEG of the first size to 224x224, and RandAugment.
"""

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from landscape.data.augmentation.inception_crop import boxes_of, crop_tensors, draw_crops
from landscape.data.augmentation.randaugment import rand_augment
from landscape.data.sources.decoding import decode

BATCH = 256
SMALL = 0.15


@dataclass(frozen=True)
class Areas:
    """What crops of pictures of a size are like."""

    size: str
    mean: float
    standard_error: float
    below_15_percent: float
    least_aspect: float
    largest_aspect: float


def areas_of(width: int, height: int, draws: int) -> Areas:
    """Draw crops and describe them."""
    boxes = boxes_of(draw_crops(draws, torch.Generator().manual_seed(0)), height, width).double()
    areas = boxes[:, 2] * boxes[:, 3] / (width * height)
    aspects = boxes[:, 2] / boxes[:, 3]
    return Areas(
        f"{width}x{height}",
        areas.mean().item(),
        areas.std().item() / math.sqrt(draws),
        (areas < SMALL).double().mean().item(),
        aspects.min().item(),
        aspects.max().item(),
    )


def speeds(width: int, height: int, rounds: int) -> dict[str, float]:
    """Pictures a second, by what is done with them."""
    generator = torch.Generator().manual_seed(0)
    small = torch.rand(BATCH, 3, 32, 32, generator=generator)
    large = torch.rand(32, 3, 224, 224, generator=generator)
    pixels = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        Image.fromarray(pixels).resize((width, height)).save(path, quality=90)
        crops = draw_crops(32, generator)
        tasks: dict[str, tuple[int, Callable[[], object]]] = {
            "boxes": (BATCH, lambda: boxes_of(draw_crops(BATCH, generator), height, width)),
            "crops, 32x32": (
                BATCH,
                lambda: crop_tensors(small, boxes_of(draw_crops(BATCH, generator), 32, 32)),
            ),
            f"JPEG {width}x{height} to crop": (
                len(crops),
                lambda: [decode(path, 224, random_crop=crop) for crop in crops],
            ),
            "RandAugment, 32x32": (BATCH, lambda: rand_augment(small, 2, 15, generator)),
            "RandAugment, 224x224": (len(large), lambda: rand_augment(large, 2, 15, generator)),
        }
        return {name: count / _seconds(task, rounds) for name, (count, task) in tasks.items()}


def _seconds(task: Callable[[], object], rounds: int) -> float:
    task()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def main() -> None:
    """Draw, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = [(500, 375), (375, 500), (224, 224), (32, 32)]
    parser.add_argument("--size", type=_size, nargs="+", default=sizes, metavar="WIDTHxHEIGHT")
    parser.add_argument("--draws", type=int, default=100_000, metavar="N")
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    areas = [areas_of(width, height, arguments.draws) for width, height in arguments.size]
    print(f"crops, {arguments.draws:,} draws     mean area     below 15%     width / height")
    for row in areas:
        mean = f"{row.mean:.4f} +- {row.standard_error:.4f}"
        aspects = f"{row.least_aspect:.2f} to {row.largest_aspect:.2f}"
        print(f"{row.size:>12}     {mean:>22} {100 * row.below_15_percent:>12.1f}%     {aspects}")
    width, height = arguments.size[0]
    rates = speeds(width, height, arguments.rounds)
    for name, rate in rates.items():
        print(f"{name:24} {rate:12,.0f} pictures a second")
    if arguments.json:
        content = {"areas": [asdict(row) for row in areas], "pictures_per_second": rates}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()

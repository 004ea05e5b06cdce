"""The RMS change of every corruption beside that of the authors' code, on the same pictures.

    python -m benchmarks.corruptions [--draws N] [--photographs FOLDER] [--json FILE]

The pictures are eight of overlapping disks, at 32 and at 224 pixels. ``--photographs`` adds those
of a folder whose subfolders each hold ``0000.jpg`` of 32 pixels (the test split of CIFAR-10, stored
as JPEG), as they are and enlarged. The authors' figures are in ``corruptions_published.json``,
which says how they were measured. Changes are in bytes, over all values of all pictures.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from landscape.data.corruptions.catalog import FAMILIES, SEVERITIES, corrupt

PUBLISHED = Path(__file__).with_name("corruptions_published.json")
PICTURES, SMALL, LARGE = 8, 32, 224


def main() -> None:
    """Print a table for each set of pictures, and the largest difference of each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=10, metavar="N", help="of every corruption")
    parser.add_argument("--photographs", type=Path, metavar="FOLDER", help="CLASS/0000.jpg each")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    arguments = parser.parse_args()
    sets = leaves()
    if arguments.photographs:
        sets |= photographs(arguments.photographs)
    published = published_changes()
    measured = {}
    for name, pictures in sets.items():
        measured[name] = changes(pictures, arguments.draws)
        print(table(name, measured[name], published[name]))
    if arguments.json:
        arguments.json.write_text(json.dumps(measured, indent=2) + "\n")


def leaves() -> dict[str, NDArray[np.uint8]]:
    """Pictures (n, side, side, 3) of overlapping disks of 224 pixels, and the same reduced to 32.

    In this dead leaves model, whose edges are distributed over scales as those of photographs (Lee,
    Mumford and Huang 2001), opaque disks of radii distributed as 1 / r^3 hide each other. Each has
    its own colour, shading and grain.
    """
    source = np.random.default_rng(0)
    places = np.arange(LARGE)
    pictures = np.zeros((PICTURES, LARGE, LARGE, 3))
    for picture in pictures:
        for _ in range(1500):
            radius = 4 / np.sqrt(1 - source.random() * (1 - 1 / 32**2))
            row, column = source.uniform(-radius, LARGE + radius, 2)
            grey, slope = source.uniform(0, 255), source.normal(0, 0.15, 2)
            colour = grey + source.normal(0, 25, 3)
            rows = slice(max(0, int(row - radius)), int(row + radius) + 1)
            columns = slice(max(0, int(column - radius)), int(column + radius) + 1)
            down, right = places[rows, None] - row, places[None, columns] - column
            shaded = colour + (slope[0] * down + slope[1] * right)[..., None]
            shaded += source.normal(0, 4, shaded.shape[:2])[..., None]
            inside = (down**2 + right**2 <= radius**2)[..., None]
            picture[rows, columns] = np.where(inside, shaded, picture[rows, columns])
    step = LARGE // SMALL
    means = pictures.reshape(PICTURES, SMALL, step, SMALL, step, 3).mean((2, 4))
    return {
        f"leaves {SMALL}": means.clip(0, 255).round().astype(np.uint8),
        f"leaves {LARGE}": pictures.clip(0, 255).round().astype(np.uint8),
    }


def photographs(folder: Path) -> dict[str, NDArray[np.uint8]]:
    """The pictures ``0000.jpg`` of every subfolder, and the same enlarged bicubically."""
    sets: dict[str, list[NDArray[np.uint8]]] = {}
    for path in sorted(folder.glob("*/0000.jpg")):
        with Image.open(path) as picture:
            for side in (SMALL, LARGE):
                resized = picture.resize((side, side), Image.Resampling.BICUBIC)
                sets.setdefault(f"photographs {side}", []).append(np.asarray(resized))
    return {name: np.stack(pictures) for name, pictures in sets.items()}


def published_changes() -> dict[str, dict[str, list[float]]]:
    """The authors' RMS changes by severity, for each set of pictures and each family."""
    stored: dict[str, dict[str, list[float]]] = json.loads(PUBLISHED.read_text())["rms_change"]
    return stored


def changes(pictures: NDArray[np.uint8], draws: int) -> dict[str, list[float]]:
    """Our RMS changes by severity, of each family."""
    return {
        family: [rms_change(pictures, family, severity, draws) for severity in SEVERITIES]
        for family in FAMILIES
    }


def rms_change(pictures: NDArray[np.uint8], family: str, severity: int, draws: int) -> float:
    """The RMS change of pictures (n, H, W, 3), in bytes."""
    before = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    generator = torch.Generator().manual_seed(0)
    total = 0.0
    for _ in range(draws):
        change = corrupt(before, family, severity, generator).double() - before
        total += change.square().mean().item()
    return (total / draws) ** 0.5


def table(name: str, measured: dict[str, list[float]], published: dict[str, list[float]]) -> str:
    """A Markdown table of both, and the largest relative difference."""
    lines = [f"| {name}: ours / published | " + " | ".join(map(str, SEVERITIES)) + " |"]
    lines.append("|---" * (1 + len(SEVERITIES)) + "|")
    differences = {}
    for family, ours in measured.items():
        pairs = list(zip(ours, published[family], strict=True))
        cells = " | ".join(f"{mine:.1f} / {theirs:.1f}" for mine, theirs in pairs)
        lines.append(f"| {family} | {cells} |")
        for severity, (mine, theirs) in zip(SEVERITIES, pairs, strict=True):
            differences[family, severity] = mine / theirs - 1
    family, severity = max(differences, key=lambda key: abs(differences[key]))
    largest = differences[family, severity]
    lines.append(f"\nLargest difference: {largest:+.1%} ({family}, severity {severity}).\n")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

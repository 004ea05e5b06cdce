"""Synthetic pictures in the published form of CIFAR-10, for where the real ones are not."""

from pathlib import Path

import numpy as np

from landscape.data.sources.cifar import CIFAR10, PIXELS, SIDE

COARSE = 4  # the pattern of a class is so many blocks wide
STRENGTH, NOISE = 24, 80


def write_synthetic_pictures(folder: Path, training: int, test: int) -> None:
    """Write the files of the binary release, with a faint pattern for each class under noise.

    Args:
        folder: where to; it has to exist.
        training: how many pictures to train with, a multiple of 5.
        test: how many to test with.
    """
    source = np.random.default_rng(0)
    blocks = source.choice([-STRENGTH, STRENGTH], (CIFAR10.num_classes, 3, COARSE, COARSE))
    patterns = blocks.repeat(SIDE // COARSE, 2).repeat(SIDE // COARSE, 3)
    release = CIFAR10.releases[1]
    for split, count in (("train", training), ("test", test)):
        files = CIFAR10.batches(release, split)
        for file in files:
            labels = source.integers(0, CIFAR10.num_classes, count // len(files))
            noise = source.integers(-NOISE, NOISE + 1, (len(labels), 3, SIDE, SIDE))
            pixels = (128 + patterns[labels] + noise).astype(np.uint8).reshape(-1, PIXELS)
            rows = np.concatenate([labels.astype(np.uint8)[:, None], pixels], axis=1)
            (folder / file).write_bytes(rows.tobytes())
    names = [f"pattern{number}" for number in range(CIFAR10.num_classes)]
    (folder / release.class_names).write_text("\n".join(names) + "\n")

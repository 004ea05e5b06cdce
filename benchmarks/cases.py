"""The networks and pictures that benchmarks measure."""

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landscape.checkpoints.load import load_checkpoint
from landscape.data.sources.imagefolder import image_folder
from landscape.models.resnet import ResNet

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def normalised(values: Tensor) -> Tensor:
    """Pictures in [0, 1] with the usual mean and deviation of CIFAR-10."""
    mean, std = (values.new_tensor(numbers).view(3, 1, 1) for numbers in (MEAN, STD))
    return (values - mean) / std


def resnet20() -> nn.Module:
    """Three stages of three basic blocks, 16 to 64 channels."""
    torch.manual_seed(0)
    model = ResNet(layers=(3, 3, 3), block="basic", width=16, stem="small", num_classes=10)
    return model.eval()


def add_case_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that name pictures and weights for :func:`load_case`."""
    parser.add_argument("--data-dir", help="an image folder with train/CLASS/PICTURE")
    parser.add_argument("--checkpoint", help="weights in place of random ones, with --model")
    parser.add_argument("--model", help="as for landscape-plot")


def load_case(arguments: argparse.Namespace) -> tuple[nn.Module, NDArray[np.uint8], Tensor]:
    """The model in eval mode, pictures (N, 32, 32, 3) and targets that the arguments ask for."""
    source = np.random.default_rng(0)
    if arguments.data_dir:
        samples = image_folder(Path(arguments.data_dir), "train", 32, None, resident_bytes=0)
        chosen = torch.from_numpy(source.permutation(len(samples))[: arguments.images])
        pixels = samples.fetch(chosen).mul(255).round().byte().permute(0, 2, 3, 1).numpy()
        targets = samples.targets[chosen]
    else:
        pixels = source.integers(0, 256, (arguments.images, 32, 32, 3), dtype=np.uint8)
        targets = torch.from_numpy(source.integers(0, 10, arguments.images))
    if not arguments.checkpoint:
        return resnet20(), pixels, targets
    return load_checkpoint(arguments.checkpoint, arguments.model).model.eval(), pixels, targets

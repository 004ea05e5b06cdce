"""ResNet (He et al., CVPR 2016), version 1.5: the stride is in the 3x3 convolution.

The parameter names are those of timm and torchvision. Every ReLU is a separate module that is
called once a pass, so that activations can be told apart.

Weights are drawn as in the authors' code of SAM (google-research/sam, imagenet_models/resnet.py),
which leaves them to Flax: convolutions and head lecun-normal, biases 0, scales of BatchNorm 1.
There the last scale of each block is 0, which ``zero_init_residual`` does here.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from landscape.errors import InputError
from landscape.models.initialisation import lecun_normal_


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.act1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.act2 = nn.ReLU()
        self.downsample = _shortcut(channels, width, stride)

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The BatchNorm before the shortcut is added."""
        return self.bn2

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.act1(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        return self.act2(x + shortcut)


class Bottleneck(nn.Module):
    """1x1 down to ``width``, 3x3, 1x1 up to 4 x ``width``, and a shortcut."""

    expansion = 4

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        out = self.expansion * width
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.act1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.act2 = nn.ReLU()
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.act3 = nn.ReLU()
        self.downsample = _shortcut(channels, out, stride)

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The BatchNorm before the shortcut is added."""
        return self.bn3

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.act1(self.bn1(self.conv1(x)))
        x = self.act2(self.bn2(self.conv2(x)))
        x = self.bn3(self.conv3(x))
        return self.act3(x + shortcut)


BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {
    "basic": BasicBlock,
    "bottleneck": Bottleneck,
}


class ResNet(nn.Module):
    """Images (N, channels, H, W) to logits (N, num_classes).

    ``layers`` is the number of blocks of each stage; ``width`` the channels of the first stage,
    which double from stage to stage. ``stem`` is ``imagenet`` (7x7 convolution of stride 2,
    max-pooling) or ``small`` (3x3 of stride 1, for images of up to 32 pixels). ``image_size`` is
    accepted because the other families take it; the network takes images of any size. With
    ``zero_init_residual`` the scale of each block's last BatchNorm starts at 0, so that every block
    starts as its shortcut (Goyal et al., 2017).
    """

    def __init__(
        self,
        *,
        layers: Sequence[int],
        num_classes: int,
        block: str = "bottleneck",
        width: int = 64,
        stem: str = "imagenet",
        channels: int = 3,
        image_size: int | None = None,
        zero_init_residual: bool = False,
    ) -> None:
        super().__init__()
        if block not in BLOCKS:
            raise InputError(f"unknown block {block!r}; expected basic or bottleneck")
        if stem not in ("imagenet", "small"):
            raise InputError(f"unknown stem {stem!r}; expected imagenet or small")
        if isinstance(layers, int):
            layers = [layers]
        if stem == "imagenet":
            self.conv1 = nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False)
            self.maxpool: nn.Module = nn.MaxPool2d(3, stride=2, padding=1)
        else:
            self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
            self.maxpool = nn.Identity()
        self.bn1 = nn.BatchNorm2d(width)
        self.act1 = nn.ReLU()
        self.stages: list[str] = []
        kind, incoming = BLOCKS[block], width
        for stage, count in enumerate(layers):
            blocks: list[nn.Module] = []
            for k in range(count):
                stride = 2 if stage > 0 and k == 0 else 1
                blocks.append(kind(incoming, width * 2**stage, stride))
                incoming = kind.expansion * width * 2**stage
            self.stages.append(f"layer{stage + 1}")
            self.add_module(self.stages[-1], nn.Sequential(*blocks))
        self.fc = nn.Linear(incoming, num_classes)

        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                lecun_normal_(module)
            elif zero_init_residual and isinstance(module, BasicBlock | Bottleneck):
                nn.init.zeros_(module.last_norm.weight)

    def forward(self, images: Tensor) -> Tensor:
        x = self.maxpool(self.act1(self.bn1(self.conv1(images))))
        for stage in self.stages:
            x = self.get_submodule(stage)(x)
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


def _shortcut(channels: int, out: int, stride: int) -> nn.Sequential | None:
    """A 1x1 convolution if the block changes the shape; None for the identity."""
    if stride == 1 and channels == out:
        return None
    return nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

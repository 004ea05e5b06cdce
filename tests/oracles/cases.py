"""Small problems in float64, each with a reason to go wrong; fewer than 1500 parameters each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.models.mixer import MlpMixer
from landscape.models.resnet import ResNet
from landscape.models.vit import VisionTransformer
from tests.oracles.dense import Loss, dense_gradient, dense_hessian

NUM_SAMPLES = 7  # odd, so that no batch size but 1 and 7 divides it


@dataclass(frozen=True)
class Case:
    """A model with fixed random weights, in eval mode, and data for it."""

    name: str
    make_model: Callable[[], nn.Module]
    make_data: Callable[[], tuple[Tensor, Tensor]]
    loss: Loss = F.cross_entropy

    def model(self) -> nn.Module:
        """A fresh model, the same every time."""
        with torch.random.fork_rng():
            torch.manual_seed(1)
            return randomise(self.make_model().double()).eval()

    @property
    def data(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets, the same every time."""
        with torch.random.fork_rng():
            torch.manual_seed(2)
            return self.make_data()

    @cache  # noqa: B019  (the cases live as long as the tests do)
    def gradient(self) -> Tensor:
        """The dense gradient over all samples."""
        return dense_gradient(self.model(), *self.data, self.loss)

    @cache  # noqa: B019
    def hessian(self) -> Tensor:
        """The dense Hessian over all samples."""
        return dense_hessian(self.model(), *self.data, self.loss)


def randomise(model: nn.Module) -> nn.Module:
    """Every parameter and running statistic random, so that no term of a derivative vanishes."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() < 2:  # biases, and the scales of norms around 1
                parameter += 0.3 * torch.randn_like(parameter)
            else:
                parameter.normal_(std=1.2 / parameter[0].numel() ** 0.5)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(std=0.3)
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 2.0)
    return model


class UnusedParameter(nn.Module):
    """A layer that takes no part, between two that do."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(5, 6)
        self.idle = nn.Linear(4, 3)
        self.last = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.first(x)))


class TiedWeights(nn.Module):
    """One matrix used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(5, 5)
        self.second = nn.Linear(5, 5)
        self.second.weight = self.first.weight
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.second(torch.tanh(self.first(x)))))


def _vit() -> nn.Module:
    return VisionTransformer(
        image_size=4, patch_size=2, dim=8, depth=1, heads=2, mlp_dim=8, num_classes=3
    )


def _mixer() -> nn.Module:
    return MlpMixer(
        image_size=4, patch_size=2, dim=6, depth=2, token_dim=5, channel_dim=8, num_classes=3
    )


def _resnet() -> nn.Module:
    return ResNet(layers=(1, 1), block="basic", width=3, stem="small", num_classes=3)


def _frozen() -> nn.Module:
    model = nn.Sequential(nn.Linear(5, 6), nn.GELU(), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 3))
    model[0].bias.requires_grad_(False)
    model[2].weight.requires_grad_(False)
    return model


def _pictures() -> tuple[Tensor, Tensor]:
    pictures = torch.randn(NUM_SAMPLES, 3, 4, 4, dtype=torch.float64)
    return pictures, torch.randint(3, (NUM_SAMPLES,))


def _vectors() -> tuple[Tensor, Tensor]:
    return torch.randn(NUM_SAMPLES, 5, dtype=torch.float64), torch.randint(3, (NUM_SAMPLES,))


def _regression() -> tuple[Tensor, Tensor]:
    inputs = torch.randn(NUM_SAMPLES, 5, dtype=torch.float64)
    return inputs, torch.randn(NUM_SAMPLES, 2, dtype=torch.float64)


CASES = (
    Case("vit", _vit, _pictures),
    Case("mixer", _mixer, _pictures),
    Case("resnet with batch norm", _resnet, _pictures),
    Case("mlp with frozen parameters", _frozen, _vectors),
    Case("mlp with an unused layer", UnusedParameter, _vectors),
    Case("mlp with tied weights", TiedWeights, _vectors),
    Case("linear regression", lambda: nn.Linear(5, 2), _regression, F.mse_loss),
)
BY_NAME = {case.name: case for case in CASES}

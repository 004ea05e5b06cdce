"""Large networks, simulated: their operations and bytes, counted on tensors that hold no numbers.

The networks are built on torch's device ``meta``, which carries out no arithmetic and takes no
memory, so that a network of any size can be counted anywhere.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.cost.counting import Meter
from benchmarks.cost.decoder import CONTEXT, Decoder
from landscape.autograd.gradient_graph import GradientGraph
from landscape.autograd.second_order import SecondOrder
from landscape.autograd.skipped import SkippedParameters
from landscape.curvature.forward_mode import second_derivatives_along
from landscape.models.names import NAMED
from landscape.models.vit import VisionTransformer
from landscape.objective.second_derivatives import twice_differentiable

# Table 1 of Dosovitskiy et al. (2021).
_VIT_L = {**NAMED["vit-b16"][1], "dim": 1024, "depth": 24, "heads": 16, "mlp_dim": 4096}

# The loss of one sample by a model, or by what is called as it.
Loss = Callable[[Callable[..., Any]], Tensor]


@dataclass(frozen=True)
class Network:
    """A network with its loss of one sample, by name."""

    name: str
    sample: str
    build: Callable[[], nn.Module]
    loss: Loss


@dataclass(frozen=True)
class Simulated:
    """What one sample of a network takes, in float32.

    Attributes:
        parameters: how many it has.
        forward, gradient, product: floating-point operations.
        along: those of a second derivative along a vector, in forward mode.
        forward_bytes: activations of a forward pass without derivatives, at their peak.
        saved_bytes: those that a gradient's backward pass needs, kept by the forward pass.
        graph_bytes: those that the graph of a gradient keeps for products.
    """

    name: str
    sample: str
    parameters: int
    forward: int
    gradient: int
    product: int
    along: int
    forward_bytes: int
    saved_bytes: int
    graph_bytes: int


def _vit_loss(model: Callable[..., Any]) -> Tensor:
    images = torch.empty(1, 3, 224, 224, device="meta")
    return F.cross_entropy(model(images), torch.zeros(1, dtype=torch.long, device="meta"))


def _decoder_loss(model: Callable[..., Any]) -> Tensor:
    numbers = torch.zeros(1, CONTEXT, dtype=torch.long, device="meta")
    return F.cross_entropy(model(numbers)[:, :-1].flatten(0, 1), numbers[:, 1:].flatten())


NETWORKS = (
    Network(
        "ViT-B/16", "a picture of 224 x 224", lambda: VisionTransformer(**NAMED["vit-b16"][1]),
        _vit_loss,
    ),
    Network(
        "ViT-L/16", "a picture of 224 x 224", lambda: VisionTransformer(**_VIT_L), _vit_loss
    ),
    Network("decoder of 7 billion", f"{CONTEXT:,} tokens", Decoder, _decoder_loss),
)  # fmt: skip


def simulate_all() -> Iterator[Simulated]:
    """Each of :data:`NETWORKS` in turn."""
    for network in NETWORKS:
        with torch.device("meta"):
            model = network.build()
        yield simulate(network.name, network.sample, model, network.loss)


def simulate(name: str, sample: str, model: nn.Module, loss: Loss) -> Simulated:
    """Count a forward pass and derivatives of one sample, as analyses take them."""
    model.eval()
    parameters = list(model.parameters())
    size = sum(parameter.numel() for parameter in parameters)
    vector = 4 * size
    with sdpa_kernel(SDPBackend.MATH), torch.no_grad(), Meter() as forward:
        loss(model)
    with sdpa_kernel(SDPBackend.MATH), Meter() as gradient:
        value = loss(model)
        saved = gradient.current
        torch.autograd.grad(value, parameters)
    skipped = SkippedParameters()
    with twice_differentiable(model), Meter() as product:
        with SecondOrder(skipped):
            value = loss(model)
        graph = GradientGraph(value, parameters, skipped)
        kept, before = product.current, product.operations
        graph.products(torch.empty(size, 1, device="meta"), keep=True)
    weights = {name: parameter.detach() for name, parameter in model.named_parameters()}

    def loss_at(weights: Mapping[str, Tensor]) -> Tensor:
        return loss(lambda *inputs: functional_call(model, dict(weights), inputs))

    with twice_differentiable(model), Meter() as along:
        second_derivatives_along(loss_at, weights, weights)
    return Simulated(
        name=name,
        sample=sample,
        parameters=size,
        forward=forward.operations,
        gradient=gradient.operations,
        product=product.operations - before,
        along=along.operations,
        forward_bytes=forward.peak,
        saved_bytes=saved,
        graph_bytes=kept - vector,
    )

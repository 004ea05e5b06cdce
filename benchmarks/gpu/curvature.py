"""Stage (c): products with the Hessian in units of gradients, here and in other packages."""

from dataclasses import dataclass
from functools import partial

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.curvature.products import time_products
from benchmarks.curvature.tools import Case
from benchmarks.gpu.networks import network, random_pictures
from benchmarks.gpu.records import Measurement
from benchmarks.gpu.stages import Work

AIM = 2.0
OURS = "this project"
ROUNDS = 7


@dataclass(frozen=True)
class Network:
    """A network by name, with what it is built with and the batch of a product."""

    title: str
    build: partial[torch.nn.Module]
    side: int
    images: int
    classes: int


NETWORKS = (
    Network("ViT-S/16", partial(network, "vit-s16"), 224, 64, 1000),
    Network("ResNet-50", partial(network, "resnet50"), 224, 32, 1000),
)
DRY_NETWORKS = (
    Network(
        "ViT",
        partial(network, "vit-tiny", image_size=8, num_classes=10, depth=1),
        side=8,
        images=4,
        classes=10,
    ),
    Network("ResNet", partial(network, "resnet-tiny", image_size=8, num_classes=10), 8, 4, 10),
)


def measure(work: Work) -> None:
    """Time a product of each network."""
    for chosen in DRY_NETWORKS if work.is_dry else NETWORKS:
        generator = torch.Generator().manual_seed(2)
        case = Case(
            chosen.build().to(work.device),
            random_pictures(chosen.images, chosen.side).to(work.device),
            torch.randint(chosen.classes, (chosen.images,), generator=generator).to(work.device),
        )
        missing: list[str] = []
        # As in benchmarks.curvature: the other tools need attention in its plain form.
        with sdpa_kernel(SDPBackend.MATH):
            products = time_products(case, work.rounds(ROUNDS), missing)
        for product in products:
            is_unit = product.tool == "gradient"
            what = f"{chosen.title}, {product.tool}" + ("" if is_unit else ": a Hessian product")
            work.recorder.measured(
                Measurement(
                    what,
                    product.seconds if is_unit else product.gradients,
                    "s" if is_unit else "gradients",
                    AIM if product.tool == OURS else None,
                    note=f"{chosen.images} pictures, {1e3 * product.seconds:.3g} ms",
                )
            )
        if missing:
            work.recorder.write("missing", what=missing)

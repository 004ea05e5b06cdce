"""The Hessian products of this project and of other packages, on the same case."""

import argparse
import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.cases import load_case, normalised
from landscape.curvature.operators import CurvatureOperator
from landscape.models.catalog import resolve_model
from landscape.models.vit import VisionTransformer
from landscape.objective.objective import Objective

NETWORKS = ("resnet20", "vit", "mixer")


@dataclass(frozen=True)
class Case:
    """A batch and a model in eval mode, as each tool takes them, all on one device."""

    model: nn.Module
    inputs: Tensor
    targets: Tensor

    @classmethod
    def of(cls, network: str, arguments: argparse.Namespace) -> "Case":
        """The case of one of :data:`NETWORKS`, on the processor."""
        model, pixels, targets = load_case(arguments)
        scaled = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255)
        torch.manual_seed(0)
        if network == "vit":
            model = VisionTransformer(
                image_size=32, patch_size=4, dim=96, depth=4, heads=3, mlp_dim=384, num_classes=10
            ).eval()
        elif network == "mixer":
            facts = {"image_size": 32, "channels": 3, "num_classes": 10}
            model = resolve_model("mixer-tiny", {}, facts).build().eval()
        return cls(model, normalised(scaled), targets)

    @property
    def device(self) -> torch.device:
        """Where everything is."""
        return self.inputs.device

    def objective(self, dtype: torch.dtype = torch.float32) -> Objective:
        """The mean loss of the batch."""
        data = self.inputs, self.targets
        return Objective(self.model, data, device=self.device, dtype=dtype, verify=False)

    def fresh_model(self) -> nn.Module:
        """A copy of the model, which a tool may change."""
        return copy.deepcopy(self.model)


def gradient(case: Case) -> Callable[[], Any]:
    """One gradient of the plain model."""
    model = case.fresh_model()
    parameters = list(model.parameters())
    return lambda: torch.autograd.grad(
        F.cross_entropy(model(case.inputs), case.targets), parameters
    )


def our_product(case: Case) -> Callable[[Tensor], Any]:
    """The product with graphs kept, as in an analysis with many products."""
    return CurvatureOperator(case.objective()).matvec


def our_plain_product(case: Case) -> Callable[[Tensor], Any]:
    """The plain double backward of certificates."""
    return case.objective().hessian_product


def pyhessian_product(case: Case) -> Callable[[Tensor], Any]:
    """PyHessian's product, on the graph that it keeps of a single batch."""
    from pyhessian.utils import hessian_vector_product

    computer = pyhessian_of(case)

    def multiply(vector: Tensor) -> Any:
        pieces = vector.split([p.numel() for p in computer.params])
        shaped = [a.view_as(b) for a, b in zip(pieces, computer.params, strict=True)]
        return hessian_vector_product(computer.gradsH, computer.params, shaped)

    return multiply


def pyhessian_loader_product(case: Case) -> Callable[[Tensor], Any]:
    """PyHessian's product with a data loader, as for several batches: no graph is kept."""
    computer = pyhessian_of(case, dataloader=[(case.inputs, case.targets)])
    shapes = [parameter.shape for parameter in computer.params]

    def multiply(vector: Tensor) -> Any:
        pieces = vector.split([shape.numel() for shape in shapes])
        shaped = [piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)]
        return computer.dataloader_hv_product(shaped)

    return multiply


def eigenthings_product(case: Case) -> Callable[[Tensor], Any]:
    """The product of hessian-eigenthings."""
    multiply: Callable[[Tensor], Any] = eigenthings_of(case).matvec
    return multiply


def curvlinops_product(case: Case) -> Callable[[Tensor], Any]:
    """The product of curvlinops."""
    operator = curvlinops_of(case)
    return lambda vector: operator @ vector


def pyhessian_of(case: Case, dataloader: Any = None) -> Any:
    """PyHessian's computer of a batch, or of a data loader."""
    import pyhessian

    data = None if dataloader else (case.inputs, case.targets)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it keeps its graph on purpose, and torch warns of that
        return pyhessian.hessian(
            case.fresh_model(),
            F.cross_entropy,
            data=data,
            dataloader=dataloader,
            cuda=case.device.type == "cuda",
        )


def eigenthings_of(case: Case) -> Any:
    """The operator of hessian-eigenthings."""
    from hessian_eigenthings import HessianOperator as Theirs
    from hessian_eigenthings import supervised_loss

    batches = [(case.inputs, case.targets)]
    return Theirs(case.fresh_model(), batches, supervised_loss(F.cross_entropy))


def curvlinops_of(case: Case) -> Any:
    """The operator of curvlinops."""
    from curvlinops import HessianLinearOperator

    model = case.fresh_model()
    batches = [(case.inputs, case.targets)]
    loss = nn.CrossEntropyLoss()
    parameters = list(model.parameters())
    return HessianLinearOperator(model, loss, parameters, batches, check_deterministic=False)


PRODUCTS: dict[str, Callable[[Case], Callable[[Tensor], Any]]] = {
    "this project": our_product,
    "this project, plain module": our_plain_product,
    "PyHessian": pyhessian_product,
    "PyHessian, data loader": pyhessian_loader_product,
    "hessian-eigenthings": eigenthings_product,
    "curvlinops": curvlinops_product,
}

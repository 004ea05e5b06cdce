"""Products and searches for eigenvalues of this project and other packages, on the same case."""

import argparse
import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.cases import load_case, normalised
from landscape.curvature.operators import CurvatureOperator
from landscape.eigen.lanczos import lanczos
from landscape.models.vit import VisionTransformer
from landscape.objective.objective import Objective
from landscape.parameters.layout import flatten

TOP = 5


@dataclass(frozen=True)
class Case:
    """A batch and a model in eval mode, as each tool takes them, all on one device."""

    model: nn.Module
    inputs: Tensor
    targets: Tensor

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Case":
        """The case that the arguments of a command ask for, on the processor."""
        model, pixels, targets = load_case(arguments)
        scaled = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255)
        if arguments.network == "vit":
            torch.manual_seed(0)
            model = VisionTransformer(
                image_size=32, patch_size=4, dim=192, depth=6, heads=3, mlp_dim=768, num_classes=10
            ).eval()
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

    computer = _pyhessian(case)

    def multiply(vector: Tensor) -> Any:
        pieces = vector.split([p.numel() for p in computer.params])
        shaped = [a.view_as(b) for a, b in zip(pieces, computer.params, strict=True)]
        return hessian_vector_product(computer.gradsH, computer.params, shaped)

    return multiply


def pyhessian_loader_product(case: Case) -> Callable[[Tensor], Any]:
    """PyHessian's product with a data loader, as for several batches: no graph is kept."""
    computer = _pyhessian(case, dataloader=[(case.inputs, case.targets)])
    shapes = [parameter.shape for parameter in computer.params]

    def multiply(vector: Tensor) -> Any:
        pieces = vector.split([shape.numel() for shape in shapes])
        shaped = [piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)]
        return computer.dataloader_hv_product(shaped)

    return multiply


def eigenthings_product(case: Case) -> Callable[[Tensor], Any]:
    """The product of hessian-eigenthings."""
    multiply: Callable[[Tensor], Any] = _eigenthings(case).matvec
    return multiply


def curvlinops_product(case: Case) -> Callable[[Tensor], Any]:
    """The product of curvlinops."""
    operator = _curvlinops(case)
    return lambda vector: operator @ vector


def our_search(multiplicity: bool) -> Callable[..., tuple[Tensor, int | None]]:
    """Lanczos until the residuals are within --tolerance, with or without multiplicities."""

    def search(case: Case, arguments: argparse.Namespace) -> tuple[Tensor, int | None]:
        objective = case.objective()
        operator = CurvatureOperator(objective)
        pairs = lanczos(
            operator,
            TOP,
            torch.Generator().manual_seed(0),
            tolerance=arguments.tolerance,
            hint=objective.gradient(),
            multiplicity=multiplicity,
        )
        return pairs.vectors, operator.products

    return search


def pyhessian_search(tolerance: float) -> Callable[..., tuple[Tensor, int | None]]:
    """PyHessian's power iterations at a tolerance for the change of its eigenvalues."""

    def search(case: Case, _: argparse.Namespace) -> tuple[Tensor, int | None]:
        _, vectors = _pyhessian(case).eigenvalues(maxIter=1000, tol=tolerance, top_n=TOP)
        return torch.stack([flatten(vector).detach() for vector in vectors], 1), None

    return search


def eigenthings_search(case: Case, arguments: argparse.Namespace) -> tuple[Tensor, int | None]:
    """The Lanczos of hessian-eigenthings, with --steps."""
    from hessian_eigenthings import lanczos as their_lanczos

    result = their_lanczos(
        _eigenthings(case), k=TOP, max_iter=arguments.steps, reorthogonalize=True, seed=0
    )
    vectors = torch.as_tensor(result.eigenvectors)
    return (vectors if len(vectors) > TOP else vectors.T), arguments.steps


def curvlinops_search(case: Case, arguments: argparse.Namespace) -> tuple[Tensor, int | None]:
    """SciPy's eigsh on curvlinops' operator."""
    from scipy.sparse.linalg import eigsh

    operator = _curvlinops(case)
    start = np.random.default_rng(0).standard_normal(operator.shape[1]).astype(np.float32)
    _, vectors = eigsh(operator.to_scipy(), k=TOP, which="LM", tol=1e-2, v0=start)
    return torch.from_numpy(vectors.copy()), None


def _pyhessian(case: Case, dataloader: Any = None) -> Any:
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


def _eigenthings(case: Case) -> Any:
    from hessian_eigenthings import HessianOperator as Theirs
    from hessian_eigenthings import supervised_loss

    batches = [(case.inputs, case.targets)]
    return Theirs(case.fresh_model(), batches, supervised_loss(F.cross_entropy))


def _curvlinops(case: Case) -> Any:
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
SEARCHES: dict[str, Callable[..., tuple[Tensor, int | None]]] = {
    "this project": our_search(multiplicity=True),
    "this project, without multiplicities": our_search(multiplicity=False),
    "hessian-eigenthings": eigenthings_search,
    "curvlinops + eigsh, tol 1e-2": curvlinops_search,
}

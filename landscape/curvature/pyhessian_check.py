"""A cross-check: the eigenpairs that the pyhessian package finds, certified by exact products.

pyhessian (Yao et al., 2020) iterates until successive Rayleigh quotients stall, and reports no
residual.
"""

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from landscape.curvature.operators import CurvatureOperator
from landscape.eigen.eigenpairs import Eigenpairs, certify, default_tolerance
from landscape.errors import InputError
from landscape.objective.eval_copy import copy_module
from landscape.parameters.layout import flatten
from landscape.runtime.devices import full_precision


def pyhessian_eigenpairs(
    operator: CurvatureOperator,
    count: int,
    generator: torch.Generator,
    *,
    tolerance: float | None = None,
    max_steps: int = 300,
) -> Eigenpairs:
    """The eigenpairs by pyhessian's ``eigenvalues``, each with its measured residual.

    It runs until they change by less than ``tolerance`` squared, since the error of an eigenvalue
    is about the square of its residual. pyhessian draws from torch's global random state, which is
    seeded from ``generator`` and restored.

    Args:
        operator: the Hessian of an objective.
        count: how many pairs of largest magnitude.
        generator: the source of the seed.
        tolerance: of the relative residuals, by default 1e-4, or 1e-6 in float64.
        max_steps: the largest number of iterations for each pair.

    Raises:
        InputError: pyhessian can't measure the model: unused parameters, or inputs that are not
            one tensor.
    """
    import pyhessian

    objective = operator.objective
    tolerance = default_tolerance(operator) if tolerance is None else tolerance
    batches = [(batch.inputs, batch.targets) for batch in objective.batches]
    if not all(isinstance(inputs, Tensor) for inputs, _ in batches):
        raise InputError("--method pyhessian takes inputs that are one tensor; use lanczos")
    module = copy_module(objective.module)
    data: dict[str, Any] = {"dataloader": batches} if len(batches) > 1 else {"data": batches[0]}
    seed = int(torch.randint(2**62, (), generator=generator))
    default_dtype = torch.get_default_dtype()
    with (
        torch.random.fork_rng(devices=[]),
        warnings.catch_warnings(),
        sdpa_kernel(SDPBackend.MATH),
        full_precision(),
    ):
        # pyhessian keeps the graph of its backward pass on purpose, and torch warns of that.
        warnings.simplefilter("ignore")
        torch.default_generator.manual_seed(seed)
        torch.set_default_dtype(objective.dtype)  # pyhessian makes vectors of the default type
        try:
            computer = pyhessian.hessian(
                module, objective.loss_function, cuda=objective.device.type == "cuda", **data
            )
            _, vectors = computer.eigenvalues(maxIter=max_steps, tol=tolerance**2, top_n=count)
        except (AssertionError, RuntimeError, TypeError) as error:
            raise InputError(
                f"pyhessian can't measure this model ({error}); use --method lanczos"
            ) from error
        finally:
            torch.set_default_dtype(default_dtype)
            _forget_graph(module)
    columns = torch.stack([flatten(vector).detach() for vector in vectors], dim=1)
    return certify(operator, columns, tolerance, "pyhessian", max_steps)


def _forget_graph(module: nn.Module) -> None:
    """Cut the reference cycle of parameters with gradients that were made with create_graph."""
    for parameter in module.parameters():
        parameter.grad = None

"""The condition number of the neural tangent kernel: kappa of the paper's Table 1.

Theta = J J' over n samples and K outputs; kappa = lambda_max / lambda_min says how unevenly
gradient descent learns the directions of function space (Xiao et al., ICML 2020). The paper takes
it at initialisation; it does not say over how many samples, which outputs and how they are reduced,
so its values can't be matched, only their order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from analyses.ntk import result as ntk_result
from analyses.ntk.result import TangentKernel
from analyses.ntk.settings import Settings
from analyses.run_context import RunContext
from landscape.data.batches import Batch, map_tensors, merge
from landscape.errors import InputError, NotMeasurableError
from landscape.measures.tangent_kernel import tangent_kernel
from landscape.models.catalog import ModelSpec
from landscape.models.probe import find_classifier
from landscape.objective.eval_copy import make_eval_copy
from landscape.objective.objective import Objective
from landscape.runtime.devices import DTYPES
from landscape.runtime.progress import track


def measure(
    objective: Objective,
    settings: Settings,
    context: RunContext,
    *,
    initialise: Callable[[int], nn.Module] | None = None,
) -> TangentKernel:
    """The kernels' eigenvalues, each seed's in turn.

    ``initialise`` makes a network with fresh weights from a seed, where the objective does not
    remember how its own was made. Raises NotMeasurableError if neither says so.
    """
    dtype = DTYPES[settings.ntk_precision]
    whole = merge(objective.batches)
    count = min(settings.ntk_samples, whole.size)
    outputs = _choose_outputs(objective, settings)
    spectra: dict[str, list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]] = {
        variant: [] for variant in ntk_result.VARIANTS
    }
    drawn = []
    label = objective.origin.get("label", "model")
    for k in track(range(settings.ntk_seeds), f"tangent kernel of {label} (seeds)"):
        at_init = settings.ntk_at == "init"
        samples = _draw(whole.size, count, settings.seed + (0 if at_init else k))
        batch = _cast(whole.take(samples), dtype)
        module = (
            _fresh(objective, settings, settings.seed + k, initialise, batch)
            if at_init
            else objective.module
        )
        kernel = tangent_kernel(make_eval_copy(module, objective.device, dtype), batch, outputs)
        blocks = kernel.view(count, len(outputs), count, len(outputs))
        spectra["full"].append(_spectrum(kernel))
        spectra["summed"].append(_spectrum(blocks.diagonal(dim1=1, dim2=3).sum(-1)))
        own = [_spectrum(blocks[:, j, :, j]) for j in range(len(outputs))]
        spectra["logit"].append(np.stack(own))
        drawn.append(samples.numpy())
    return TangentKernel(
        samples=np.stack(drawn),
        outputs=np.array(outputs),
        full=np.stack(spectra["full"]),
        summed=np.stack(spectra["summed"]),
        logit=np.stack(spectra["logit"]),
    )


def _choose_outputs(objective: Objective, settings: Settings) -> list[int]:
    _, found = next(objective.outputs())
    if not isinstance(found, Tensor) or found.dim() != 2:
        raise NotMeasurableError("outputs have to be of shape (samples, outputs) for a kernel")
    width = found.shape[1]
    count = min(settings.ntk_outputs or width, width)
    return _draw(width, count, settings.seed).tolist()


def _draw(total: int, count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(total, generator=generator)[:count].sort().values


def _cast(batch: Batch, dtype: torch.dtype) -> Batch:
    def cast(tensor: Tensor) -> Tensor:
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    return Batch(map_tensors(cast, batch.inputs), batch.targets, batch.size)


def _fresh(
    objective: Objective,
    settings: Settings,
    seed: int,
    initialise: Callable[[int], nn.Module] | None,
    batch: Batch,
) -> nn.Module:
    """A network like the objective's with fresh weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if initialise is not None:
            module = initialise(seed)
        elif objective.origin.get("model"):
            made = objective.origin
            module = ModelSpec(made["model"], dict(made.get("model_args") or {})).build()
        else:
            raise NotMeasurableError(
                "nothing says how to make this network with fresh weights: pass initialise=, a "
                "function of a seed, or ask for --ntk-at checkpoint"
            )
        for parameter, own in zip(module.parameters(), objective.module.parameters(), strict=False):
            parameter.requires_grad_(own.requires_grad)
        if settings.ntk_head == "random":
            _draw_head(module, batch)
    return module


def _draw_head(module: nn.Module, batch: Batch) -> None:
    """Xavier-uniform weights for a head that is zero."""
    if not isinstance(batch.inputs, Tensor):
        return
    example = batch.inputs[:1].cpu()
    try:
        head = module.get_submodule(find_classifier(module, example))
    except InputError:
        return
    weight = head.weight
    if isinstance(weight, Tensor) and not weight.any():
        nn.init.xavier_uniform_(weight)


def _spectrum(kernel: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Largest first."""
    return np.asarray(torch.linalg.eigvalsh(kernel).flip(0).numpy())

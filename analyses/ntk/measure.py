"""The condition number of the neural tangent kernel: kappa of the paper's Table 1.

Theta = J J' over n samples and K outputs; kappa = lambda_max / lambda_min says how unevenly
gradient descent learns the directions of function space (Xiao et al., ICML 2020). The paper takes
it at initialisation. It does not say how many samples and which outputs it took, how it reduced
them and by what BatchNorm normalised, so its values cannot be matched, only their order.

At initialisation BatchNorm's stored statistics are 0 and 1, so that it would not normalise at all:
the network measured would be another one than is trained. By default they are re-estimated from the
kernel's samples first. Then each sample still has outputs of its own, as the kernel's definition
wants it; with batch statistics, as in TE-NAS, the derivatives of a sample's outputs also go through
the other samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import numpy as np
import torch
from torch import Tensor, nn

from analyses.ntk.result import TangentKernel
from analyses.ntk.settings import VARIANTS, Settings
from analyses.run_context import RunContext
from landscape.data.batches import Batch, map_tensors, merge
from landscape.errors import InputError, NotMeasurableError
from landscape.measures.batch_statistics import (
    forget_statistics,
    norms_with_statistics,
    reestimate_statistics,
)
from landscape.measures.tangent_kernel import LogitSum, tangent_kernel
from landscape.models.catalog import ModelSpec
from landscape.models.initialisation import lecun_normal_
from landscape.models.outputs import logits_of
from landscape.models.probe import find_classifier
from landscape.objective.eval_copy import make_eval_copy
from landscape.objective.model_call import call_model
from landscape.objective.objective import Objective
from landscape.runtime.devices import DTYPES
from landscape.runtime.progress import track

# Beyond this share of weights that no seed changes, a network was not drawn but trained.
MOST_FIXED = 0.5

Spectrum = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def measure(
    objective: Objective,
    settings: Settings,
    context: RunContext,
    *,
    initialise: Callable[[int], nn.Module] | None = None,
) -> TangentKernel:
    """Measure the eigenvalues of the kernel of each seed.

    Args:
        objective: the network and its data.
        settings: at which weights, over which samples and outputs.
        context: not used.
        initialise: makes a network with fresh weights from a seed; needed at initialisation where
            the objective's origin does not name the model.

    Returns:
        The spectra of the full kernel, of its sum over outputs, of each output's own kernel and of
        that of the sum of all logits.

    Raises:
        NotMeasurableError: if the outputs are not of shape (samples, outputs), if nothing says how
            to initialise the network, or if the samples are too few for BatchNorm.
    """
    dtype = DTYPES[settings.ntk_precision]
    data = merge(objective.batches)
    num_samples = min(settings.ntk_samples, data.size)
    outputs, num_logits = _choose_outputs(objective, settings)
    spectra: dict[str, list[Spectrum]] = {variant: [] for variant in VARIANTS}
    samples_by_seed = []
    label = objective.label or "model"
    at_init = settings.ntk_at == "init"
    networks = _initialised(objective, settings, initialise) if at_init else None
    normalised = ""
    for k in track(
        range(settings.ntk_seeds),
        f"tangent kernel of {label} (seeds)",
        less="lower --ntk-seeds, --ntk-samples or --ntk-outputs",
    ):
        samples = _draw(data.size, num_samples, settings.seed + (0 if at_init else k))
        batch = _cast(data.take(samples), dtype)
        module = objective.module if networks is None else next(networks)
        module = make_eval_copy(module, objective.device, dtype)
        normalised = _normalise(objective, module, batch, settings.statistics)
        together = normalised == "batch"
        kernel = tangent_kernel(module, batch, outputs, together=together)
        blocks = kernel.view(num_samples, len(outputs), num_samples, len(outputs))
        spectra["full"].append(_spectrum(kernel))
        spectra["summed"].append(_spectrum(blocks.diagonal(dim1=1, dim2=3).sum(-1)))
        logits = [_spectrum(blocks[:, j, :, j]) for j in range(len(outputs))]
        spectra["logit"].append(np.stack(logits))
        if len(outputs) == num_logits:
            of_sum = blocks.sum((1, 3))
        else:
            of_sum = tangent_kernel(LogitSum(module), batch, [0], together=together)
        spectra["logit_sum"].append(_spectrum(of_sum))
        samples_by_seed.append(samples.numpy())
    return TangentKernel(
        samples=np.stack(samples_by_seed),
        outputs=np.array(outputs),
        full=np.stack(spectra["full"]),
        summed=np.stack(spectra["summed"]),
        logit=np.stack(spectra["logit"]),
        logit_sum=np.stack(spectra["logit_sum"]),
        statistics=normalised,
    )


def _normalise(objective: Objective, module: nn.Module, batch: Batch, statistics: str) -> str:
    """Make BatchNorm normalise by these statistics, and return them; ``none`` without BatchNorm."""
    norms = norms_with_statistics(module)
    if not norms:
        return "none"
    if statistics == "fixed":
        return statistics
    try:
        with objective.evaluating():
            if statistics == "batch":
                forget_statistics(norms)
                call_model(module, batch)  # raises for a batch without a variance
            else:
                reestimate_statistics(norms, lambda part: call_model(module, part), [batch])
    except ValueError as error:
        raise NotMeasurableError(f"--ntk-bn {statistics}: {error}; take more samples") from error
    return statistics


def _choose_outputs(objective: Objective, settings: Settings) -> tuple[list[int], int]:
    """The outputs that the kernel is of, and how many the network has."""
    _, outputs = next(objective.outputs())
    example = logits_of(outputs)
    if not isinstance(example, Tensor) or example.dim() != 2:
        shape = tuple(example.shape) if isinstance(example, Tensor) else type(example).__name__
        raise NotMeasurableError(
            f"the tangent kernel needs outputs of shape (samples, outputs), got {shape}"
        )
    width = example.shape[1]
    chosen = min(settings.ntk_outputs or width, width)
    return _draw(width, chosen, settings.seed).tolist(), width


def _draw(total: int, size: int, seed: int) -> Tensor:
    """``size`` different numbers below ``total``, in ascending order."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(total, generator=generator)[:size].sort().values


def _cast(batch: Batch, dtype: torch.dtype) -> Batch:
    def cast(tensor: Tensor) -> Tensor:
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    return batch.with_inputs(map_tensors(cast, batch.inputs))


def _initialised(
    objective: Objective, settings: Settings, initialise: Callable[[int], nn.Module] | None
) -> Iterator[nn.Module]:
    """Networks with fresh weights, one for each seed.

    Raises:
        NotMeasurableError: if two seeds give the same weights, as those of a pretrained network.
    """
    first, second = (_fresh(objective, settings, settings.seed + k, initialise) for k in (0, 1))
    fixed = share_of_fixed_weights(first, second)
    if fixed > MOST_FIXED:
        name = objective.origin.get("model") or "initialise="
        raise NotMeasurableError(
            f"{name} gives the same weights for every seed ({100 * fixed:.0f}% of them), so it is "
            "not initialised but pretrained; measure it as it is: --ntk-at checkpoint, or "
            "ntk_at='checkpoint' from Python"
        )
    yield first
    yield second
    for k in count(2):
        yield _fresh(objective, settings, settings.seed + k, initialise)


def share_of_fixed_weights(first: nn.Module, second: nn.Module) -> float:
    """The share of the drawn parameters that are the same in two networks of different seeds.

    Parameters that start at one constant, such as biases at 0, are no sign of training.
    """
    fixed = total = 0
    for before, after in zip(first.parameters(), second.parameters(), strict=True):
        if before.numel() < 2 or bool((before == before.flatten()[0]).all()):
            continue
        total += before.numel()
        fixed += before.numel() if torch.equal(before, after) else 0
    return fixed / total if total else 0.0


def _fresh(
    objective: Objective,
    settings: Settings,
    seed: int,
    initialise: Callable[[int], nn.Module] | None,
) -> nn.Module:
    """A network of the objective's architecture with fresh weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if initialise is not None:
            module = initialise(seed)
        elif objective.origin.get("model"):
            arguments = dict(objective.origin.get("model_args") or {})
            module = ModelSpec(objective.origin["model"], arguments).build()
        else:
            raise NotMeasurableError(
                "the network cannot be made with fresh weights: nothing names its architecture; "
                "pass initialise=, a function of a seed, or use --ntk-at checkpoint"
            )
        pairs = zip(module.parameters(), objective.module.parameters(), strict=False)
        for parameter, original in pairs:
            parameter.requires_grad_(original.requires_grad)
        if settings.ntk_head == "random":
            _draw_head(module, objective.batches[0])
    return module


def _draw_head(module: nn.Module, batch: Batch) -> None:
    """Give a head whose weights are all zero lecun-normal ones.

    That is what big_vision's models do with ``head_zeroinit=False``, and Flax where a dense layer
    says nothing.
    """
    if not isinstance(batch.inputs, Tensor):
        return
    example = batch.inputs[:1].cpu()
    try:
        head = module.get_submodule(find_classifier(module, example))
    except InputError:
        return
    if isinstance(head, nn.Linear) and not head.weight.any():
        lecun_normal_(head)


def _spectrum(kernel: Tensor) -> Spectrum:
    """The eigenvalues of a kernel, largest first."""
    return np.asarray(torch.linalg.eigvalsh(kernel).flip(0).numpy())

"""Hessians of the loss with respect to a dense layer's pre-activation h_k = W_k a_{k-1}.

Chen, Hsieh and Gong (ICLR 2022) write the Hessian of one sample with respect to W_k as
(a_{k-1} a_{k-1}') kron Hc_k, where Hc_k is that with respect to h_k, and follow Hc_k from layer to
layer: Hc_k = B_k W_{k+1}' Hc_{k+1} W_{k+1} B_k + D_k (Botev, Ritter and Barber, ICML 2017). Here
Hc_k is not computed from that formula but by differentiation: zeros are added to h_k, and the loss
is differentiated twice by them. So it also holds with tokens, skip connections and norms.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from landscape.autograd.gradient_graph import differentiable_gradients
from landscape.data.batches import Batch, merge, rebatch
from landscape.eigen.eigenpairs import SEARCH_SHARE, choose
from landscape.eigen.krylov import Krylov
from landscape.eigen.lanczos import is_finished, restart
from landscape.eigen.operator import check_finite, random_vector
from landscape.eigen.sums import unit
from landscape.errors import InputError, NotMeasurableError
from landscape.hooks.dense_layers import DenseLayer, watch_dense
from landscape.objective.objective import Objective
from landscape.runtime.progress import track

LOGGER = logging.getLogger(__name__)


class PreactivationHessian:
    """The matrices Hc (D, D) of n samples for a layer, which are multiplied all at once.

    Args:
        gradient: of the sum of the samples' losses with respect to ``shift``.
        shift: zeros of shape (n, ..., d) that were added to the layer's output.

    Attributes:
        count: n, the number of samples.
        size: D, the number of scalars of a sample's output.
    """

    def __init__(self, gradient: Tensor, shift: Tensor) -> None:
        self.gradient = gradient
        self.shift = shift
        self.count = len(shift)
        self.size = shift[0].numel()
        self.dtype = shift.dtype
        self.device = shift.device

    def products(self, vectors: Tensor) -> Tensor:
        """Each sample's Hessian times its row of ``vectors``; both of shape (n, D)."""
        if not self.gradient.requires_grad:  # a loss that is linear in h
            return torch.zeros_like(vectors)
        (products,) = torch.autograd.grad(
            self.gradient,
            self.shift,
            vectors.view_as(self.shift),
            retain_graph=True,
            materialize_grads=True,
        )
        return products.reshape(vectors.shape)

    def sample(self, number: int) -> "SampleHessian":
        """The Hessian of the sample with this number."""
        return SampleHessian(self, number)


class SampleHessian:
    """Hc of a single sample as a symmetric operator of size D."""

    def __init__(self, whole: PreactivationHessian, number: int) -> None:
        self.whole = whole
        self.number = number
        self.size, self.dtype, self.device = whole.size, whole.dtype, whole.device

    def matmat(self, vectors: Tensor) -> Tensor:
        """The product with ``vectors`` of shape (D, K)."""
        columns = []
        for vector in vectors.unbind(1):
            rows = vector.new_zeros(self.whole.count, self.size)
            rows[self.number] = vector
            columns.append(self.whole.products(rows)[self.number])
        return torch.stack(columns, 1)

    exact_matmat = matmat


@dataclass(frozen=True)
class Preactivations:
    """What is known of the Hessians H_W = M' Hc M of S samples with respect to a layer's weights.

    Attributes:
        eigenvalues: those of Hc of largest magnitude, of shape (S,).
        residuals: their ||Hc v - lambda v|| / |lambda|, measured with one more product, (S,).
        gains: ||A||_2^2 of the layer's input A, a matrix of tokens by features or a vector, (S,).
    """

    eigenvalues: Tensor
    residuals: Tensor
    gains: Tensor


def preactivation_eigenvalues(
    objective: Objective,
    layers: Sequence[DenseLayer],
    generator: torch.Generator,
    *,
    tolerance: float,
    max_steps: int = 300,
) -> dict[str, Preactivations]:
    """The leading eigenvalue of Hc of every sample, for each layer.

    Hc is that of the sample's own loss, not divided by the number of samples. There is a Lanczos
    process for each sample, and a backward pass advances all samples of a batch.

    Args:
        objective: the loss and its samples.
        layers: the dense layers.
        generator: the source of the random starts.
        tolerance: of the relative residuals.
        max_steps: the largest number of products for each sample.

    Returns:
        The eigenvalues of all samples by the layer's path.
    """
    pieces: dict[str, list[Tensor]] = {layer.path: [] for layer in layers}
    for batch in objective.batches:
        with objective.second_derivatives():
            hessians, gains = preactivation_hessians(objective, layers, batch)
            for path, hessian in track(
                hessians.items(),
                "pre-activation Hessians (layers)",
                less="lower --recursion-samples",
            ):
                values, residuals = _leading(hessian, generator, tolerance, max_steps)
                pieces[path].append(torch.stack([values, residuals, gains[path]]))
    return {path: Preactivations(*torch.cat(rows, 1)) for path, rows in pieces.items()}


def preactivation_hessians(
    objective: Objective, layers: Sequence[DenseLayer], batch: Batch
) -> tuple[dict[str, PreactivationHessian], dict[str, Tensor]]:
    """The Hessians of the n samples of a batch and their gains (n,), both by the layer's path.

    All Hessians share one graph. Call and use within ``objective.second_derivatives()``.
    """
    shifts: dict[str, Tensor] = {}
    gains: dict[str, Tensor] = {}

    def shift(layer: DenseLayer, x: Tensor, output: Tensor) -> Tensor:
        shifts[layer.path] = torch.zeros_like(output, requires_grad=True)
        rows = x.detach().double().reshape(len(x), -1, x.shape[-1])
        gains[layer.path] = torch.linalg.matrix_norm(rows, ord=2).square()
        return output + shifts[layer.path]

    with watch_dense(objective.module, layers, shift):
        outputs = objective.forward(batch)
        total = batch.size * objective.loss_of(outputs, batch)
    losses = objective.criterion.equal_sample_losses(outputs, batch)
    if losses is None and batch.weight != batch.size:
        raise NotMeasurableError(
            "the Hessian of each sample needs a loss that counts the samples equally, without "
            "class weights or ignored labels"
        )
    paths = [layer.path for layer in layers]
    gradients = differentiable_gradients(total, [shifts[path] for path in paths])
    hessians = {
        path: PreactivationHessian(gradient, shifts[path])
        for path, gradient in zip(paths, gradients, strict=True)
    }
    return hessians, gains


def few_samples(objective: Objective, count: int, generator: torch.Generator) -> Objective:
    """The same loss over at most ``count`` samples drawn at random, in float64 if the model can.

    In float32 the derivative of cross-entropy cancels where a network is sure of the class.
    """
    whole = merge(objective.batches)
    chosen = torch.randperm(whole.size, generator=generator)[:count].sort().values
    batch_size = max(batch.size for batch in objective.batches)
    batches = rebatch([whole.take(chosen)], batch_size)

    def objective_in(dtype: torch.dtype) -> Objective:
        return Objective(
            objective.module,
            [(batch.inputs, batch.targets) for batch in batches],
            objective.loss_function,
            weight=objective.criterion.weight,
            device=objective.device,
            dtype=dtype,
            verify=False,
        )

    try:
        few = objective_in(torch.float64)
        few.gradient()
    except (RuntimeError, TypeError, InputError) as error:
        if objective.dtype == torch.float64:
            raise
        LOGGER.info(f"the model does not take float64 ({error}); continuing in {objective.dtype}")
        return objective_in(objective.dtype)
    return few


def _leading(
    hessian: PreactivationHessian, generator: torch.Generator, tolerance: float, max_steps: int
) -> tuple[Tensor, Tensor]:
    """The eigenvalue of largest magnitude of each sample and its residual, both of shape (n,)."""
    samples = [hessian.sample(number) for number in range(hessian.count)]
    size_of_all = hessian.count * hessian.size
    processes = [
        Krylov(
            sample,
            random_vector(sample, generator),
            generator,
            max_steps,
            size_of_all=size_of_all,
        )
        for sample in samples
    ]
    active = dict(enumerate(processes))
    for _ in range(max_steps):
        vectors = hessian.shift.new_zeros(hessian.count, hessian.size)
        for number, process in active.items():
            vectors[number] = process.vector
        products = hessian.products(vectors)
        for number, process in active.items():
            process.advance(products[number])
        active = {
            number: process
            for number, process in active.items()
            if not (process.is_complete or is_finished(process, 1, SEARCH_SHARE * tolerance))
        }
        if not active:
            break
        for process in active.values():
            if process.is_full and process.steps < max_steps:
                restart(process, 1)
    return _certified(hessian, torch.stack([_ritz_vector(process) for process in processes]))


def _ritz_vector(process: Krylov) -> Tensor:
    """The Ritz vector of largest magnitude, of shape (D,)."""
    values, coordinates = process.ritz()
    return unit(process.ritz_vectors(coordinates[:, choose(values, 1, "magnitude")])).squeeze(1)


def _certified(hessian: PreactivationHessian, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Rayleigh quotients of the rows of ``vectors`` and their relative residuals."""
    products, vectors = hessian.products(vectors).double(), vectors.double()
    check_finite(products)
    values = (vectors * products).sum(1) / vectors.square().sum(1)
    errors = torch.linalg.vector_norm(products - values.unsqueeze(1) * vectors, dim=1)
    return values, torch.where(errors == 0, 0.0, errors / values.abs())

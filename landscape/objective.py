"""The loss as a function of the weights, the same function every time it is asked.

    L(theta) = 1/N sum_i loss(model(x_i; theta), y_i)

over a fixed sample, with the model in eval mode. An :class:`Objective` works on a copy of the
model, so the user's module is never moved, trained, perturbed or put into another mode.
"""

import copy
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from landscape._checks import check_mean_over_samples, check_repeatable
from landscape.data.batches import Batch, map_tensors, resident_batches, tensors_of
from landscape.devices import describe_device, full_precision, resolve_device
from landscape.errors import InputError
from landscape.parameters import ParameterLayout, flatten
from landscape.provenance import Provenance
from landscape.results import plain

LossFunction = Callable[[Any, Any], Tensor]


@dataclass(frozen=True)
class Evaluation:
    """The loss at one theta; ``accuracy`` in per cent, nan where the task has no classes."""

    loss: float
    accuracy: float


class Objective:
    """The deterministic mean loss of ``model`` over ``data`` as a function of its parameters.

    Args:
        model: any module; called as ``model(inputs)``, or ``model(*inputs)`` and
            ``model(**inputs)`` where the inputs of a batch are a tuple or a dict. Theta is its
            trainable parameters; frozen ones are constants of the function.
        data: a pair of tensors (inputs, targets), a Dataset, or any iterable of batches. It is
            read once; an augmentation or a shuffle is thereby fixed.
        loss: maps (outputs, targets) to the scalar mean over the batch.
        batch_size: how many samples go through the model at once, for data that isn't batched.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        dtype: floating type of weights and inputs.
        origin: what is known of where model and data came from; written into provenance.
        verify: refuse a loss that is not a repeatable mean over samples. Costs four forward
            passes of the first batch.

    Raises:
        InputError: for a model without trainable parameters, data that is no data, and, with
            ``verify``, a loss that differs from call to call or depends on how the samples are
            batched; the message names the module that causes it.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Any,
        loss: LossFunction = F.cross_entropy,
        *,
        batch_size: int = 256,
        device: str | torch.device = "auto",
        dtype: torch.dtype = torch.float32,
        origin: Mapping[str, Any] | None = None,
        verify: bool = True,
    ) -> None:
        if batch_size < 1:
            raise InputError(f"the batch size has to be at least 1, got {batch_size}")
        self.device = resolve_device(device)
        self.dtype = dtype
        name = getattr(loss, "__name__", type(loss).__name__)
        self.origin: dict[str, Any] = plain({"loss": name, **(origin or {})})
        if isinstance(loss, nn.Module):  # its class weights, say, belong where the model is
            loss = copy.deepcopy(loss).to(self.device, dtype)
        self.loss_function = loss
        self.module = _twin(model, self.device, dtype)
        self.batches = resident_batches(data, batch_size, self.device, dtype)
        self.num_samples = sum(batch.size for batch in self.batches)
        self.layout = ParameterLayout.of(self.module)
        self._parameters = [p for p in self.module.parameters() if p.requires_grad]
        self.theta = flatten(parameter.detach() for parameter in self._parameters)
        # The weights the module computes with are views of one vector: setting theta is one copy.
        self._weights = self.theta.clone()
        for parameter, view in zip(self._parameters, self.layout.views(self._weights), strict=True):
            parameter.data = view
        if verify:
            with torch.no_grad(), full_precision():
                check_repeatable(self.module, self._batch_loss, self._forward, self.batches[0])
                check_mean_over_samples(self.module, self._batch_loss, self.batches[0])

    @property
    def num_parameters(self) -> int:
        """P, the length of theta."""
        return self.layout.size

    def loss(self, theta: Tensor | None = None) -> float:
        """L(theta), in the unit of the loss; at the model's own weights without ``theta``."""
        return self.evaluate(theta).loss

    def evaluate(self, theta: Tensor | None = None) -> Evaluation:
        """Loss and accuracy at ``theta`` of shape (P,). Sums over batches are in float64."""
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        correct = torch.zeros((), dtype=torch.int64, device=self.device)
        classified = False
        with self._at(theta), torch.no_grad(), full_precision():
            for batch in self.batches:
                outputs = self._forward(batch)
                total += self._mean_loss(outputs, batch).double() * batch.size
                hits = _correct(outputs, batch.targets)
                if hits is not None:
                    classified = True
                    correct += hits
        # One synchronisation with the device a call, here.
        loss = total.item() / self.num_samples
        accuracy = 100.0 * correct.item() / self.num_samples if classified else math.nan
        return Evaluation(loss, accuracy)

    def loss_standard_error(self, theta: Tensor | None = None) -> float:
        """The sampling error of L(theta): the standard deviation of the per-sample losses / √N.

        nan where the loss can't be taken sample by sample.
        """
        losses = []
        with self._at(theta), full_precision(), torch.no_grad():
            for batch in self.batches:
                found = _sample_losses(self.loss_function, self._forward(batch), batch.targets)
                if found is None:
                    return math.nan
                losses.append(found)
        values = torch.cat(losses).double()
        if len(values) < 2:
            return math.nan
        return (values.std() / math.sqrt(len(values))).item()

    def outputs(self) -> Iterator[tuple[Batch, Any]]:
        """The batches and the model's outputs for them at its own weights, without gradients.

        Hooks put on :attr:`module` see every forward pass; take them off again afterwards.
        """
        for batch in self.batches:
            with full_precision(), torch.no_grad():
                outputs = self._forward(batch)
            yield batch, outputs

    def gradient(self, theta: Tensor | None = None) -> Tensor:
        """The gradient of L at ``theta``, of shape (P,)."""
        gradient = torch.zeros_like(self.theta)
        with self._at(theta), full_precision(), _differentiable(self.module):
            for batch in self.batches:
                loss = self._batch_loss(batch) * (batch.size / self.num_samples)
                gradient += self._gradient(loss, create_graph=False)
        return gradient

    def hessian_product(self, vectors: Tensor, theta: Tensor | None = None) -> Tensor:
        """The Hessian of L at ``theta`` times ``vectors`` of shape (P,) or (P, K).

        Exact (double backward; Pearlmutter, 1994). The K vectors share the forward and first
        backward pass of each batch. Attention runs in its plain form, since the fused kernels
        have no second derivative. Raises InputError for vectors of another shape.
        """
        if vectors.dim() not in (1, 2) or len(vectors) != self.num_parameters:
            raise InputError(
                f"expected vectors of shape (P,) or (P, K) with P = {self.num_parameters}, "
                f"got {tuple(vectors.shape)}"
            )
        columns = vectors.reshape(self.num_parameters, -1).to(self.theta)
        products = torch.zeros_like(columns)
        with (
            self._at(theta),
            full_precision(),
            sdpa_kernel(SDPBackend.MATH),
            _differentiable(self.module),
        ):
            for batch in self.batches:
                loss = self._batch_loss(batch) * (batch.size / self.num_samples)
                gradient = self._gradient(loss, create_graph=True)
                if not gradient.requires_grad:  # a loss that is linear in theta
                    continue
                # One by one: batched (vmapped) double backward of layer norm is wrong in torch.
                last = columns.shape[1] - 1
                for k in range(columns.shape[1]):
                    pieces = torch.autograd.grad(
                        gradient,
                        self._parameters,
                        grad_outputs=columns[:, k],
                        retain_graph=k < last,
                        materialize_grads=True,
                    )
                    products[:, k] += flatten(pieces)
        return products.reshape(vectors.shape)

    def sample_hash(self) -> str:
        """SHA-256 of the samples as the model sees them, which says whether two runs saw one."""
        digest = hashlib.sha256()
        for part in ("inputs", "targets"):
            for k, batch in enumerate(self.batches):
                for tensor in tensors_of(getattr(batch, part)):
                    if k == 0:  # the shape of a sample; how they are batched is no matter
                        digest.update(_kind(tensor[0]))
                    digest.update(_content(tensor))
        return digest.hexdigest()

    def weights_hash(self) -> str:
        """SHA-256 of the parameters and buffers that the function is made of."""
        digest = hashlib.sha256()
        frozen = (p.detach() for p in self.module.parameters() if not p.requires_grad)
        for tensor in (self.theta, *self.module.buffers(), *frozen):
            digest.update(_kind(tensor))
            digest.update(_content(tensor))
        return digest.hexdigest()

    def provenance(self, seconds: float) -> Provenance:
        """What was measured, on what, with what; ``seconds`` is what the measurement took."""
        return Provenance(
            num_parameters=self.num_parameters,
            num_samples=self.num_samples,
            sample_sha256=self.sample_hash(),
            weights_sha256=self.weights_hash(),
            precision=str(self.dtype).removeprefix("torch."),
            device=describe_device(self.device),
            seconds=round(seconds, 3),
            origin=self.origin,
        )

    @contextmanager
    def _at(self, theta: Tensor | None) -> Iterator[None]:
        if theta is None:
            yield
            return
        if theta.shape != self.theta.shape:
            raise InputError(
                f"expected theta of shape {tuple(self.theta.shape)}, got {tuple(theta.shape)}"
            )
        try:
            self._weights.copy_(theta)
            yield
        finally:
            self._weights.copy_(self.theta)

    def _forward(self, batch: Batch) -> Any:
        if isinstance(batch.inputs, Mapping):
            return self.module(**batch.inputs)
        if isinstance(batch.inputs, tuple):
            return self.module(*batch.inputs)
        return self.module(batch.inputs)

    def _batch_loss(self, batch: Batch) -> Tensor:
        return self._mean_loss(self._forward(batch), batch)

    def _mean_loss(self, outputs: Any, batch: Batch) -> Tensor:
        loss = self.loss_function(outputs, batch.targets)
        if loss.dim() != 0:
            raise InputError(
                "the loss has to be a scalar, the mean over the batch; "
                f"got shape {tuple(loss.shape)}"
            )
        return loss

    def _gradient(self, loss: Tensor, *, create_graph: bool) -> Tensor:
        if not loss.requires_grad:  # no trainable parameter takes part
            return torch.zeros_like(self.theta)
        return flatten(
            torch.autograd.grad(
                loss, self._parameters, create_graph=create_graph, materialize_grads=True
            )
        )


def _twin(model: nn.Module, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """A copy of the model in eval mode, out of its compile and data-parallel wrappers."""
    while True:
        if hasattr(model, "_orig_mod"):
            model = model._orig_mod  # type: ignore[assignment]
        elif isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        else:
            break
    try:
        twin = copy.deepcopy(model)
    except RuntimeError as error:
        raise InputError(
            f"{type(model).__name__} can't be copied ({error}); "
            "remove tensors it keeps from an earlier forward pass"
        ) from error
    return twin.eval().to(device, dtype)


@contextmanager
def _differentiable(module: nn.Module) -> Iterator[None]:
    """Gradients on, whatever the caller has turned off.

    cuDNN's recurrent layers have no backward pass in eval mode; torch's own have.
    """
    with torch.inference_mode(False), torch.enable_grad(), ExitStack() as stack:
        if any(isinstance(part, nn.RNNBase) for part in module.modules()):
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        yield


def _kind(tensor: Tensor) -> bytes:
    return f"{tensor.dtype}{tuple(tensor.shape)}".encode()


def _content(tensor: Tensor) -> bytes:
    return tensor.cpu().contiguous().numpy().tobytes()


def _correct(outputs: Any, targets: Any) -> Tensor | None:
    """How many outputs have their largest entry at the target class; None if that is not asked."""
    if not isinstance(outputs, Tensor) or not isinstance(targets, Tensor):
        return None
    if targets.is_floating_point() or outputs.dim() != 2 or targets.dim() != 1:
        return None
    return (outputs.argmax(1) == targets).sum()


def _sample_losses(loss: LossFunction, outputs: Any, targets: Any) -> Tensor | None:
    """The loss of each sample by itself; None if the loss function can't be taken so."""

    def single(output: Any, target: Any) -> Tensor:
        alone = (map_tensors(lambda tensor: tensor.unsqueeze(0), part) for part in (output, target))
        return loss(*alone)

    try:
        return torch.vmap(single)(outputs, targets)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError):
        return None

"""What a loss that is a mean divides by, which is what its batch counts for in a mean over batches.

The loss of two batches together is (w1 L1 + w2 L2) / (w1 + w2), where w is what each loss was
divided by: the number of samples, of labels that are not ignored, or the sum of the labels' class
weights.
"""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Arguments = dict[str, Any]


def divisor_of_labels(
    targets: Tensor, weight: Tensor | None = None, ignore_index: int = -100
) -> float:
    """The sum of the class weights of the labels that are not ignored.

    Args:
        targets: class numbers of any shape, or class probabilities (n, C, ...), which count alike.
        weight: of each class; 1 without it.
        ignore_index: the label that doesn't count.
    """
    if targets.is_floating_point():
        return targets.numel() / targets.shape[1 if targets.dim() > 1 else 0]
    return weights_of_labels(targets, weight, ignore_index).sum().item()


def weights_of_labels(
    targets: Tensor, weight: Tensor | None = None, ignore_index: int = -100
) -> Tensor:
    """The class weight of each label, 0 for those that are ignored; of the targets' shape."""
    counted = targets != ignore_index
    if weight is None:
        return counted.double()
    safe = torch.where(counted, targets, 0)
    return torch.where(counted, weight.detach().double().to(targets.device)[safe], 0.0)


def _of_labels(call: Arguments) -> float:
    return divisor_of_labels(call["target"], call["weight"], call["ignore_index"])


def _of_elements(call: Arguments) -> float:
    target = call.get("target")
    return float((call["input"] if target is None else target).numel())


def _of_divergence(call: Arguments) -> float:
    return float(len(call["input"])) if call["reduction"] == "batchmean" else _of_elements(call)


def _of_samples(call: Arguments) -> float:
    return float(len(next(iter(call.values()))))


_DIVISORS: dict[Callable[..., Any], Callable[[Arguments], float]] = {
    F.cross_entropy: _of_labels,
    F.nll_loss: _of_labels,
    F.kl_div: _of_divergence,
    **dict.fromkeys(
        (
            F.binary_cross_entropy,
            F.binary_cross_entropy_with_logits,
            F.mse_loss,
            F.l1_loss,
            F.smooth_l1_loss,
            F.huber_loss,
            F.poisson_nll_loss,
            F.soft_margin_loss,
            F.gaussian_nll_loss,
        ),
        _of_elements,
    ),
    **dict.fromkeys((F.multi_margin_loss, F.cosine_embedding_loss), _of_samples),
}
# Losses of torch.nn that are negative logarithms of probabilities, up to a constant.
_LOGARITHMIC = (
    F.cross_entropy,
    F.nll_loss,
    F.kl_div,
    F.binary_cross_entropy,
    F.binary_cross_entropy_with_logits,
    F.poisson_nll_loss,
    F.gaussian_nll_loss,
)
_SIGNATURES = {function: inspect.signature(function) for function in _DIVISORS}

# The functional of each module whose divisor the targets alone determine.
_MODULES: dict[type[nn.Module], Callable[..., Any]] = {
    nn.CrossEntropyLoss: F.cross_entropy,
    nn.NLLLoss: F.nll_loss,
    nn.BCELoss: F.binary_cross_entropy,
    nn.BCEWithLogitsLoss: F.binary_cross_entropy_with_logits,
    nn.MSELoss: F.mse_loss,
    nn.L1Loss: F.l1_loss,
    nn.SmoothL1Loss: F.smooth_l1_loss,
    nn.HuberLoss: F.huber_loss,
}
# What those of these modules divide by is seen when they are called.
_FURTHER_MODULES: dict[type[nn.Module], Callable[..., Any]] = {
    nn.KLDivLoss: F.kl_div,
    nn.PoissonNLLLoss: F.poisson_nll_loss,
    nn.GaussianNLLLoss: F.gaussian_nll_loss,
}


def functional_of(loss: Any) -> Callable[..., Any] | None:
    """The functional of ``torch.nn`` that a loss is, whatever its settings; None of another."""
    if isinstance(loss, partial):
        loss = loss.func
    of_type = {**_MODULES, **_FURTHER_MODULES}.get(type(loss))
    return of_type or next((function for function in _DIVISORS if function is loss), None)


def is_logarithmic(loss: Any) -> bool:
    """Whether a loss is one of ``torch.nn`` in nats."""
    return functional_of(loss) in _LOGARITHMIC


def compares_elements(loss: Any) -> bool:
    """Whether a loss is one of ``torch.nn`` that compares numbers, and no class with outputs."""
    function = functional_of(loss)
    return function is not None and _DIVISORS[function] in (_of_elements, _of_divergence)


def ignored_label(loss: Any) -> int:
    """The label that a loss of ``torch.nn`` leaves out; their default for another loss."""
    if isinstance(loss, partial):
        return int(loss.keywords.get("ignore_index", -100))
    return int(getattr(loss, "ignore_index", -100)) if isinstance(loss, nn.Module) else -100


def loss_call(loss: Any) -> tuple[Callable[..., Any], Arguments] | None:
    """The functional of ``torch.nn`` that a loss is, with its settings; None if it is another."""
    if type(loss) in _MODULES:
        of_module = _MODULES[type(loss)]
        names = _SIGNATURES[of_module].parameters
        return of_module, {name: getattr(loss, name) for name in names if hasattr(loss, name)}
    settings: Arguments = {}
    if isinstance(loss, partial) and not loss.args:
        loss, settings = loss.func, dict(loss.keywords)
    known = functional_of(loss)
    if known is None or known is not loss or known in _FURTHER_MODULES.values():
        return None
    return known, settings


def divisor_from_targets(loss: Any, targets: Any) -> float | None:
    """What a loss of ``torch.nn`` divides by for these targets; None for another loss."""
    call = loss_call(loss)
    if call is None or not isinstance(targets, Tensor):
        return None
    function, settings = call
    parameters = _SIGNATURES[function].parameters
    defaults = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
    settings = {**defaults, **settings, "target": targets, "input": targets}
    return _DIVISORS[function](settings) if settings["reduction"] == "mean" else None


def broadcasts(loss: Any, outputs: Any, targets: Any) -> bool:
    """Whether a loss of ``torch.nn`` that compares elements would broadcast one to the other."""
    call = loss_call(loss)
    if call is None or _DIVISORS[call[0]] is not _of_elements:
        return False
    are_tensors = isinstance(outputs, Tensor) and isinstance(targets, Tensor)
    return are_tensors and outputs.shape != targets.shape


class ReductionWatch(TorchFunctionMode):
    """Notes what the losses of ``torch.nn.functional`` that are called within it divide by.

    Attributes:
        divisors: one for each call of a loss whose reduction is a mean.
    """

    def __init__(self) -> None:
        super().__init__()
        self.divisors: list[float] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call ``func``, and note the divisor if it is a loss."""
        kwargs = kwargs or {}
        if func in _DIVISORS:
            bound = _SIGNATURES[func].bind(*args, **kwargs)
            bound.apply_defaults()
            if bound.arguments.get("reduction") in ("mean", "batchmean"):
                self.divisors.append(_DIVISORS[func](bound.arguments))
        return func(*args, **kwargs)

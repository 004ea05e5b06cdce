"""Losses and metrics, as means over a batch and, where that is possible, sample by sample."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from landscape.data.batches import map_tensors
from landscape.errors import InputError
from landscape.runtime.user_files import is_user_function, load_user_function

LossFunction = Callable[[Any, Any], Tensor]


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean of (output - target)^2; InputError for shapes that differ but would broadcast."""
    if outputs.shape != targets.shape:
        raise InputError(
            f"the model's outputs have shape {tuple(outputs.shape)}, the targets "
            f"{tuple(targets.shape)}; pass targets of the outputs' shape"
        )
    return F.mse_loss(outputs, targets)


def softmax_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean of (softmax - one-hot)^2 over samples and classes.

    This is the ``mse`` of the code of Li et al. (2018).
    """
    one_hot = F.one_hot(targets, outputs.shape[-1]).to(outputs)
    return F.mse_loss(outputs.softmax(-1), one_hot)


LOSSES: dict[str, LossFunction] = {
    "cross_entropy": F.cross_entropy,
    "squared_error": squared_error,
    "softmax_squared_error": softmax_squared_error,
}


def default_loss(targets: Any) -> LossFunction:
    """Cross-entropy for class numbers and class probabilities; else the squared error.

    Floats are probabilities if they are at least 0 and add up to 1 over the second dimension.
    """
    if not isinstance(targets, Tensor) or not targets.is_floating_point():
        return F.cross_entropy
    if targets.dim() < 2 or targets.shape[1] < 2 or bool((targets < 0).any()):
        return squared_error
    total = targets.double().sum(1)
    return F.cross_entropy if torch.allclose(total, torch.ones_like(total)) else squared_error


def resolve_loss(name: str) -> LossFunction:
    """The loss of a name or FILE.py:FUNCTION; raises InputError for an unknown name."""
    return _resolve(name, LOSSES, "--loss")


def top5_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """The percentage of samples whose class is not among the five largest outputs."""
    top = outputs.topk(min(5, outputs.shape[1]), dim=1).indices
    return 100.0 * (top != targets.unsqueeze(1)).all(1).to(outputs.dtype).mean()


def confidence(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean of the largest softmax probability."""
    return outputs.softmax(1).amax(1).mean()


def brier(outputs: Tensor, targets: Tensor) -> Tensor:
    """Brier score: the mean over samples of the squared distance of softmax and one-hot."""
    one_hot = F.one_hot(targets, outputs.shape[1]).to(outputs)
    return (outputs.softmax(1) - one_hot).square().sum(1).mean()


METRICS: dict[str, LossFunction] = {
    "top5_error": top5_error,
    "confidence": confidence,
    "brier": brier,
}


def resolve_metrics(names: Sequence[str]) -> dict[str, LossFunction]:
    """The functions of metrics' names or FILE.py:FUNCTION, by their names in files.

    Raises:
        InputError: for an unknown name, or two metrics of one name.
    """
    functions = [_resolve(name, METRICS, "--metrics") for name in names]
    short = [metric_name(name) for name in names]
    for name in short:
        if short.count(name) > 1:
            raise InputError(f"two --metrics are called {name}; give each a name of its own")
    return dict(zip(short, functions, strict=True))


def metric_name(name: str) -> str:
    """What a metric of this name, or FILE.py:FUNCTION, is called in files."""
    return name.rpartition(":")[2]


def sample_losses(
    loss: LossFunction, outputs: Any, targets: Any
) -> Tensor | tuple[Tensor, Tensor] | None:
    """The loss of each sample, of shape (n,), or, of a loss that returns them, (sums, weights).

    None if the loss can't be evaluated sample by sample.
    """
    if loss is F.cross_entropy and targets.dim() == 1 and outputs.dim() == 2:
        return F.cross_entropy(outputs, targets, reduction="none")

    def single(output: Any, target: Any) -> Any:
        batch = (map_tensors(lambda tensor: tensor.unsqueeze(0), item) for item in (output, target))
        return loss(*batch)

    try:
        answer = torch.vmap(single)(outputs, targets)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, InputError):
        return None
    if isinstance(answer, tuple) and len(answer) == 2:
        return answer
    return answer if isinstance(answer, Tensor) else None


def count_correct(
    outputs: Any, targets: Any, ignore_index: int = -100
) -> tuple[Tensor, Tensor] | None:
    """How many outputs are largest at the target class, and how many targets are classes.

    Numbers below 0, numbers that no output stands for and ``ignore_index`` mark samples without a
    class. None where the task has no classes, or one output for two of them.
    """
    if not isinstance(outputs, Tensor) or not isinstance(targets, Tensor):
        return None
    if targets.is_floating_point() or outputs.dim() != 2 or targets.dim() != 1:
        return None
    if outputs.shape[1] < 2:
        return None
    hits = outputs.argmax(1) == targets
    counted = (targets >= 0) & (targets < outputs.shape[1])
    if 0 <= ignore_index < outputs.shape[1]:
        counted &= targets != ignore_index
        hits &= counted
    return hits.sum(dtype=torch.float64), counted.sum(dtype=torch.float64)


def _resolve(name: str, known: dict[str, LossFunction], flag: str) -> LossFunction:
    if is_user_function(name):
        return load_user_function(name)
    if name not in known:
        raise InputError(
            f"unknown {flag} {name!r}; expected {', '.join(known)} or FILE.py:FUNCTION"
        )
    return known[name]

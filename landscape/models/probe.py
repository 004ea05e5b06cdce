"""What a model makes of an example: the width of its logits, and its classifier."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from landscape.errors import InputError
from landscape.models.outputs import logits_of


def count_outputs(model: nn.Module, example: Tensor, *, is_within: bool = True) -> int | None:
    """The number of logits; None if the output is not a matrix of logits.

    Args:
        model: The model; it is called in evaluation mode.
        example: A batch of one input.
        is_within: Whether the logits may be an entry of a tuple, mapping or object.

    Raises:
        InputError: The model does not take such an input.
    """
    try:
        outputs = _outputs(model, example, is_within)
    except (RuntimeError, TypeError, ValueError, AssertionError, IndexError) as error:
        raise InputError(
            f"the model does not take inputs of shape {tuple(example.shape[1:])}: {error}; "
            "check --image-size, --model-args and --data"
        ) from error
    if not isinstance(outputs, Tensor) or outputs.dim() != 2:
        return None
    return outputs.shape[1]


def find_classifier(model: nn.Module, example: Tensor) -> str:
    """The name of the dense layer whose output is that of the model.

    Args:
        model: The model; it is called in evaluation mode.
        example: A batch of one input.

    Raises:
        InputError: There is no such layer.
    """
    produced: list[tuple[str, Tensor]] = []

    def note(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        return lambda _module, _inputs, output: produced.append((name, output))

    handles = [
        module.register_forward_hook(note(name))
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    ]
    try:
        outputs = _outputs(model, example)
    finally:
        for handle in handles:
            handle.remove()
    for name, output in reversed(produced):
        if output.shape == outputs.shape and torch.equal(output, outputs):
            return name
    raise InputError(
        f"{type(model).__name__} has no dense layer (nn.Linear) whose output is the model's, so it "
        "has no head to train alone or to leave out"
    )


def _outputs(model: nn.Module, example: Tensor, is_within: bool = True) -> Any:
    """The logits in evaluation mode for ``example`` in the weights' type, without gradients."""
    training = model.training
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    try:
        with torch.no_grad():
            inputs = example.to(dtype) if example.is_floating_point() else example
            outputs = model.eval()(inputs)
            return logits_of(outputs) if is_within else outputs
    finally:
        model.train(training)

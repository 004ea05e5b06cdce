"""What a model does with one input."""

import torch
from torch import Tensor, nn

from landscape.errors import InputError


def count_outputs(model: nn.Module, example: Tensor) -> int | None:
    """The width of the logits for a batch of one; None if the output is no matrix of logits.

    Raises InputError if the model does not take such an input.
    """
    training = model.training
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    try:
        with torch.no_grad():
            inputs = example.to(dtype) if example.is_floating_point() else example
            outputs = model.eval()(inputs)
    except (RuntimeError, TypeError, ValueError, AssertionError, IndexError) as error:
        raise InputError(
            f"the model does not take inputs of shape {tuple(example.shape[1:])}: {error}; "
            "check --image-size, --model-args and --data"
        ) from error
    finally:
        model.train(training)
    if not isinstance(outputs, Tensor) or outputs.dim() != 2:
        return None
    return outputs.shape[1]

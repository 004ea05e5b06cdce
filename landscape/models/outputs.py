"""The logits in what a model returns, whatever form that has."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

# What the entry with the logits is called: by Hugging Face, and by torchvision's segmentation.
LOGIT_NAMES = ("logits", "prediction_logits", "out")


def logits_of(outputs: Any) -> Any:
    """Find the logits in a model's outputs.

    Args:
        outputs: What the model returned: a tensor; a mapping or an object, such as a
            ``transformers.ModelOutput``, with an entry of one of the :data:`LOGIT_NAMES`; or a
            tuple, whose first tensor with a batch dimension is taken, as Hugging Face puts the
            loss before the logits.

    Returns:
        The logits; ``outputs`` themselves where they have none.

    Example:
        >>> logits_of({"loss": torch.zeros(()), "logits": torch.zeros(3, 10)}).shape
        torch.Size([3, 10])
    """
    if isinstance(outputs, Tensor):
        return outputs
    for name in LOGIT_NAMES:
        entry = outputs.get(name) if isinstance(outputs, Mapping) else getattr(outputs, name, None)
        if isinstance(entry, Tensor):
            return entry
    if isinstance(outputs, tuple | list):
        for entry in outputs:
            if isinstance(entry, Tensor) and entry.dim() > 0:
                return entry
    return outputs

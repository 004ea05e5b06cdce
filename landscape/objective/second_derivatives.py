"""The settings of torch in which second derivatives are right."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from landscape.autograd.plain_forms import PlainForms
from landscape.errors import NotMeasurableError
from landscape.objective.eval_copy import differentiable
from landscape.runtime.devices import full_precision

# torch's message where an operation has a first derivative only.
_NO_SECOND_DERIVATIVE = re.compile(r"derivative for .* is not implemented")


@contextmanager
def twice_differentiable(module: nn.Module) -> Iterator[None]:
    """Let second derivatives of ``module`` be taken within this context.

    Attention runs in its plain form, since the fused kernels have no second derivative; other
    operations of that kind are in :mod:`landscape.autograd.plain_forms`.

    Raises:
        NotMeasurableError: if an operation within the context has no second derivative.
    """
    with full_precision(), sdpa_kernel(SDPBackend.MATH), PlainForms(), differentiable(module):
        try:
            yield
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            if _NO_SECOND_DERIVATIVE.search(reason) is None:
                raise
            raise NotMeasurableError(
                "the curvature needs second derivatives, which an operation of the model or "
                f"the loss does not have ({reason}); write the operation out in torch operations"
            ) from error

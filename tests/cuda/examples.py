"""Which cases run on the processor, where other tests test the same and only bodies count."""

import pytest
import torch

from tests.profile import IS_FULL


def skip_on_the_processor(device: torch.device, *, unless: bool = False) -> None:
    """Skip a test on the processor but for an example of it, or in ``make test-full``."""
    if device.type == "cpu" and not unless and not IS_FULL:
        pytest.skip("on the processor an example is enough")

"""Names that transformers has changed between its versions, or changes when it saves."""

import copy
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def converted_names(network: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The tensors under the names of the transformers model in ``network``, by transformers itself.

    Args:
        network: A model of transformers, or a module with one inside.
        tensors: As they are in a file of transformers.

    Returns:
        The state dict of such a model with these weights; None if there is no such model in
        ``network``, or the weights are not exactly its own.
    """
    model: Any = next((part for part in network.modules() if _is_of_transformers(part)), None)
    if model is None:
        return None
    library = sys.modules["transformers"]
    try:
        with _quiet(library), torch.random.fork_rng(devices=[]):
            loaded, report = type(model).from_pretrained(
                None,
                config=copy.deepcopy(model.config),
                state_dict=dict(tensors),
                output_loading_info=True,
            )
    except Exception:  # in whatever way it does not fit: the caller says what is expected
        return None
    # What is missing has been drawn at random.
    return None if any(report.values()) else dict(loaded.state_dict())


def _is_of_transformers(module: nn.Module) -> bool:
    """Whether a module is a model of transformers, which is not imported to find out."""
    names = ((cls.__module__, cls.__name__) for cls in type(module).__mro__)
    return ("transformers.modeling_utils", "PreTrainedModel") in names


@contextmanager
def _quiet(library: Any) -> Iterator[None]:
    """Without the progress bar and the report of transformers."""
    logging = library.utils.logging
    verbosity, has_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if has_bar:
            logging.enable_progress_bar()

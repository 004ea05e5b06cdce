"""Models of Hugging Face's transformers, read from a folder on disk.

Nothing is downloaded, and no code that lies in a folder is run.
"""

import contextlib
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from landscape.errors import InputError, NotMeasurableError
from landscape.models.pretrained_folder import (
    ADAPTER_CONFIG,
    CONFIG,
    architecture_of,
    is_pretrained_folder,
    read_json,
    refuse_outside_names,
)
from landscape.runtime.optional_imports import import_optional

LOGGER = logging.getLogger(__name__)

INSTALL = "pip install 'loss-landscape-toolkit[huggingface]'"
NEEDED_BY = "a Hugging Face folder"


def build_pretrained_architecture(folder: Path, arguments: Mapping[str, Any]) -> nn.Module:
    """Make the model that a folder describes, with freshly drawn weights.

    Args:
        folder: A folder with a config.json.
        arguments: Entries of config.json to replace.

    Raises:
        InputError: It is no such folder.
        NotMeasurableError: It is an adapter, which changes a trained network.
    """
    _check_folder(folder)
    if (folder / ADAPTER_CONFIG).is_file():
        raise NotMeasurableError(
            f"{folder} is an adapter, which has no initialisation without its trained base model; "
            "measure it at its own weights (--ntk-at checkpoint)"
        )
    with quiet_and_offline() as transformers:
        config = read_config(transformers, folder, arguments)
        model_class = named_class(transformers, folder)
        try:
            model: nn.Module = model_class(config)
        except Exception as error:  # transformers raises errors of many types
            raise _refused(folder, error) from error
    return without_cache(model)


def load_pretrained(
    folder: Path,
    arguments: Mapping[str, Any],
    *,
    model_class: Any = None,
    supplied: tuple[str, ...] = (),
) -> nn.Module:
    """Load the model in a folder, as ``from_pretrained`` does.

    Tied and renamed weights are handled by transformers.

    Args:
        folder: A folder with config.json and weights.
        arguments: Entries of config.json to replace.
        model_class: The class, or Auto class, of the model; by default the one that config.json
            names.
        supplied: The names of modules whose weights come from elsewhere, so that the folder need
            not have them.

    Returns:
        The model, in evaluation mode.

    Raises:
        InputError: The folder can't be read, lacks weights of the model, or would have to run code
            of its own.
    """
    _check_folder(folder)
    with quiet_and_offline() as transformers, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # weights that are drawn although another file supplies them
        config = read_config(transformers, folder, arguments)
        model_class = model_class or named_class(transformers, folder)
        try:
            model, report = model_class.from_pretrained(
                folder,
                config=config,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # so that the report names them
            )
        except Exception as error:  # transformers raises errors of many types
            raise _refused(folder, error) from error
    _check_keys(folder, model, report, supplied)
    return without_cache(model)


def class_names(model: nn.Module) -> tuple[str, ...]:
    """The names of a classifier's classes by number, from its config; empty where it has none."""
    names = getattr(getattr(model, "config", None), "id2label", None)
    if not isinstance(names, Mapping):
        return ()
    return tuple(str(name) for _, name in sorted(names.items()))


def without_cache(model: nn.Module) -> nn.Module:
    """The same model, which does not return the keys and values of generation with its logits."""
    config: Any = getattr(model, "config", None)
    if getattr(config, "use_cache", False):
        config.use_cache = False
    return model


def read_config(transformers: ModuleType, folder: Path, arguments: Mapping[str, Any]) -> Any:
    """The configuration in a folder, with some entries replaced.

    Raises:
        InputError: It is damaged or needs code of its own, or there is no such entry.
    """
    content = read_json(folder / CONFIG)
    refuse_outside_names(folder, {**content, **arguments})
    if content.get("use_pretrained_backbone"):  # earlier transformers download those weights
        arguments = {"use_pretrained_backbone": False, **arguments}
    try:
        config, unknown = transformers.AutoConfig.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            return_unused_kwargs=True,
            **arguments,
        )
    except Exception as error:  # transformers raises errors of many types
        if "auto_map" in content:
            raise _needs_code(folder) from error
        raise _refused(folder, error) from error
    accepted = set(unknown) & {"attn_implementation", "dtype"}
    refused = sorted(set(unknown) - accepted - {"use_pretrained_backbone"})
    if refused:
        raise InputError(
            f"--model-args {', '.join(refused)}: {type(config).__name__} has no such entry"
        )
    for name in accepted:
        setattr(config, "_attn_implementation" if name != "dtype" else name, unknown[name])
    return config


def named_class(transformers: ModuleType, folder: Path) -> Any:
    """The model class that the config.json in ``folder`` names.

    Raises:
        InputError: transformers has no such class, or config.json names none.
    """
    content = read_json(folder / CONFIG)
    return class_of(transformers, architecture_of(folder, content), folder)


def class_of(transformers: ModuleType, name: str, folder: Path) -> Any:
    """The model class of that name; InputError for anything else in transformers."""
    model_class = getattr(transformers, name, None)
    if isinstance(model_class, type) and issubclass(model_class, transformers.PreTrainedModel):
        return model_class
    if "auto_map" in read_json(folder / CONFIG):
        raise _needs_code(folder)
    raise InputError(
        f"{folder} is of a model class {name}, which transformers {transformers.__version__} does "
        "not have; install a version that does, or build it in --model FILE.py:FUNCTION"
    )


@contextlib.contextmanager
def quiet_and_offline() -> Iterator[ModuleType]:
    """transformers, which within this context shows no progress and asks no server.

    Raises:
        InputError: It can't be imported.
    """
    transformers = import_transformers()
    logs = transformers.utils.logging
    constants: Any = import_module("huggingface_hub.constants")
    verbosity, shows_progress = logs.get_verbosity(), logs.is_progress_bar_enabled()
    was_offline = constants.HF_HUB_OFFLINE
    logs.set_verbosity(logs.CRITICAL)
    logs.disable_progress_bar()
    constants.HF_HUB_OFFLINE = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield transformers
    finally:
        constants.HF_HUB_OFFLINE = was_offline
        logs.set_verbosity(verbosity)
        if shows_progress:
            logs.enable_progress_bar()


def import_transformers() -> ModuleType:
    """The library transformers; InputError where it is missing."""
    # Its names are imported when they are used; this module is behind all models.
    import_optional("transformers.modeling_utils", needed_by=NEEDED_BY, install=INSTALL)
    return import_module("transformers")


def _check_folder(folder: Path) -> None:
    if not is_pretrained_folder(folder):
        raise InputError(
            f"{folder} is not a model folder of Hugging Face: expected a folder with {CONFIG} "
            f"(architectures) or {ADAPTER_CONFIG}, as save_pretrained writes it"
        )


def _check_keys(
    folder: Path, model: nn.Module, report: Mapping[str, Any], supplied: tuple[str, ...]
) -> None:
    """Raise InputError for weights that would be random, and for ones that look like layers."""
    misfits = [f"{name} {tuple(stored)} instead of {tuple(expected)}"
               for name, stored, expected in sorted(report["mismatched_keys"])]  # fmt: skip
    if misfits:
        raise InputError(
            f"the weights in {folder} do not fit its {CONFIG} and --model-args: {_some(misfits)}"
        )
    names = sorted(report["missing_keys"])
    missing = [name for name in names if not _is_in(name, supplied)]
    if missing:
        raise InputError(
            f"the weights in {folder} are not those of {type(model).__name__}: "
            f"{_some(missing)} would be drawn at random; correct architectures in {CONFIG}"
        )
    unused = sorted(report["unexpected_keys"])
    layers = {_numberless(name) for name in model.state_dict()}
    surplus = [name for name in unused if _numberless(name) in layers and name != _numberless(name)]
    if surplus:
        raise InputError(
            f"the weights in {folder} have more layers than its {CONFIG} says: {_some(surplus)}"
        )
    if unused:
        LOGGER.info(f"{folder}: {type(model).__name__} does not use {_some(unused)}")


def _is_in(name: str, modules: tuple[str, ...]) -> bool:
    return any(f".{module}." in f".{name}" for module in modules)


def _numberless(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def _needs_code(folder: Path) -> InputError:
    return InputError(
        f"{folder} needs code of its own ({CONFIG} has an auto_map), which is not run; build the "
        "model yourself in FILE.py:FUNCTION, which returns it with its weights, and pass that"
    )


def _refused(folder: Path, error: Exception) -> InputError:
    return InputError(f"transformers can't load {folder}: {_line(error)}")


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0]


def _some(names: list[str], limit: int = 3) -> str:
    rest = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + rest

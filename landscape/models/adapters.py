"""Adapters of peft: a trained change of a base model that lies in another folder.

The model is the base model with the adapter in it, not merged. Its trainable parameters are the
adapter's, so lines, surfaces and Hessians are of these.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from landscape.errors import InputError
from landscape.models.huggingface import (
    INSTALL,
    NEEDED_BY,
    class_of,
    load_pretrained,
    quiet_and_offline,
    without_cache,
)
from landscape.models.pretrained_folder import (
    ADAPTER_CONFIG,
    is_pretrained_folder,
    read_json,
)
from landscape.models.stored_names import printable
from landscape.runtime.optional_imports import import_optional

LOGGER = logging.getLogger(__name__)

# The Auto class of a task_type.
TASKS = {
    "SEQ_CLS": "AutoModelForSequenceClassification",
    "TOKEN_CLS": "AutoModelForTokenClassification",
    "QUESTION_ANS": "AutoModelForQuestionAnswering",
    "CAUSAL_LM": "AutoModelForCausalLM",
    "SEQ_2_SEQ_LM": "AutoModelForSeq2SeqLM",
}


def load_adapter(
    folder: Path,
    arguments: Mapping[str, Any],
    base: Path | None = None,
    *,
    trust: bool = False,
) -> nn.Module:
    """Load an adapter into its base model.

    Args:
        folder: A folder with adapter_config.json and the adapter's weights.
        arguments: Entries of the base model's config.json to replace.
        base: The folder of the base model; by default one inside of the adapter's folder that
            adapter_config.json names.
        trust: Open the folder that adapter_config.json names, wherever it is.

    Returns:
        The model, in evaluation mode. Only the adapter's parameters require gradients.

    Raises:
        InputError: The base model is no local folder, is elsewhere and neither given nor trusted,
            or the two don't fit.
    """
    content = read_json(folder / ADAPTER_CONFIG)
    base = base or find_base(folder, content, trust=trust)
    for key, what in (
        ("megatron_config", "code to import (megatron_config), which is not run"),
        ("adapters", "further adapters (adapters), which are not opened"),
    ):
        if content.get(key):
            raise InputError(
                f"{folder / ADAPTER_CONFIG} names {what}; build the model yourself in "
                "FILE.py:FUNCTION and pass that"
            )
    peft = import_optional("peft", needed_by=NEEDED_BY, install=INSTALL)
    with quiet_and_offline() as transformers, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model_class = _base_class(transformers, content, base)
        try:
            config = peft.PeftConfig.from_pretrained(folder)
        except Exception as error:  # peft raises errors of many types
            raise _refused(folder, error) from error
        if config.is_prompt_learning:
            raise InputError(
                f"{folder} is a prompt ({content.get('peft_type')}), not an adapter of layers; "
                "build the model yourself in FILE.py:FUNCTION and pass that"
            )
        config.base_model_name_or_path = str(base)  # peft looks the name of the file up
        supplied = tuple(config.modules_to_save or ())
        if content.get("task_type") in ("SEQ_CLS", "TOKEN_CLS"):
            supplied += ("classifier", "score")  # peft adds them itself
        model = load_pretrained(base, arguments, model_class=model_class, supplied=supplied)
        if hasattr(config, "init_lora_weights"):
            config.init_lora_weights = True  # other ways of drawing change the base model's weights
        try:
            adapted: nn.Module = peft.PeftModel.from_pretrained(
                model, folder, config=config, is_trainable=True
            )
        except Exception as error:  # peft raises errors of many types
            raise _refused(folder, error) from error
        _check_weights(peft, folder, adapted)
    trainable = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    total = sum(p.numel() for p in adapted.parameters())
    LOGGER.info(
        f"{folder}: an adapter of {base}; its {trainable:,} of {total:,} parameters are those that "
        "are measured, the base model's are fixed"
    )
    return without_cache(adapted.eval())


def find_base(folder: Path, content: Mapping[str, Any], *, trust: bool = False) -> Path:
    """The folder of an adapter's base model.

    Args:
        folder: That of the adapter, in which the base model may be.
        content: Of adapter_config.json, which names the base model.
        trust: Open the folder of that name wherever it is, from here or from the adapter's folder.

    Raises:
        InputError: There is none in the adapter's folder, and no other is trusted or there.
    """
    name = str(content.get("base_model_name_or_path") or "")
    inside = folder / name
    is_inside = inside.is_dir() and folder.resolve() in inside.resolve().parents
    places = [Path(name), inside] if trust else [inside] if is_inside else []
    for base in places:
        if name and is_pretrained_folder(base):
            return base
    if trust or not name:
        raise InputError(
            f"{folder} is an adapter of {name or 'a base model that it does not name'}, which is "
            "no folder here, and nothing is downloaded; pass the folder of the base model as "
            "--model hf:DIR"
        )
    raise InputError(
        f"{folder} is an adapter of {printable(name)}, a base model that is not opened because a "
        "file names it, and nothing is downloaded; pass the folder of the base model as "
        "--model hf:DIR, or --trust to open the one that is named"
    )


def _base_class(transformers: Any, content: Mapping[str, Any], base: Path) -> Any:
    """The class of the base model as the adapter was trained on it; None for the base's own."""
    task = TASKS.get(str(content.get("task_type")))
    if task:
        return getattr(transformers, task)
    name = (content.get("auto_mapping") or {}).get("base_model_class")
    return class_of(transformers, str(name), base) if name else None


def _check_weights(peft: Any, folder: Path, adapted: nn.Module) -> None:
    """Raise InputError if the file has other weights than the adapter, which peft lets pass."""
    stored = set(peft.utils.load_peft_weights(str(folder), device="cpu"))
    expected = set(peft.get_peft_model_state_dict(adapted))
    for title, names in (("lacks", expected - stored), ("has unknown", stored - expected)):
        if names:
            raise InputError(
                f"the adapter's file in {folder} {title} {', '.join(sorted(names)[:3])}; "
                f"does {ADAPTER_CONFIG} belong to it?"
            )


def _refused(folder: Path, error: Exception) -> InputError:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return InputError(f"peft can't load {folder}: {line}")

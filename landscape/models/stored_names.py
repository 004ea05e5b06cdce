"""What a model's name and arguments may say where they come out of a file, such as config.json.

What the user types may import a file of code, open a folder or reach a network. The same words in
a file that somebody else may have written must not, so that here is a list of what is allowed: the
networks of this toolkit, the plain names of timm and torchvision, and arguments that are known to
be sizes and options.
"""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from landscape.errors import InputError
from landscape.models.pretrained_folder import PREFIX as FOLDER
from landscape.models.timm_models import PREFIX as TIMM
from landscape.models.torchvision_models import PREFIX as TORCHVISION
from landscape.runtime.user_files import is_user_function

# A name in a library's own list: no path, no source such as hf_hub:, but perhaps a tag of weights.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?")
# A word such as gelu or multi-scale: no path, no ending of a file, no address.
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_]+([-+][A-Za-z0-9_]+)*|")

_TIMM_ARGUMENTS = frozenset((
    "act_layer", "attn_drop_rate", "avg_down", "base_width", "bn_eps", "bn_momentum",
    "cardinality", "channels", "class_token", "depth", "depths", "dims", "drop_block_rate",
    "drop_path_rate", "drop_rate", "dynamic_img_pad", "dynamic_img_size", "embed_dim",
    "embed_dims", "expand_ratio", "fc_norm", "final_norm", "fix_init", "global_pool",
    "growth_rate", "hidden_dims", "img_size", "in_chans", "init_values", "kernel_sizes",
    "layers", "ls_init_value", "mlp_ratio", "mlp_ratios", "no_embed_class", "norm_layer",
    "num_blocks", "num_classes", "num_heads", "output_stride", "patch_drop_rate", "patch_size",
    "pos_drop_rate", "pos_embed", "pre_norm", "proj_bias", "proj_drop_rate", "qk_norm",
    "qkv_bias", "reg_tokens", "stem_type", "stem_width", "strict_img_size", "weight_init",
    "width", "widths", "window_size", "zero_init_last",
))  # fmt: skip
_TORCHVISION_ARGUMENTS = frozenset((
    "attention_dropout", "aux_logits", "bn_size", "drop_rate", "dropout", "groups",
    "growth_rate", "hidden_dim", "image_size", "init_weights", "layer_scale",
    "memory_efficient", "mlp_dim", "num_classes", "num_heads", "num_init_features",
    "num_layers", "patch_size", "replace_stride_with_dilation", "stochastic_depth_prob",
    "transform_input", "width_mult", "width_per_group", "zero_init_residual",
))  # fmt: skip
_FOLDER_ARGUMENTS = frozenset(("attn_implementation", "dtype", "num_labels", "problem_type"))
_ALLOWED = {TIMM: _TIMM_ARGUMENTS, TORCHVISION: _TORCHVISION_ARGUMENTS, FOLDER: _FOLDER_ARGUMENTS}


def effect_of_name(name: str) -> str:
    """What making the model of this name does besides making a network; empty for nothing.

    Example:
        >>> effect_of_name("timm:resnet18"), effect_of_name("/tmp/net.py:make")
        ('', 'run the code in /tmp/net.py')
    """
    if is_user_function(name):
        return f"run the code in {printable(name.rpartition(':')[0])}"
    library, _, rest = name.partition(":")
    if f"{library}:" == FOLDER:
        return f"open the folder {printable(rest)}"
    if f"{library}:" in (TIMM, TORCHVISION) and not _PLAIN_NAME.fullmatch(rest):
        return f"let {library} open or download {printable(rest)}"
    return ""


def refused_arguments(name: str, arguments: Mapping[str, Any]) -> list[str]:
    """Those of a model's arguments that may open a file or reach a network, or are not known.

    Args:
        name: Of the model. The networks of this toolkit refuse what they don't know themselves,
            and what a function of the user's own takes is not known here: of these only the values
            have to be plain.
        arguments: By name, of JSON types.

    Example:
        >>> refused_arguments("timm:resnet18", {"num_classes": 10, "pretrained": True})
        ['pretrained']
    """
    allowed = None if is_user_function(name) else _ALLOWED.get(f"{name.partition(':')[0]}:")
    return [
        key
        for key, value in arguments.items()
        if not is_plain(value) or (allowed is not None and key not in allowed)
    ]


def is_plain(value: Any) -> bool:
    """Whether a value is a number, a truth value, a word that names no file, or a list of these."""
    values = value if isinstance(value, list | tuple) else [value]
    return all(
        _PLAIN_WORD.fullmatch(item) is not None
        if isinstance(item, str)
        else item is None or isinstance(item, bool | int | float)
        for item in values
    )


def printable(text: object) -> str:
    """A text from a file as one word of a command line, without signs that steer a terminal."""
    word = str(text)
    return shlex.quote(word) if word.isprintable() else repr(word)


def refuse_arguments(name: str, arguments: Mapping[str, Any], file: Path) -> None:
    """Raise InputError for the first of :func:`refused_arguments`.

    Args:
        name: The model.
        arguments: What ``file`` gives it.
        file: For the message.
    """
    for key in refused_arguments(name, arguments):
        value = arguments[key]
        text = ",".join(map(str, value)) if isinstance(value, list | tuple) else value
        word = printable(f"{key}={text}")
        raise InputError(
            f"{file} gives the model {printable(name)} the argument {word}, which may open a file "
            f"or reach a network; if you know it, pass --model-args {word}, or --trust to allow "
            "all that the file names"
        )

"""Names and arguments out of files: what is allowed is a list, and all else is refused."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landscape.models.names import FAMILIES, NAMED
from landscape.models.stored_names import effect_of_name, is_plain, printable, refused_arguments

WORD = string.ascii_letters + string.digits + "_"
NAMES = ("vit", "mine.py:make", "timm:resnet18", "torchvision:resnet18", "hf:folder")
TEXTS = st.text(max_size=12)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner))


@given(TEXTS, st.sampled_from(("/", "\\", "://", "http://", "hf-hub:", "~", "..", ".pt")), TEXTS)
def test_no_text_with_a_path_or_an_address_is_plain(before, part, after):
    text = f"{before}{part}{after}"
    assert not is_plain(text)
    assert not is_plain([1, text])
    for name in NAMES:
        assert refused_arguments(name, {"num_classes": text}) == ["num_classes"]


@given(JSON)
def test_what_is_plain_holds_numbers_and_words_alone(value):
    if is_plain(value):
        items = value if isinstance(value, list) else [value]
        assert not any(isinstance(item, list | dict) for item in items)
        assert set("".join(item for item in items if isinstance(item, str))) <= set(WORD + "-+")


@given(TEXTS)
def test_a_name_of_a_library_is_a_plain_word_or_has_an_effect(text):
    for library in ("timm", "torchvision"):
        is_word = bool(text) and set(text) <= set(WORD + ".")
        assert is_word or effect_of_name(f"{library}:{text}")


def test_the_networks_of_this_toolkit_have_no_effect_and_functions_and_folders_have():
    for name in (*FAMILIES, *NAMED, "timm:resnet18.a1_in1k", "torchvision:vit_b_16", "unknown"):
        assert effect_of_name(name) == ""
    assert effect_of_name("a b/net.py:make") == "run the code in 'a b/net.py'"
    assert effect_of_name("hf:/data/bert") == "open the folder /data/bert"
    assert effect_of_name("timm:hf_hub:a/b") == "let timm open or download hf_hub:a/b"


@pytest.mark.parametrize("name", ["timm:resnet18", "torchvision:resnet18", "hf:folder"])
@pytest.mark.parametrize(
    "key",
    ["pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir",
     "weights", "weights_backbone", "features_only", "trust_remote_code", "never_heard_of"],
)  # fmt: skip
def test_arguments_that_are_not_known_to_be_harmless_are_refused(name, key):
    assert refused_arguments(name, {key: True}) == [key]


def test_sizes_and_options_pass(timm):
    given = {"img_size": [8, 8], "drop_path_rate": 0.1, "global_pool": "", "act_layer": "gelu"}
    assert refused_arguments("timm:vit_tiny_patch16_224", given) == []
    assert refused_arguments("torchvision:resnet18", {"num_classes": 10}) == []
    assert refused_arguments("resnet", {"layers": (1, 1), "block": "basic", "stem": "small"}) == []
    assert refused_arguments("mine.py:make", {"width": 5, "kind": "relu", "on": True}) == []
    assert refused_arguments("mine.py:make", {"weights": "a.pt", "ok": {}}) == ["weights", "ok"]
    assert timm.create_model("vit_tiny_patch16_224", **{**given, "global_pool": "avg"})


def test_signs_that_steer_a_terminal_are_shown_as_what_they_are():
    assert printable("a b.py:f") == "'a b.py:f'"
    assert printable("\x1b[2J") == "'\\x1b[2J'"

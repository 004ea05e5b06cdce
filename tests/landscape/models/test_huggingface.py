"""Folders of Hugging Face: the same outputs as transformers' own model, and what is refused."""

import json
import socket
import sys
from itertools import product

import pytest
import torch

from landscape.errors import InputError, NotMeasurableError
from landscape.models.adapters import load_adapter
from landscape.models.catalog import resolve_model
from landscape.models.huggingface import load_pretrained
from landscape.models.pretrained_folder import is_pretrained_folder
from tests.pretrained import adapted, bert, gpt2, images, tokens, vit
from tests.profile import some


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("something asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def change(folder, name="config.json", **entries):
    file = folder / name
    file.write_text(json.dumps({**json.loads(file.read_text()), **entries}))


@pytest.fixture
def vit_folder(transformers, tmp_path):
    vit(transformers).save_pretrained(tmp_path / "vit")
    return tmp_path / "vit"


KINDS = {
    "image classifier": (vit, images()),
    "sequence classifier": (bert, tokens()),
    "masked": (lambda library: bert(library, "MaskedLM"), tokens()),
    "causal": (gpt2, tokens()),
}


@pytest.mark.parametrize(("kind", "shards"), some(product(KINDS, [False, True]), 4))
def test_a_folder_gives_the_model_that_was_saved(transformers, tmp_path, kind, shards):
    make, inputs = KINDS[kind]
    model = make(transformers)
    model.save_pretrained(tmp_path, **({"max_shard_size": "2KB"} if shards else {}))
    assert (tmp_path / "model.safetensors.index.json").is_file() is shards
    loaded = load_pretrained(tmp_path, {})
    assert type(loaded) is type(model)
    assert torch.equal(loaded(inputs).logits, model(inputs).logits)
    assert loaded(inputs).get("past_key_values") is None
    assert sum(p.numel() for p in loaded.parameters()) == sum(p.numel() for p in model.parameters())


def test_the_state_of_the_library_and_of_random_numbers_is_left_alone(transformers, vit_folder):
    logs = transformers.utils.logging
    before = torch.get_rng_state(), logs.get_verbosity(), logs.is_progress_bar_enabled()
    load_pretrained(vit_folder, {})
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (logs.get_verbosity(), logs.is_progress_bar_enabled())


def test_entries_of_the_config_can_be_replaced(vit_folder):
    model = load_pretrained(vit_folder, {"attn_implementation": "eager"})
    assert model.config._attn_implementation == "eager"
    with pytest.raises(InputError, match="--model-args depth: ViTConfig has no such entry"):
        load_pretrained(vit_folder, {"depth": 3})


def test_fresh_weights_are_drawn_by_the_seed(vit_folder):
    spec = resolve_model(f"hf:{vit_folder}", {})
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(spec.build().classifier.weight)
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"num_hidden_layers": 1}, "have more layers than its config.json says"),
        ({"num_hidden_layers": 3}, "would be drawn at random"),
        ({"intermediate_size": 16}, "do not fit its config.json and --model-args: vit"),
        ({"architectures": None}, "does not say which model class"),
        ({"architectures": ["ViTConfig"]}, "is of a model class ViTConfig, which transformers"),
        ({"architectures": ["MyOwn"]}, "is of a model class MyOwn, which transformers"),
        (
            {"architectures": ["MyOwn"], "auto_map": {"AutoModel": "mine.MyOwn"}},
            "needs code of its own",
        ),
        ({"model_type": "mine", "auto_map": {"AutoConfig": "mine.C"}}, "needs code of its own"),
        ({"model_type": "mine"}, "transformers can't load"),
        ({"attn_implementation": "someone/kernel"}, "names attention code to be downloaded"),
    ],
)
def test_what_does_not_fit_is_one_line(vit_folder, entries, said):
    (vit_folder / "mine.py").write_text("raise SystemExit('this code was run')")
    change(vit_folder, **entries)
    with pytest.raises(InputError, match=said) as caught:
        load_pretrained(vit_folder, {})
    assert "\n" not in str(caught.value)


def test_a_folder_without_weights_and_a_damaged_one(vit_folder):
    file = vit_folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match="transformers can't load"):
        load_pretrained(vit_folder, {})
    file.unlink()
    with pytest.raises(InputError, match="transformers can't load"):
        load_pretrained(vit_folder, {})


def test_other_folders_are_none_of_its(tmp_path):
    assert not is_pretrained_folder(tmp_path)
    (tmp_path / "config.json").write_text('{"model": {}, "data": {}}')
    assert not is_pretrained_folder(tmp_path)
    (tmp_path / "config.json").write_text("[")
    assert not is_pretrained_folder(tmp_path)
    with pytest.raises(InputError, match="is not a model folder of Hugging Face"):
        load_pretrained(tmp_path, {})


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"architecture": "hf_hub:some/net"}, "a network elsewhere (architecture: 'hf_hub:"),
        ({"architecture": "local-dir:/tmp/net"}, "a network elsewhere"),
        (
            {"backbone_config": {"backbone": "some/net"}},
            "a network elsewhere (backbone: 'some/net')",
        ),
        ({"model_args": {"checkpoint_path": "a.pt"}}, "(model_args: checkpoint_path)"),
        ({"backbone_kwargs": {"pretrained": True}}, "(backbone_kwargs: pretrained)"),
    ],
)
def test_what_a_folder_names_elsewhere_is_not_opened(transformers, vit_folder, entries, said):
    change(vit_folder, **entries)
    with pytest.raises(InputError) as refused:
        load_pretrained(vit_folder, {})
    assert said in str(refused.value)


def test_weights_of_a_backbone_are_not_downloaded(transformers, vit_folder):
    change(vit_folder, use_pretrained_backbone=True)
    assert load_pretrained(vit_folder, {}).config.use_pretrained_backbone is False


class TestAdapters:
    @pytest.fixture
    def trained(self, transformers, peft, vit_folder):
        """An adapter that changes the outputs, and its folder."""
        base = transformers.ViTForImageClassification.from_pretrained(vit_folder)
        model = adapted(
            peft, base, target_modules=["q_proj", "v_proj"], modules_to_save=["classifier"]
        )
        folder = vit_folder.with_name("adapter")
        model.save_pretrained(folder)
        return model, folder

    def test_the_adapter_is_what_is_trained(self, trained):
        model, folder = trained
        loaded = load_adapter(folder, {}, trust=True)
        assert torch.equal(loaded(images()).logits, model(images()).logits)
        names = [name for name, p in loaded.named_parameters() if p.requires_grad]
        assert names == [name for name, p in model.named_parameters() if p.requires_grad]
        assert all("lora_" in name or "classifier" in name for name in names)

    def test_its_base_is_found_by_its_name_or_given(self, trained, vit_folder):
        model, folder = trained
        change(folder, "adapter_config.json", base_model_name_or_path="../vit")
        loaded = load_adapter(folder, {}, trust=True)
        assert torch.equal(loaded(images()).logits, model(images()).logits)
        change(folder, "adapter_config.json", base_model_name_or_path="google/vit-base")
        with pytest.raises(InputError, match="of google/vit-base, which is no folder"):
            load_adapter(folder, {}, trust=True)
        assert load_adapter(folder, {}, vit_folder) is not None

    @pytest.mark.parametrize("name", ["absolute", "../vit", "vit", "here/vit", "google/vit-base"])
    def test_a_base_elsewhere_is_not_opened(self, trained, vit_folder, monkeypatch, name):
        """Not by its path, and not by that of a folder which happens to be here."""
        folder = trained[1]
        monkeypatch.chdir(vit_folder.parent)
        (vit_folder.parent / "adapter" / "here").symlink_to(vit_folder.parent)
        named = str(vit_folder) if name == "absolute" else name
        change(folder, "adapter_config.json", base_model_name_or_path=named)
        with pytest.raises(InputError, match="is not opened because a file names it.*--trust"):
            load_adapter(folder, {})

    def test_a_base_inside_of_its_folder_is_found(self, trained, vit_folder):
        model, folder = trained
        vit_folder.rename(folder / "base")
        change(folder, "adapter_config.json", base_model_name_or_path="base")
        assert torch.equal(load_adapter(folder, {})(images()).logits, model(images()).logits)

    def test_further_adapters_are_not_opened(self, trained, vit_folder):
        change(trained[1], "adapter_config.json", peft_type="XLORA", adapters={"a": "/tmp/a"})
        with pytest.raises(InputError, match="names further adapters"):
            load_adapter(trained[1], {}, vit_folder)

    def test_what_does_not_fit_is_refused(self, trained, vit_folder):
        _, folder = trained
        change(folder, "adapter_config.json", target_modules=["q_proj"])
        with pytest.raises(InputError, match="the adapter's file in .* has unknown"):
            load_adapter(folder, {}, vit_folder)
        change(folder, "adapter_config.json", target_modules=["q_proj", "v_proj", "k_proj"])
        with pytest.raises(InputError, match="the adapter's file in .* lacks"):
            load_adapter(folder, {}, vit_folder)
        change(folder, "adapter_config.json", megatron_config={"a": 1}, megatron_core="os")
        with pytest.raises(InputError, match="names code to import"):
            load_adapter(folder, {}, vit_folder)

    def test_it_has_no_initialisation(self, trained):
        with pytest.raises(NotMeasurableError, match="is an adapter, which has no initialisation"):
            resolve_model(f"hf:{trained[1]}", {}).build()

    def test_a_head_of_its_own_on_a_base_of_another_task(self, transformers, peft, tmp_path):
        """The base is a language model; the adapter brings the classifier and what is before it."""
        bert(transformers, "MaskedLM").save_pretrained(tmp_path / "base")
        base = transformers.AutoModelForSequenceClassification.from_pretrained(
            tmp_path / "base", num_labels=4
        )
        model = adapted(
            peft, base, target_modules=["query"], task_type="SEQ_CLS", modules_to_save=["pooler"]
        )
        model.save_pretrained(tmp_path / "adapter")
        loaded = load_adapter(tmp_path / "adapter", {"num_labels": 4}, tmp_path / "base")
        assert torch.equal(loaded(tokens()).logits, model(tokens()).logits)


def test_where_the_library_is_missing(vit_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match=r"needs transformers, .*loss-landscape-toolkit\[hugg"):
        load_pretrained(vit_folder, {})

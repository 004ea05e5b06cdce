"""Folders as Hugging Face writes them, with tiny models in them."""

import warnings

import torch

VIT = {
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "image_size": 8,
    "patch_size": 4,
    "num_labels": 3,
}
TEXT = {"vocab_size": 20, "max_position_embeddings": 12}
BERT = {
    **TEXT,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "num_labels": 3,
}
GPT2 = {"vocab_size": 20, "n_positions": 12, "n_embd": 8, "n_layer": 2, "n_head": 2}


def vit(transformers, seed=0, **changes):
    """A ViT that classifies pictures of 8 pixels."""
    torch.manual_seed(seed)
    config = transformers.ViTConfig(**{**VIT, **changes})
    return transformers.ViTForImageClassification(config).eval()


def bert(transformers, task="SequenceClassification", seed=0):
    """A BERT for a task."""
    torch.manual_seed(seed)
    return getattr(transformers, f"BertFor{task}")(transformers.BertConfig(**BERT)).eval()


def gpt2(transformers, seed=0):
    """A GPT-2, whose head is its embedding."""
    torch.manual_seed(seed)
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**GPT2)).eval()


def tokens(count=4, length=6):
    """Token numbers (count, length)."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 20, (count, length), generator=generator)


def images(count=4, size=8):
    """Inputs (count, 3, size, size)."""
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def adapted(peft, base, **settings):
    """A LoRA adapter in ``base`` that changes its outputs."""
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = peft.LoraConfig(r=2, init_lora_weights=False, **settings)
        return peft.get_peft_model(base, config).eval()

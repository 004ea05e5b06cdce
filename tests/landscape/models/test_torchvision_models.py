import pytest
import torch

from landscape.errors import InputError
from landscape.models.catalog import resolve_model
from landscape.models.torchvision_models import torchvision_pictures


def test_a_name_makes_its_model_without_a_download(torchvision, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("weights were downloaded")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    facts = {"num_classes": 7, "image_size": 8, "channels": 3}
    assert resolve_model("torchvision:squeezenet1_1", {}, facts).build().num_classes == 1000
    assert hasattr(resolve_model("torchvision:fcn_resnet50", {}, facts).build(), "backbone")
    model = resolve_model("torchvision:squeezenet1_1", {}, facts, fit_to_data=True).build()
    assert model.num_classes == 7


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("resnt18", {}, "torchvision has no model 'resnt18'; did you mean resnet18?"),
        ("squeezenet1_1", {"depth": 3}, "torchvision can't create 'squeezenet1_1'"),
    ],
)
def test_what_it_can_not_make(torchvision, name, arguments, said):
    with pytest.raises(InputError) as caught:
        resolve_model(f"torchvision:{name}", arguments).build()
    assert said in str(caught.value)


def test_a_model_that_does_not_classify_has_no_pictures(torchvision):
    assert torchvision_pictures("fcn_resnet50", {}) is None
    assert torchvision_pictures("vit_b_16", {"image_size": 32}).image_size == 32

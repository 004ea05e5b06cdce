"""Every recipe builds, and says what the paper says."""

import pytest
import torch

from landscape.errors import InputError
from landscape.models.catalog import resolve_model
from landscape.training.recipes.catalog import find_recipe, recipe_table, recipes
from landscape.training.settings import TrainSettings
from tests.profile import some

# As published: Dosovitskiy et al. 2021, Tolstikhin et al. 2021, He et al. 2016, timm.
MILLIONS = {
    "vit-b16": 86.6,
    "vit-b32": 88.2,
    "vit-s16": 22.1,
    "vit-s32": 22.9,
    "mixer-b16": 59.9,
    "mixer-b32": 60.3,
    "mixer-s16": 18.5,
    "mixer-s32": 19.1,
    "resnet50": 25.6,
    "resnet101": 44.5,
    "resnet152": 60.2,
}
MODELS = [
    *("vit-s32", "vit-s16", "vit-s14", "vit-s8", "vit-b32", "vit-b16"),
    *("mixer-s32", "mixer-s16", "mixer-s8", "mixer-b32", "mixer-b16", "mixer-b8"),
    *("resnet50", "resnet101", "resnet152", "resnet50x2", "resnet101x2", "resnet152x2"),
]


def test_every_row_of_the_paper_has_its_four_recipes():
    for model in MODELS:
        for variant in ("", "-sam", "-aug", "-aug-sam"):
            assert f"{model}-imagenet{variant}" in recipes()
    for data in ("digits", "cifar10"):
        for model in ("vit-tiny", "mixer-tiny", "resnet-tiny"):
            for variant in ("", "-sam", "-aug", "-aug-sam"):
                assert f"{model}-{data}{variant}" in recipes()


@pytest.mark.parametrize("name", some(sorted(recipes()), 40))
def test_every_recipe_builds(name):
    recipe = recipes()[name]
    settings = TrainSettings(**recipe.training)
    assert (settings.rho > 0) == name.endswith("-sam")
    assert recipe.source
    if recipe.model:
        facts = {"image_size": 32, "channels": 3, "num_classes": 10}
        with torch.device("meta"):
            model = resolve_model(recipe.model, recipe.model_args, facts).build()
        count = sum(p.numel() for p in model.parameters()) / 1e6
        if recipe.model in MILLIONS:
            assert round(count, 1) == MILLIONS[recipe.model]


def test_settings_of_the_paper():
    sam = TrainSettings(**find_recipe("vit-b16-imagenet-sam").training)
    assert (sam.opt, sam.lr, sam.weight_decay, sam.epochs) == ("adamw", 3e-3, 0.3, 300)
    assert (sam.rho, sam.warmup_steps, sam.schedule, sam.clip) == (0.2, 10_000, "cosine", 1.0)
    assert (sam.loss, sam.augment, sam.batch_size) == ("sigmoid", "inception", 4096)
    assert sam.randaugment == ()
    strong = TrainSettings(**find_recipe("mixer-b16-imagenet-aug").training)
    assert (strong.rho, strong.randaugment, strong.mixup) == (0.0, (2, 15), 0.5)
    assert strong.schedule == "linear"
    assert strong.mixup_lambda == "batch"
    resnet = TrainSettings(**find_recipe("resnet152-imagenet-sam").training)
    assert (resnet.opt, resnet.lr, resnet.weight_decay) == ("sgd", 1.6, 1e-3)
    assert (resnet.rho, resnet.epochs, resnet.warmup_steps, resnet.clip) == (0.02, 90, 5000, 0.0)
    assert find_recipe("vit-b16-imagenet-sam").model_args["dropout"] == 0.1
    assert find_recipe("mixer-b16-imagenet").model_args["drop_path"] == 0.1


def test_perturbations_of_the_paper_are_each_devices_own():
    """As is the default of the authors' code; the paper's number of devices is not known."""
    for name, recipe in recipes().items():
        if "-imagenet" in name and name.endswith("-sam"):
            settings = TrainSettings(**recipe.training)
            assert settings.sam_sync is False
            assert settings.samples_per_perturbation(4096, 8) == 512
            assert "rho belongs to an unknown m" in recipe.source


def test_what_is_not_established_of_the_papers_resnets_is_named():
    for name, recipe in recipes().items():
        is_open = "open: google-research/sam's ResNets use Nesterov momentum" in recipe.source
        assert is_open == (name.startswith("resnet") and "-imagenet" in name)
        assert not TrainSettings(**recipe.training).nesterov


def test_the_table_names_every_recipe_and_every_source():
    table = recipe_table()
    lines = table.splitlines()
    for name, recipe in recipes().items():
        (row,) = [line for line in lines if line.split()[:1] == [name]]
        number = row.split()[-1]
        assert f"{number} {recipe.source}" in lines
    assert max(map(len, table.split("\n\n")[0].splitlines())) <= 100


def test_an_unknown_recipe():
    with pytest.raises(InputError, match="did you mean vit-b16-imagenet"):
        find_recipe("vit-b16-imagnet")

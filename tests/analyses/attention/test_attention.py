"""Attention: maps and entropies are those of weights worked out by hand."""

import json
import math
from dataclasses import fields, replace
from xml.sax.saxutils import escape

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from analyses import attention
from analyses.attention.maps import STRETCHED, UNDONE, choose_pictures
from analyses.attention.measure import Settings, entropy_of
from analyses.attention.result import CLASS_TOKEN, PATCHES, Attention
from analyses.drawing.style import styled
from landscape.data.samples import Normalization, TensorSamples
from landscape.errors import InputError, NotMeasurableError
from landscape.models.vit import VisionTransformer
from landscape.objective.objective import Objective
from tests.analyses.pictures import coloured, save_figures
from tests.oracles.cases import BY_NAME, randomise

NUM_SAMPLES, SIDE, HEADS, DEPTH, CLASSES = 11, 3, 2, 3, 4
NORMALIZATION = Normalization((0.4,), (0.2,))


def transformer(seed=0, **changes):
    sizes = {
        "image_size": 6, "patch_size": 2, "dim": 8, "depth": DEPTH, "heads": HEADS, "mlp_dim": 8,
        "num_classes": CLASSES,
    }  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return randomise(VisionTransformer(**{**sizes, **changes}).double()).eval()


def samples(channels=3):
    with torch.random.fork_rng():
        torch.manual_seed(7)
        pixels = torch.rand(NUM_SAMPLES, channels, 6, 6, dtype=torch.float64)
    targets = torch.tensor([2, 2, 0, 2, 0, 3, 0, 1, 1, 3, 2])
    return TensorSamples(pixels, targets, ("ash", "birch", "cedar", "$5"), NORMALIZATION)


def objective(model=None, source=None, batch_size=4, label="plain", **options):
    source = source or samples()
    data = source.fetch(torch.arange(len(source))), source.targets
    options = {"source": source, "dtype": torch.float64, **options}
    return Objective(
        model or transformer(), data, batch_size=batch_size, device="cpu",
        origin={"label": label}, **options,
    )  # fmt: skip


def measure(*words, settings=None, **options):
    return attention.compute(objective(*words, **options), settings)


def weights_by_hand(model, images):
    """The attention weights of each layer, (L, n, heads, tokens, tokens), from queries and keys."""
    packed = []
    handles = [
        block.attn.qkv.register_forward_hook(lambda *words: packed.append(words[2].detach()))
        for block in model.blocks
    ]
    model(images)
    for handle in handles:
        handle.remove()
    n, tokens, dim = packed[0].shape
    layers = []
    for qkv in packed:
        q, k, _ = qkv.view(n, tokens, 3, HEADS, dim // 3 // HEADS).permute(2, 0, 3, 1, 4).numpy()
        powers = np.exp(np.einsum("nhqd,nhkd->nhqk", q, k) / math.sqrt(q.shape[-1]))
        layers.append(powers / powers.sum(-1, keepdims=True))
    return np.stack(layers)


# -------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("batch_size", [1, 4, 11])
def test_entropies_by_hand(batch_size):
    model, source = transformer(), samples()
    found = measure(model, source, batch_size=batch_size)
    weights = weights_by_hand(model, source.fetch(torch.arange(NUM_SAMPLES)))
    entropies = -(weights * np.log(weights)).sum(-1)  # (L, n, heads, queries)
    assert found.layers == tuple(f"blocks.{k}.attn" for k in range(DEPTH))
    assert found.heads.tolist() == [HEADS] * DEPTH
    assert found.keys.tolist() == [SIDE**2 + 1] * DEPTH
    root = math.sqrt(NUM_SAMPLES)
    by_sample = entropies.mean(-1)
    np.testing.assert_allclose(found.entropy, by_sample.mean(1), rtol=1e-12)
    np.testing.assert_allclose(found.entropy_stderr, by_sample.std(1, ddof=1) / root, rtol=1e-10)
    by_layer = by_sample.mean(-1)
    np.testing.assert_allclose(found.by_layer, by_layer.mean(1), rtol=1e-12)
    np.testing.assert_allclose(found.layer_stderr, by_layer.std(1, ddof=1) / root, rtol=1e-10)
    overall = by_layer.mean(0)
    expected = [overall.mean(), overall.std(ddof=1) / root]
    np.testing.assert_allclose(found.mean, expected, rtol=1e-10)
    of_class_token = entropies[..., 0].mean(-1)
    expected = np.stack([of_class_token.mean(1), of_class_token.std(1, ddof=1) / root], axis=1)
    np.testing.assert_allclose(found.class_entropy, expected, rtol=1e-10)


def test_maps_by_hand():
    model, source = transformer(), samples()
    found = measure(model, source, settings=Settings(pictures=3)).maps
    assert found.query == CLASS_TOKEN
    assert found.indices.tolist() == [0, 2, 5]
    assert found.classes == ("cedar", "ash", "$5")
    weights = weights_by_hand(model, source.fetch(torch.tensor([0, 2, 5])))
    expected = weights[-1][:, :, 0, 1:].reshape(3, HEADS, SIDE, SIDE)
    np.testing.assert_allclose(found.raw, expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(found.mean, expected.mean(1), rtol=0, atol=1e-13)
    for picture in range(3):
        total = np.eye(SIDE**2 + 1)
        for layer in weights[:, picture]:
            total = (layer.mean(0) / 2 + np.eye(SIDE**2 + 1) / 2) @ total
        expected = total[0, 1:].reshape(SIDE, SIDE)
        np.testing.assert_allclose(found.rolled[picture], expected, rtol=0, atol=1e-13)


def test_uniform_attention_has_the_largest_entropy():
    model = transformer()
    for block in model.blocks:
        nn.init.zeros_(block.attn.qkv.weight)
        nn.init.zeros_(block.attn.qkv.bias)
    found = measure(model)
    np.testing.assert_allclose(found.entropy, math.log(10), rtol=1e-14)
    np.testing.assert_allclose(found.maximum, math.log(10), rtol=1e-15)
    np.testing.assert_allclose(found.maps.raw, 0.1, rtol=1e-14)
    assert found.mean[1] < 1e-15


def test_entropies_of_known_weights(monkeypatch):
    one_key = torch.eye(4).expand(3, 2, 4, 4)
    assert torch.equal(entropy_of(one_key), torch.zeros(3, 2, 2).double())
    two_keys = torch.tensor([0.25, 0.75, 0.0, 0.0]).expand(3, 2, 4, 4)
    expected = 0.25 * math.log(4) + 0.75 * math.log(4 / 3)
    torch.testing.assert_close(entropy_of(two_keys), torch.full((3, 2, 2), expected).double())
    many = torch.rand(7, 2, 5, 6).softmax(-1)
    whole = entropy_of(many)
    monkeypatch.setattr(attention, "CHUNK", 2 * 60)
    assert torch.equal(entropy_of(many), whole)


def test_single_precision_says_the_same():
    double, single = measure(), measure(dtype=torch.float32)
    np.testing.assert_allclose(single.entropy, double.entropy, rtol=2e-6)
    np.testing.assert_allclose(single.maps.raw, double.maps.raw, rtol=1e-4)
    assert single.maps.indices.tolist() == double.maps.indices.tolist()


def test_one_sample_has_no_error():
    found = measure(source=samples().take(torch.tensor([3])))
    assert np.isnan(found.entropy_stderr).all()
    assert len(found.maps.indices) == 1
    (row,) = attention.tabulate([found])[""]
    assert "no error" in row["mean entropy, nats, ± standard error"]
    with styled():
        attention.draw([found])


def test_nothing_is_left_on_the_network():
    problem = objective()
    before = problem.weights_hash()
    attention.compute(problem)
    assert problem.weights_hash() == before
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in problem.module.modules())
    assert torch.backends.mha.get_fastpath_enabled()


# -------------------------------------------------------------------------------------- pictures


@pytest.mark.parametrize(
    ("count", "indices"),
    [(1, [0]), (4, [0, 2, 5, 7]), (6, [0, 1, 2, 3, 5, 7]), (20, list(range(NUM_SAMPLES)))],
)
def test_the_first_pictures_of_different_classes_are_chosen(count, indices):
    for batch_size in (2, 11):
        found, classes = choose_pictures(objective(batch_size=batch_size), count)
        assert found.tolist() == indices
        names = samples().classes
        assert classes == tuple(names[samples().targets[index]] for index in indices)


def test_targets_that_are_no_classes():
    source = replace(samples(), targets=torch.randn(NUM_SAMPLES, CLASSES).double())
    found = measure(source=source, loss=F.mse_loss, settings=Settings(pictures=2)).maps
    assert found.indices.tolist() == [0, 1]
    assert found.classes == ("", "")


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_those_before_normalisation(channels):
    source = samples(channels)
    found = measure(transformer(channels=channels), source).maps
    assert found.shown == UNDONE
    expected = (255 * source.inputs[found.indices]).round().permute(0, 2, 3, 1)
    np.testing.assert_array_equal(found.pixels, expected)


def test_pixels_of_unknown_normalisation_are_stretched():
    found = measure(source=samples(), settings=Settings(pictures=3)).maps
    other = measure(transformer(), None, 4, "x", settings=Settings(pictures=3)).maps
    assert np.array_equal(found.pixels, other.pixels)
    problem = objective()
    problem.source = None
    stretched = attention.compute(problem).maps
    assert stretched.shown == STRETCHED
    assert stretched.classes == ("2", "0", "3", "1")
    inputs = samples().inputs[stretched.indices].numpy()
    low, high = inputs.min((1, 2, 3), keepdims=True), inputs.max((1, 2, 3), keepdims=True)
    expected = (255 * (inputs - low) / (high - low)).transpose(0, 2, 3, 1)
    assert np.abs(stretched.pixels - expected).max() <= 0.5 + 1e-9


# ------------------------------------------------------------------------------- foreign networks


class Encoder(nn.Module):
    """Torch's own encoder over patches, with registers and a class token, or without."""

    def __init__(self, extra=0, side=4, name="registers"):
        super().__init__()
        self.embed = nn.Conv2d(3, 16, 6 // side if side < 6 else 1, stride=6 // side)
        if extra:
            self.register_parameter(name, nn.Parameter(torch.randn(1, extra, 16)))
        self.extra = name if extra else ""
        layer = nn.TransformerEncoderLayer(16, 4, 16, batch_first=True, dropout=0.0)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        if self.extra:
            x = torch.cat([getattr(self, self.extra).expand(len(x), -1, -1), x], 1)
        return self.head(self.encoder(x).mean(1))


@pytest.mark.parametrize(
    ("extra", "name", "query"),
    [
        (0, "", PATCHES),
        (1, "anything", CLASS_TOKEN),
        (4, "registers", PATCHES),
        (5, "cls_token", CLASS_TOKEN),
    ],
)
def test_whose_attention_is_shown(extra, name, query):
    model = Encoder(extra, 6, name).double().eval()
    found = measure(model)
    assert found.maps.query == query
    assert found.layers == ("encoder.layers.0.self_attn", "encoder.layers.1.self_attn")
    assert found.maps.raw.shape == (4, 4, 6, 6)
    assert np.isfinite(found.class_entropy).all() == (query == CLASS_TOKEN)
    # The first layer's weights, from torch's own: the maps are of a model of that layer alone.
    model.encoder.layers = model.encoder.layers[:1]
    images = samples().fetch(torch.tensor([0, 2, 5, 7]))
    seen = []
    handle = model.encoder.layers[0].register_forward_pre_hook(lambda _, w: seen.append(w[0]))
    model.train()(images)
    handle.remove()
    model.eval()
    _, weights = model.encoder.layers[0].self_attn(*seen * 3, average_attn_weights=False)
    rows = weights[:, :, :1] if query == CLASS_TOKEN else weights[:, :, extra:]
    expected = rows[..., extra:].mean(2).detach().unflatten(-1, (6, 6))
    one_layer = measure(model).maps
    np.testing.assert_allclose(one_layer.raw, expected, rtol=0, atol=1e-13)


class Reader(nn.Module):
    """Sequences of words, in a dict with a mask of what is padding."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, words, padding):
        x = self.embed(words)
        x = x + self.attention(x, x, x, key_padding_mask=padding, need_weights=False)[0]
        return self.head(x.mean(1))


def test_sequences_have_entropies_but_no_maps(tmp_path):
    words = torch.randint(9, (6, 5))
    padding = torch.arange(5) >= torch.tensor([[5], [3], [1], [4], [2], [5]])
    batches = [
        ({"words": words[cut], "padding": padding[cut]}, torch.zeros(len(words[cut])).long())
        for cut in (slice(0, 4), slice(4, 6))
    ]
    model = Reader()
    nn.init.zeros_(model.attention.in_proj_weight)
    found = attention.compute(Objective(model, batches, device="cpu"))
    lengths = np.array([5, 3, 1, 4, 2, 5])  # all keys alike, but for the padding
    np.testing.assert_allclose(found.entropy, np.log(lengths).mean(), rtol=1e-6)
    assert found.maps is None
    assert found.why_no_maps == "the inputs are no pictures of 1 or 3 channels"
    assert list(attention.draw([found])) == ["attention-entropy"]
    (row,) = attention.tabulate([found])[""]
    assert row["maps"] == "none: the inputs are no pictures of 1 or 3 channels"
    assert row["class token, last layer"] == "none known"
    found.save(tmp_path / "x.h5")
    assert Attention.load(tmp_path / "x.h5").why_no_maps == found.why_no_maps


@pytest.mark.parametrize("tokens", [3, 12, 35])
def test_tokens_that_are_no_square(tokens):
    class Some(Encoder):
        def forward(self, x):
            x = self.embed(x).flatten(2).transpose(1, 2)[:, :tokens]
            return self.head(self.encoder(x).mean(1))

    found = measure(Some(0, 6).double())
    assert found.maps is None
    assert found.why_no_maps.startswith(f"{tokens} tokens are no square grid of patches")
    assert found.keys.tolist() == [tokens, tokens]
    assert np.isnan(found.class_entropy).all()


class Windows(nn.Module):
    """Attention in two windows, then with more heads in all tokens."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 3, stride=3)
        self.local = nn.MultiheadAttention(8, 2, batch_first=True)
        self.whole = nn.MultiheadAttention(8, 4, batch_first=True)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        windows = x.reshape(-1, 2, 8)
        x = x + self.local(windows, windows, windows)[0].reshape(x.shape)
        return self.head(self.whole(x, x, x)[0].mean(1))


def test_windows_and_layers_of_different_heads(tmp_path):
    problem = objective(Windows().double())
    found = attention.compute(problem)
    assert found.heads.tolist() == [2, 4]
    assert found.keys.tolist() == [2, 4]
    assert np.isnan(found.entropy[0, 2:]).all()
    assert found.why_no_maps == "not every layer lets all tokens attend to all"
    x = problem.module.embed(samples().fetch(torch.arange(NUM_SAMPLES))).flatten(2).transpose(1, 2)
    by_sample = []
    for sample in x:
        windows = sample.reshape(2, 2, 8)
        _, weights = problem.module.local(windows, windows, windows, average_attn_weights=False)
        weights = weights.detach().numpy()
        by_sample.append(-(weights * np.log(weights)).sum(-1).mean((0, 2)))
    np.testing.assert_allclose(found.entropy[0, :2], np.mean(by_sample, axis=0), rtol=1e-12)
    expected = np.std(by_sample, axis=0, ddof=1) / math.sqrt(NUM_SAMPLES)
    np.testing.assert_allclose(found.entropy_stderr[0, :2], expected, rtol=1e-10)
    found.save(tmp_path / "x.h5")
    assert same(Attention.load(tmp_path / "x.h5"), found)
    assert len(json_of(found, tmp_path)["heads"]["local"]) == 2


@pytest.mark.parametrize("name", ["mixer", "resnet with batch norm", "mlp with tied weights"])
def test_networks_without_attention_are_refused(name):
    case = BY_NAME[name]
    problem = Objective(case.model(), case.data, case.loss, device="cpu", dtype=torch.float64)
    with pytest.raises(NotMeasurableError, match="has no attention that can be watched") as caught:
        attention.compute(problem)
    assert "\n" not in str(caught.value)


def test_no_pictures_are_refused():
    with pytest.raises(InputError, match="--pictures has to be at least 1, got 0"):
        Settings(pictures=0)


# ------------------------------------------------------------------------------------ the result


def same(one, other):
    def alike(first, second):
        if isinstance(first, np.ndarray):
            return first.dtype == second.dtype and first.tobytes() == second.tobytes()
        if hasattr(first, "raw"):
            return same(first, second)
        return first == second

    return all(alike(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))


def json_of(found, folder):
    found.write_json(folder / "x.json")
    return json.loads((folder / "x.json").read_text())


def test_a_result_comes_back_bit_for_bit(tmp_path):
    found = measure(settings=Settings(pictures=3))
    found.save(tmp_path / "x.h5")
    assert same(Attention.load(tmp_path / "x.h5"), found)
    again = measure(settings=Settings(pictures=3))
    assert all(
        np.array(array.values).tobytes() == np.array(again.arrays()[name].values).tobytes()
        for name, array in found.arrays().items()
        if np.asarray(array.values).dtype != object
    )


def test_headline(tmp_path):
    found = measure()
    content = json_of(found, tmp_path)
    assert content["mean"] == pytest.approx(found.mean[0], rel=1e-15)
    assert content["layers"]["blocks.1.attn"] == pytest.approx(found.by_layer[1], rel=1e-15)
    assert content["heads"]["blocks.2.attn"] == found.entropy[2].tolist()
    assert content["maximum"]["blocks.0.attn"] == pytest.approx(math.log(10))
    assert content["query"] == "class token"
    assert content["pictures"] == [0, 2, 5, 7]
    assert content["why_no_maps"] is None


PICTURES = ["attention", "attention-rollout", "attention-heads", "attention-entropy"]
LABELS = ["_old", "a_b^c", "50% & <more>", "x" * 40, "$5", "Ünïcode"]


def several(count):
    return [
        measure(transformer(seed, depth=2 + seed % 2), label=LABELS[seed]) for seed in range(count)
    ]


@pytest.mark.parametrize("count", [1, 2, 6])
def test_pictures_show_every_label(count, tmp_path):
    found = several(count)
    with styled():
        pages = attention.draw(found)
        assert list(pages) == PICTURES
        assert set(PICTURES) | {""} == set(attention.ANALYSIS.reading)
        assert all(min(coloured(page).values()) > 50 for page in pages.values())
        paths = save_figures(pages, tmp_path, ["svg"])
    for path in paths:
        text = path.read_text()
        assert all(escape(label) in text for label in LABELS[:count])


def test_maps_of_one_scale_beside_what_was_shown():
    one, other = several(2)
    pages = attention.draw([one, other])
    shown = [axes.images[0] for axes in pages["attention"].axes if axes.images]
    assert len(shown) == 4 * 3
    np.testing.assert_array_equal(shown[0].get_array(), one.maps.pixels[0])
    np.testing.assert_array_equal(shown[1].get_array(), one.maps.mean[0])
    np.testing.assert_array_equal(shown[2].get_array(), other.maps.mean[0])
    assert len({image.get_clim() for image in shown if image.get_array().ndim == 2}) == 1
    turned = replace(other.maps, pixels=other.maps.pixels[:, ::-1].copy())
    page = attention.draw([one, replace(other, maps=turned)])["attention"]
    assert [axes.get_title() for axes in page.axes[:4]] == ["input", "_old", "input", "a_b^c"]


def test_more_pictures_than_a_page_holds():
    one = measure(settings=Settings(pictures=5))
    maps = replace(
        one.maps, pixels=one.maps.pixels.repeat(4, axis=0), classes=one.maps.classes * 4,
        indices=np.arange(20), raw=one.maps.raw.repeat(4, axis=0),
        rolled=one.maps.rolled.repeat(4, axis=0),
    )  # fmt: skip
    many = replace(one, maps=maps)
    assert attention.tabulate([many])[""][0]["maps"].endswith("10, 11 and 8 more")
    page = attention.draw([many])["attention"]
    assert len([axes for axes in page.axes if axes.images]) == 2 * 12


def test_grids_of_different_size_are_made_comparable():
    one, other = measure(), measure(transformer(patch_size=1), label="fine")
    page = attention.draw([one, other])["attention"]
    shown = [axes.images[0].get_array() for axes in page.axes if axes.images]
    np.testing.assert_allclose(shown[1], 9 * one.maps.mean[0])
    np.testing.assert_allclose(shown[2], 36 * other.maps.mean[0])
    assert "× patches" in page.axes[-1].get_ylabel()


def test_heads_of_the_first_picture():
    one, other = several(2)
    many = replace(one.maps, raw=np.tile(one.maps.raw, (1, 7, 1, 1)))
    page = attention.draw([replace(one, maps=many), other])["attention-heads"]
    titles = [axes.get_title() for axes in page.axes if axes.get_title()]
    assert titles == [*map(str, range(1, 15)), "1", "2"]


def test_networks_of_one_kind_share_a_panel_of_entropies():
    found = several(3)  # of two, three, and two layers
    page = attention.draw(found)["attention-entropy"]
    first, second = page.axes
    assert [len(first.containers), len(second.containers)] == [2, 1]
    for bars, shown in zip(first.containers, (found[0], found[2]), strict=True):
        np.testing.assert_array_equal(bars[0].get_ydata(), shown.by_layer)
    np.testing.assert_allclose(second.lines[0].get_ydata(), [math.log(10)] * 3)


def test_a_table_row_for_each():
    found = several(2)
    rows = attention.tabulate(found)[""]
    assert [row["checkpoint"] for row in rows] == LABELS[:2]
    assert all(isinstance(value, str) and value for row in rows for value in row.values())
    assert rows[0]["maps"] == "of the class token, samples 0, 2, 5, 7"
    assert rows[1]["layers"] == "3"
    assert rows[0]["heads"] == "2"
    assert rows[0]["log(keys)"] == "2.303"

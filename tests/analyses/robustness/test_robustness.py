import json
import math
import subprocess
import sys
from dataclasses import replace
from functools import cache
from xml.sax.saxutils import escape

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from analyses import robustness
from analyses.drawing.style import styled
from analyses.robustness.measure import Robustness, Settings
from landscape.data.corruptions.catalog import FAMILIES, SEVERITIES, corrupt
from landscape.data.samples import Normalization, TensorSamples
from landscape.data.sources.imagefolder import FolderSamples
from landscape.errors import InputError, NotMeasurableError
from landscape.objective.objective import Objective
from landscape.robustness.scores import Score
from tests.analyses.pictures import coloured, render, save_figures

COLOURS = Normalization((0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
CLASSES = ("a", "b", "c")
NOTHING = Settings(corruptions="none", attack_radius=())
QUICK = Settings(corruptions="contrast,fog", attack_radius=(4.0, 16.0), attack_steps=2, seed=3)


def source(count=30, channels=3, side=8):
    """Byte pictures whose class is told by how bright they are."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(3, (count,), generator=generator)
    shape = (count, channels, side, side)
    noise = torch.randint(0, 220, shape, generator=generator)
    pixels = (noise + 12 * targets.view(-1, 1, 1, 1)).to(torch.uint8)
    normalization = COLOURS if channels == 3 else Normalization((0.5,), (0.25,))
    return TensorSamples(pixels, targets, CLASSES, normalization)


def network(seed=0, channels=3):
    """Tells classes by brightness and, a little, by chance."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Conv2d(channels, 4, 3, padding=1),
            nn.Tanh(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16, 3),
        )
        samples = source(300, channels)
        inputs, optimizer = samples.fetch(torch.arange(300)), torch.optim.Adam(model.parameters())
        for _ in range(120):
            optimizer.zero_grad()
            F.cross_entropy(model(inputs), samples.targets).backward()
            optimizer.step()
        return model


@cache
def trained(seed=0, channels=3):
    return network(seed, channels)


def objective(samples=None, model=None, label="plain", **options):
    samples = samples or source()
    everything = torch.arange(len(samples))
    options = {"batch_size": 7, "source": samples, **options}
    data = samples.fetch(everything), samples.targets
    model = model or trained(0, samples.input_shape[0])
    return Objective(model, data, device="cpu", origin={"label": label}, **options)


@cache
def result(seed=0):
    made = objective(model=trained(seed), label=f"net {seed}")
    found = robustness.compute(made, QUICK)
    sets = {
        "v2": Score(61.5, 2.0, 20),
        "r_x$": Score(40.0, 1.5, 30, 60.0, 1.25),
    }
    return replace(found, sets=sets)


def answers(problem, inputs):
    with torch.no_grad():
        return problem.module(inputs).argmax(1).numpy()


# ------------------------------------------------------------------------------------ numbers


def test_clean_accuracy_and_loss_are_the_objectives_own():
    problem = objective()
    found, clean = robustness.compute(problem, NOTHING), problem.evaluate()
    assert found.accuracy.accuracy == pytest.approx(clean.accuracy, rel=1e-12)
    p = clean.accuracy / 100
    assert 0.4 < p < 1
    assert found.accuracy.standard_error == pytest.approx(100 * math.sqrt(p * (1 - p) / 30))
    assert (found.loss, found.loss_stderr) == (clean.loss, clean.loss_stderr)
    assert found.corruption_accuracy is None
    assert found.by_radius("pgd") == {}


@pytest.mark.parametrize("family", ["contrast", "brightness", "jpeg_compression", "pixelate"])
def test_a_corruption_without_chance_is_that_of_the_bytes(family):
    samples = source()
    problem = objective(samples)
    found = robustness.compute(problem, Settings(corruptions=family, attack_radius=()))
    for k, severity in enumerate(SEVERITIES):
        changed = corrupt(samples.inputs, family, severity, torch.Generator())
        right = answers(problem, COLOURS(changed)) == samples.targets.numpy()
        np.testing.assert_array_equal(found.corrupted[:, 0, k], right)


def test_means_over_corruptions_and_their_errors():
    found = robustness.compute(objective(), Settings(attack_radius=()))
    assert found.families == tuple(FAMILIES)
    assert found.corrupted.shape == (30, 15, 5)
    table = 100 * found.corrupted.astype(float)
    assert found.corruption_accuracy.accuracy == pytest.approx(table.mean())
    each = table.reshape(30, 75).mean(1)
    error = each.std() / math.sqrt(30)
    assert found.corruption_accuracy.standard_error == pytest.approx(error)
    for k, name in enumerate(FAMILIES):
        assert found.by_family[name].accuracy == pytest.approx(table[:, k].mean())
        error = table[:, k].mean(1).std() / math.sqrt(30)
        assert found.by_family[name].standard_error == pytest.approx(error)
    for k, severity in enumerate(SEVERITIES):
        assert found.by_severity[severity].accuracy == pytest.approx(table[:, :, k].mean())
    stored = found.arrays()["corruption_accuracy"].values
    np.testing.assert_allclose(stored, table.mean(0), rtol=1e-12)


class Noting(nn.Module):
    """Notes what it is shown."""

    def __init__(self, model, seen):
        super().__init__()
        self.model, self.seen = model, [seen]

    def __deepcopy__(self, memo):
        return Noting(self.model, self.seen[0])

    def forward(self, inputs):
        self.seen[0].append(inputs.detach().clone())
        return self.model(inputs)


def shown(settings, **options):
    """The inputs that a network is shown, all in one tensor."""
    seen = []
    problem = objective(source(140), model=Noting(trained(), seen), verify=False, **options)
    robustness.compute(problem, replace(settings, attack_radius=()))
    return torch.cat(seen)


def corrupted_pixels(settings, count):
    """The corrupted bytes (changes, n, C, H, W) that a network is shown, clean ones left out."""
    chunks = []
    inputs = shown(settings, batch_size=200)
    clean, rest = 2 * 140, inputs[140:]
    rest = rest[: len(inputs) - clean]
    for size in (128, 12):
        part, rest = rest[: count * size], rest[count * size :]
        chunks.append(part.view(count, size, *part.shape[1:]))
    assert len(rest) == 0
    return (255 * COLOURS.undo(torch.cat(chunks, 1).flatten(0, 1))).round().byte()


def test_a_folder_of_the_corrupted_pictures_gives_the_same(tmp_path):
    """Written without loss, as ImageNet-C is laid out, and read by --sets."""
    settings = Settings(corruptions="fog,shot_noise", attack_radius=())
    pixels = corrupted_pixels(settings, 10).view(10, 140, 3, 8, 8)
    samples = source(140)
    names = [(family, level) for family in settings.families for level in SEVERITIES]
    for (family, level), pictures in zip(names, pixels, strict=True):
        for number, (picture, target) in enumerate(zip(pictures, samples.targets, strict=True)):
            folder = tmp_path / "c" / family / str(level) / CLASSES[target]
            folder.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(picture.permute(1, 2, 0).numpy())
            image.save(folder / f"{number}.png")
    problem = objective(samples)
    found = robustness.compute(problem, replace(settings, sets=(f"c={tmp_path / 'c'}",)))
    for k, (family, level) in enumerate(names):
        memory = found.corrupted[:, k // 5, k % 5].mean()
        assert found.sets[f"c/{family}/{level}"].accuracy == pytest.approx(100 * memory, abs=1e-9)
    whole = found.sets["c"]
    assert whole.accuracy == pytest.approx(found.corruption_accuracy.accuracy)
    assert whole.standard_error == pytest.approx(found.corruption_accuracy.standard_error)
    assert whole.samples == 140


@pytest.mark.parametrize("batch_size", [3, 64, 140])
def test_every_network_sees_the_same_corrupted_pictures(batch_size):
    settings = Settings(corruptions="gaussian_noise,glass_blur", seed=5)
    expected = shown(settings, batch_size=140)
    assert torch.equal(shown(settings, batch_size=batch_size), expected)
    assert not torch.equal(shown(replace(settings, seed=6), batch_size=140), expected)


def test_a_family_is_the_same_by_itself_and_among_others():
    both, alone = (
        robustness.compute(objective(), Settings(corruptions=names, attack_radius=()))
        for names in ("snow,impulse_noise", "impulse_noise")
    )
    np.testing.assert_array_equal(both.corrupted[:, 1], alone.corrupted[:, 0])


def test_attacks_against_a_loop_in_pixels():
    """FGSM by hand; PGD's pictures are checked where the attack is."""
    samples = source()
    problem = objective(samples, dtype=torch.float64)
    found = robustness.compute(
        problem, Settings(corruptions="none", attack_radius=(2.0, 12.0, 40.0))
    )
    pixels = (samples.inputs.double() / 255).requires_grad_()
    mean, std = (torch.tensor(v).double().view(3, 1, 1) for v in (COLOURS.mean, COLOURS.std))
    loss = F.cross_entropy(problem.module((pixels - mean) / std), samples.targets)
    slope = torch.autograd.grad(loss, pixels)[0].sign()
    for k, radius in enumerate((2, 12, 40)):
        moved = (pixels.detach() + radius / 255 * slope).clamp(0, 1)
        right = answers(problem, (moved - mean) / std) == samples.targets.numpy()
        np.testing.assert_array_equal(found.fgsm[:, k], right)
    assert found.fgsm[:, 2].mean() < found.correct.mean()


def test_the_length_of_a_step():
    assert Settings().step_of(4.0) == 0.25  # the paper's, as far as it is known
    assert Settings().step_of(8.0) == 0.5
    assert Settings(attack_step=1.5).step_of(8.0) == 1.5
    weak, strong = (
        robustness.compute(
            objective(),
            Settings(corruptions="none", attack_radius=(24.0,), attack_step=step),
        ).pgd.mean()
        for step in (0.01, 6.0)
    )
    assert strong < weak


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_batches_of_any_size_give_the_same(dtype):
    first, *others = (
        robustness.compute(objective(source(140), batch_size=size, dtype=dtype), QUICK)
        for size in (140, 1, 32)
    )
    for other in others:
        for name in ("correct", "corrupted", "fgsm", "pgd"):
            np.testing.assert_array_equal(getattr(other, name), getattr(first, name))
        assert other.loss == pytest.approx(first.loss, rel=1e-6)


def test_batches_of_an_iterable_of_uneven_sizes():
    samples = source(140)
    inputs = samples.fetch(torch.arange(140))
    sizes = [1, 100, 39]
    batches = list(zip(inputs.split(sizes), samples.targets.split(sizes), strict=True))
    uneven = Objective(trained(), batches, device="cpu", source=samples)
    even = robustness.compute(objective(samples), QUICK)
    found = robustness.compute(uneven, QUICK)
    for name in ("correct", "corrupted", "fgsm", "pgd"):
        np.testing.assert_array_equal(getattr(found, name), getattr(even, name))


def test_grey_pictures_without_normalisation():
    samples = source(channels=1)
    pixels = replace(samples, inputs=samples.inputs.float() / 255, normalization=None)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    problem = objective(pixels, model=model, source=None)
    found = robustness.compute(problem, replace(QUICK, corruptions="pixelate"))
    changed = corrupt(samples.inputs, "pixelate", 5, torch.Generator())
    right = answers(problem, changed.float() / 255) == samples.targets.numpy()
    np.testing.assert_array_equal(found.corrupted[:, 0, 4], right)


# --------------------------------------------------------------------------------- other sets


def folder_of(path, samples, classes=CLASSES):
    for number, (picture, target) in enumerate(zip(samples.inputs, samples.targets, strict=True)):
        folder = path / classes[target]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / f"{number:03}.png")
    return path


def test_some_of_the_classes(tmp_path):
    samples = source(60)
    some = samples.take((samples.targets > 0).nonzero().flatten())
    folder_of(tmp_path / "r", some)
    problem = objective()
    found = robustness.compute(problem, replace(NOTHING, sets=(f"r={tmp_path / 'r'}",))).sets["r"]
    with torch.no_grad():
        outputs = problem.module(some.fetch(torch.arange(len(some)))).double()
    p = (outputs.argmax(1) == some.targets).double().mean().item()
    assert found.accuracy == pytest.approx(100 * p)
    assert found.standard_error == pytest.approx(100 * math.sqrt(p * (1 - p) / len(some)))
    q = (outputs[:, 1:].argmax(1) + 1 == some.targets).double().mean().item()
    assert found.among_present == pytest.approx(100 * q)
    assert found.among_present_error == pytest.approx(100 * math.sqrt(q * (1 - q) / len(some)))


def test_reassessed_labels(tmp_path):
    folder = folder_of(tmp_path / "val", source())
    paths = sorted(folder.rglob("*.png"))
    targets = torch.tensor([CLASSES.index(path.parent.name) for path in paths])
    samples = FolderSamples(paths, targets, CLASSES, 8, COLOURS)
    (tmp_path / "real.json").write_text(json.dumps([[0, 1, 2]] * 20 + [[]] * 10))
    settings = replace(NOTHING, sets=(f"real={tmp_path / 'real.json'}",))
    found = robustness.compute(objective(samples), settings).sets["real"]
    assert (found.accuracy, found.samples) == (100.0, 20)


# ------------------------------------------------------------------------------------ refusals


class Wrapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = trained()

    def forward(self, inputs):
        return self.model(inputs).unsqueeze(2)


def refused(match, model, inputs, targets, loss=F.cross_entropy, settings=NOTHING):
    problem = Objective(model, (inputs, targets), loss, device="cpu")
    with pytest.raises(NotMeasurableError, match=match) as caught:
        robustness.compute(problem, settings)
    assert "\n" not in str(caught.value)


def test_what_is_no_picture_is_refused():
    targets = torch.zeros(6, dtype=torch.int64)
    line = nn.Linear(4, 3)
    refused("of pictures, inputs of shape", line, torch.rand(6, 4), targets)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
    shape = r"these are \(6, 2, 4, 6\)"
    refused(shape, flat, torch.rand(6, 2, 4, 6), targets)
    shift = r"pixels have to lie in \[0, 1\].*--mean and --std"
    refused(shift, flat, torch.rand(6, 3, 4, 4) - 0.5, targets)
    refused(shift, flat, torch.full((6, 3, 4, 4), torch.nan), targets)
    values = torch.rand(6, 3)
    refused("one class number per picture", flat, torch.rand(6, 3, 4, 4), values, F.mse_loss)
    word = replace(NOTHING, sets=("v2=/nowhere",))
    refused("--sets needs to know", flat, torch.rand(6, 3, 4, 4), targets, settings=word)


def test_outputs_of_another_shape_are_refused():
    def loss(outputs, targets):
        return F.cross_entropy(outputs[:, :, 0], targets)

    samples = source()
    inputs = samples.inputs / 255
    refused("shape .pictures, classes., got", Wrapped(), inputs, samples.targets, loss)


def test_a_wrong_normalisation_is_noticed():
    samples = source()
    wrong = replace(samples, normalization=Normalization((0.0,), (3.0,)))
    with pytest.raises(NotMeasurableError, match="as their normalisation is undone"):
        robustness.compute(objective(samples, source=wrong), NOTHING)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"corruptions": "fog,rust"}, "--corruptions has to be all, none or some of .*fog,rust"),
        ({"corruptions": ""}, "--corruptions has to be"),
        ({"attack_radius": (4.0, 0.0)}, "--attack-radius has to be above 0 .* got 4 0"),
        ({"attack_radius": (math.nan,)}, "--attack-radius has to be above 0"),
        ({"attack_radius": (4.0, 4.0)}, "the same radius twice"),
        ({"attack_steps": 0}, "--attack-steps has to be at least 1, got 0"),
        ({"attack_step": -1.0}, "--attack-step has to be above 0"),
        ({"sets": ("v2",)}, "--sets has to be NAME=DIR or NAME=FILE.json, got v2"),
        ({"sets": ("a=x", "a=y")}, "two sets of one name"),
    ],
)
def test_settings_that_ask_for_nothing(wrong, match):
    with pytest.raises(InputError, match=match) as caught:
        Settings(**wrong)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there():
    with pytest.raises(InputError, match="v2: no such folder: /nowhere"):
        robustness.compute(objective(), replace(NOTHING, sets=("v2=/nowhere",)))


# ---------------------------------------------------------------------------------- the result


def test_the_network_is_left_as_it_was():
    problem = objective()
    before = problem.weights_hash()
    robustness.compute(problem, QUICK)
    assert problem.weights_hash() == before
    assert not problem.module.training
    assert all(p.grad is None for p in problem.module.parameters())


@pytest.mark.parametrize("settings", [QUICK, NOTHING], ids=["some", "nothing"])
def test_saved_and_loaded(settings, tmp_path):
    found = robustness.compute(objective(), settings)
    found = replace(found, sets=result().sets if settings is QUICK else {})
    found.save(tmp_path / "x.h5")
    again = Robustness.load(tmp_path / "x.h5")
    assert (again.settings, again.label) == (found.settings, found.label)
    assert (again.sets, again.families) == (found.sets, found.families)
    assert again.provenance == found.provenance
    first, second = found.arrays(), again.arrays()
    for name, array in first.items():
        np.testing.assert_array_equal(second[name].values, array.values)
        assert np.asarray(second[name].values).dtype == np.asarray(array.values).dtype
    assert again.headline() == found.headline()


def test_headline(tmp_path):
    found = result()
    found.write_json(tmp_path / "x.json")
    content = json.loads((tmp_path / "x.json").read_text())
    assert content["accuracy"] == 100 * found.correct.mean()
    assert content["loss"] == found.loss
    assert content["corruption_accuracy"] == pytest.approx(100 * found.corrupted.mean())
    corruptions = content["corruptions"]
    assert list(corruptions["by_family"]) == ["contrast", "fog"]
    fog = found.corrupted[:, 1]
    assert corruptions["by_family"]["fog"]["accuracy"] == pytest.approx(100 * fog.mean())
    assert corruptions["each"]["fog"]["5"]["accuracy"] == pytest.approx(100 * fog[:, 4].mean())
    assert list(corruptions["by_severity"]) == ["1", "2", "3", "4", "5"]
    assert list(content["fgsm"]) == list(content["pgd"]) == ["4", "16"]
    assert content["pgd"]["16"]["accuracy"] == pytest.approx(100 * found.pgd[:, 1].mean())
    assert content["sets"]["r_x$"]["among_present"] == 60.0
    assert content["sets"]["v2"]["among_present"] is None


def test_what_every_analysis_has():
    assert robustness.ANALYSIS.title
    assert robustness.ANALYSIS.summary
    assert all(text.endswith(".") for text in robustness.ANALYSIS.reading.values())
    assert set(robustness.ANALYSIS.reading) == {"", "robustness"}
    assert Robustness.settings_type is Settings
    assert Settings() == Settings()
    made = result().provenance
    assert made.num_samples == 30
    assert made.sample_sha256 == objective().sample_hash()


# -------------------------------------------------------------------------- tables and pictures

LABELS = ["_old", "a_b^c", "50% & <more>", "x" * 40, "$5", "Ünïcode"]


def labelled(labels):
    return [replace(result(k % 2), label=label) for k, label in enumerate(labels)]


def test_a_table_has_a_row_for_each_checkpoint():
    results = labelled(LABELS)
    results[1] = replace(results[1], radii=results[1].radii[:1], fgsm=results[1].fgsm[:, :1],
                         pgd=results[1].pgd[:, :1], sets={})  # fmt: skip
    tables = robustness.tabulate(results)
    assert len(tables) == 4
    for caption, rows in tables.items():
        assert [row["checkpoint"] for row in rows] == LABELS, caption
        for row in rows:
            assert row.keys() == rows[0].keys()
            assert next(iter(row)) == "checkpoint"
            assert all(isinstance(value, str) and value for value in row.values())
    assert tables[""][1]["PGD, 16/255, %, ± standard error"] == "not asked"
    assert "among its classes 60.0 ± 1.2" in str(
        tables["Accuracy on other sets, %, ± standard error"]
    )


@pytest.mark.parametrize("count", [1, 2, 6])
def test_pictures_are_drawn_and_not_blank(count):
    with styled():
        pages = robustness.draw(labelled(LABELS[:count]))
        assert list(pages) == ["robustness"]
        found = coloured(pages["robustness"])
    assert len(found) == 4
    assert min(found.values()) > 50


@pytest.mark.parametrize(("settings", "panels"), [
    (NOTHING, 1),
    (replace(NOTHING, corruptions="fog"), 2),
    (replace(NOTHING, attack_radius=(8.0,)), 3),
])  # fmt: skip
def test_pictures_of_a_part(settings, panels):
    found = robustness.compute(objective(), settings)
    with styled():
        page = robustness.draw([found])["robustness"]
        assert len(coloured(page)) == panels
        assert min(coloured(page).values()) > 20
    assert robustness.tabulate([found])[""]


def test_networks_that_were_asked_different_things_share_a_picture():
    first, second = result(0), robustness.compute(objective(), NOTHING)
    with styled():
        render(robustness.draw([second, first])["robustness"])


@pytest.mark.parametrize("labels", [LABELS, ["a$b_c^d^e$"]], ids=["any", "a formula"])
def test_any_label_is_shown(labels, tmp_path):
    with styled():
        (path,) = save_figures(robustness.draw(labelled(labels)), tmp_path, ["svg"])
    text = path.read_text()
    for label in [*labels, "r_x$"]:
        assert escape(label) in text


def test_computing_needs_no_matplotlib():
    code = (
        "import sys, torch, landscape, analyses.robustness as r; "
        "m = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 2)); "
        "o = landscape.Objective(m, (torch.rand(4, 3, 4, 4), torch.tensor([0, 1, 1, 0])), "
        "device='cpu'); "
        "r.compute(o, r.Settings(corruptions='fog')).headline(); "
        "assert 'matplotlib' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""

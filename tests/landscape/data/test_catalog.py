import numpy as np
import pytest
import torch
from PIL import Image

from landscape.data.catalog import data_facts, load_data
from landscape.data.samples import TensorSamples, count_classes
from landscape.data.settings import DataSettings, canonical_split
from landscape.data.sources.user_data import BatchedSamples
from landscape.errors import InputError

FILE = """\
import torch
from torch.utils.data import DataLoader, TensorDataset

INPUTS = torch.arange(24.0).view(6, 1, 2, 2)
TARGETS = torch.tensor([0, 1, 2, 0, 1, 2])

def pair():
    return INPUTS, TARGETS

def dataset():
    return TensorDataset(INPUTS, TARGETS)

def loader():
    return DataLoader(TensorDataset(INPUTS, TARGETS), batch_size=4)

def iterable():
    return ((INPUTS[k : k + 2], TARGETS[k : k + 2]) for k in range(0, 6, 2))

def batches():
    return [(INPUTS[:5], TARGETS[:5]), [INPUTS[5:], TARGETS[5:]]]

def by_split():
    return {"train": (INPUTS, TARGETS), "test": (INPUTS + 100, TARGETS)}

def with_val():
    return {"train": (INPUTS, TARGETS), "val": loader()}

def only_val():
    return {"val": pair()}

def told(split, data_dir, image_size):
    return torch.full((2, 1), image_size or -1), torch.tensor([len(split), len(data_dir or "")])

def regression():
    return INPUTS, INPUTS.flatten(1).sum(1)

def int32():
    return INPUTS, TARGETS.int()

def bytes_():
    return INPUTS.to(torch.uint8), TARGETS

def number():
    return 3

def text_batches():
    return [(["a", "b"], TARGETS[:2])]

def two_inputs():
    return [((INPUTS, INPUTS), TARGETS)]

def uneven():
    return INPUTS, TARGETS[:4]

def nothing():
    return []

def triples():
    return [(INPUTS, TARGETS, TARGETS)]
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "mine.py"
    path.write_text(FILE)
    return path


def load(file, function, split="train", **settings):
    return load_data(DataSettings(data=f"{file}:{function}", **settings), split)


def refused(settings, split="train"):
    with pytest.raises(InputError) as caught:
        load_data(settings, split)
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "meant"), [("train", "train"), ("test", "test"), ("val", "test")]
)
def test_splits(given, meant):
    assert canonical_split(given) == meant


def test_an_unknown_split():
    with pytest.raises(InputError, match="unknown split 'dev'; expected train, test or val"):
        canonical_split("dev")


def test_digits():
    train, test = (load_data(DataSettings(data="digits"), split) for split in ("train", "val"))
    assert (len(train), len(test)) == (1442, 355)
    assert data_facts(train) == {"image_size": 8, "channels": 1, "num_classes": 10}
    assert len(load_data(DataSettings(data="digits", image_size=8), "train")) == 1442


def test_an_image_folder(tmp_path):
    for k, name in enumerate(["train/a/0", "train/b/0", "test/a/0", "test/b/0"]):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(parents=True)
        pixels = np.random.default_rng(k).integers(0, 256, (10, 14, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    settings = DataSettings(
        data="imagefolder", data_dir=str(tmp_path), image_size=8, mean=(0.1, 0.2, 0.3), std=(2.0,)
    )
    samples = load_data(settings, "val")
    assert data_facts(samples) == {"image_size": 8, "channels": 3, "num_classes": 2}
    assert samples.normalization.mean == (0.1, 0.2, 0.3)
    assert samples.normalization.std == (2.0,)
    as_it_is = load_data(DataSettings(data="imagefolder", data_dir=str(tmp_path)), "train")
    assert data_facts(as_it_is)["image_size"] == 10


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (DataSettings(data="digit"), "unknown data: 'digit'; did you mean digits? expected --data"),
        (DataSettings(data="imagefolders"), "did you mean imagefolder?"),
        (DataSettings(data="zebra"), "unknown data: 'zebra'; expected --data digits, cifar10, "),
        (DataSettings(), "unknown data: none was named"),
        (DataSettings(data="imagefolder"), "--data imagefolder needs --data-dir DIR"),
        (DataSettings(data="digits", image_size=16), "digits are 8x8 pixels; --image-size 16"),
        (DataSettings(data="digits", image_size=-1), "--image-size has to be positive, got -1"),
        (DataSettings(data="digits", mean=(0.5,)), "--mean and --std have to be given together"),
        (DataSettings(data="digits", std=(0.5,)), "--mean and --std have to be given together"),
        (DataSettings(data="digits", mean=(0.5,), std=(0.0,)), "--std has to be positive, got 0"),
        (DataSettings(data="digits", mean=(0.5,), std=(-1.0,)), "--std has to be positive"),
        (DataSettings(data="absent.py:load"), "no such file: absent.py"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_can_not_be_had(settings, message):
    assert message in refused(settings)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e38])
@pytest.mark.parametrize("name", ["mean", "std", "crop"])
def test_numbers_that_no_pixels_can_be_computed_with(name, value):
    number = value if name == "crop" else (value,)
    with pytest.raises(InputError, match=f"--{name} has to be a finite number"):
        DataSettings(data="digits", **{name: number})


def test_as_many_means_as_channels():
    samples = load_data(DataSettings(data="digits", mean=(0.5, 0.5, 0.5), std=(1.0,)), "train")
    with pytest.raises(InputError, match="--mean and --std take 1 or 1 numbers.*got 3"):
        samples.fetch(torch.tensor([0]))


@pytest.mark.parametrize(
    "function", ["pair", "dataset", "loader", "iterable", "batches", "by_split"]
)
def test_what_a_function_may_return(file, function):
    samples = load(file, function)
    assert isinstance(samples, TensorSamples)
    assert torch.equal(samples.fetch(torch.arange(6)), torch.arange(24.0).view(6, 1, 2, 2))
    assert samples.targets.tolist() == [0, 1, 2, 0, 1, 2]
    assert samples.input_shape == (1, 2, 2)
    assert data_facts(samples) == {"image_size": 2, "channels": 1, "num_classes": 3}


def test_a_dict_is_by_split(file):
    assert load(file, "by_split", "test").inputs.min() == 100
    assert load(file, "by_split", "val").inputs.min() == 100
    assert load(file, "with_val", "test").inputs.min() == 0


def test_a_dict_without_the_split(file):
    message = refused(DataSettings(data=f"{file}:only_val"))
    assert "only_val has no split 'train', only val" in message


def test_a_function_is_told_what_it_asks_for(file):
    samples = load(file, "told", "val", data_dir="/four", image_size=7)
    assert samples.targets.tolist() == [len("test"), len("/four")]
    assert samples.inputs.tolist() == [[7], [7]]
    samples = load(file, "told", "train")
    assert samples.targets.tolist() == [len("train"), 0]
    assert samples.inputs.tolist() == [[-1], [-1]]


def test_real_targets_have_no_classes(file):
    assert data_facts(load(file, "regression")) == {"image_size": 2, "channels": 1}


def test_mean_and_std_are_for_what_a_function_returns_too(file):
    samples = load(file, "pair", mean=(2.0,), std=(4.0,))
    expected = (torch.arange(24.0).view(6, 1, 2, 2) - 2) / 4
    assert torch.equal(samples.fetch(torch.arange(6)), expected)
    from_bytes = load(file, "bytes_", mean=(0.0,), std=(1.0,)).fetch(torch.arange(6))
    torch.testing.assert_close(from_bytes, torch.arange(24.0).view(6, 1, 2, 2) / 255)


def test_class_numbers_of_any_integer_type_will_do(file):
    """Cross-entropy takes int64 and bytes only; int32 is what numpy and others often give."""
    samples = load(file, "int32")
    assert samples.targets.tolist() == [0, 1, 2, 0, 1, 2]
    assert samples.targets.dtype == torch.int64


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("number", "has to be a pair of tensors, a Dataset or an iterable"),
        ("text_batches", "batches have to be made of tensors, got str"),
        ("uneven", "6 inputs do not match 4 targets"),
        ("nothing", "the data holds no samples"),
        ("triples", "a batch has to be a pair (inputs, targets)"),
        ("absent", "has no function 'absent'"),
    ],
)
def test_what_a_function_may_not_return(file, function, message):
    assert message in refused(DataSettings(data=f"{file}:{function}"))


def test_inputs_of_several_tensors_stay_together(file):
    samples = load(file, "two_inputs")
    assert isinstance(samples, BatchedSamples)
    assert (len(samples), samples.input_shape, count_classes(samples)) == (6, (), 3)
    few = samples.take(torch.tensor([1, 4]))
    (left, right), targets = few.as_data()
    assert torch.equal(targets, samples.targets[[1, 4]])
    assert len(left) == len(right) == 2
    with pytest.raises(InputError, match="one tensor"):
        samples.fetch(torch.arange(2))

"""Files of weights with flipped bytes and edits: the same weights, or one line."""

import io
import zipfile

import numpy as np
import pytest
import torch

from landscape.checkpoints.contents import read_contents
from landscape.checkpoints.foreign.archives import check_archive
from landscape.checkpoints.load import load_checkpoint
from landscape.checkpoints.release import release_run
from landscape.checkpoints.run import EPOCHS, LAST, RELEASED_WEIGHTS, RunDirectory
from landscape.cli import main as train
from landscape.errors import InputError
from tests.commands import assert_one_line, content, status_of
from tests.fuzz.damage import edits, flips, truncations
from tests.fuzz.outcomes import CASES, bounded, outcomes_of

DAMAGES = (flips, edits, truncations)


def plain(value):
    """Tensors and arrays as types and values that == compares, at any depth."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, torch.Tensor | np.ndarray):
        return str(value.dtype), value.tolist()
    return value


def assert_never_other(file, damage, read):
    """Whatever the damage, what is read is what was saved."""
    intact = plain(read())
    cases = damage(file.read_bytes(), CASES, seed=1)
    outcomes = outcomes_of(file, cases, read, is_same=lambda found: plain(found) == intact)
    outcomes.assert_within_bounds()
    outcomes.assert_none("other")


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", [LAST, f"{EPOCHS}/0001.pt"])
def test_the_files_of_a_training_are_never_read_as_others(run, name, damage):
    assert_never_other(run / name, damage, lambda: RunDirectory(run).load(name))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_release_is_never_read_as_another(run, tmp_path, damage):
    file = release_run(run, tmp_path / "released")
    assert file.name == RELEASED_WEIGHTS
    assert_never_other(file, damage, lambda: read_contents(file))


@pytest.fixture
def state(run):
    return {name: value.numpy() for name, value in RunDirectory(run).load(LAST)["model"].items()}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_file_is_never_read_as_another(state, tmp_path, save, damage):
    file = tmp_path / "weights.npz"
    save(file, **state)
    assert_never_other(file, damage, lambda: read_contents(file))


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["legacy.pt", "plain.safetensors"])
def test_formats_without_checksums_are_read_or_told_in_one_line(state, tmp_path, name, damage):
    file = tmp_path / name
    tensors = {key: torch.from_numpy(value) for key, value in state.items()}
    if name.endswith(".pt"):
        torch.save(tensors, file, _use_new_zipfile_serialization=False)
    else:
        file.write_bytes(pytest.importorskip("safetensors.torch").save(tensors))
    cases = damage(file.read_bytes(), CASES, seed=1)
    outcomes_of(file, cases, lambda: read_contents(file)).assert_within_bounds()


def flip_in(file, marker, offset=0):
    """Flip a bit at a place in a file."""
    changed = bytearray(file.read_bytes())
    changed[changed.index(marker) + offset] ^= 1
    file.write_bytes(bytes(changed))


def test_a_flipped_weight_is_told_of_by_every_command(run, capsys):
    file = run / LAST
    weight = RunDirectory(run).load(LAST)["model"]["head.weight"]
    flip_in(file, weight.numpy().tobytes(), 5)
    torch.load(file, weights_only=True)  # which does not notice
    before = content(run)
    with pytest.raises(InputError, match=r"last.pt is damaged: its record .*data/"):
        load_checkpoint(run)
    assert status_of(train, "--resume", "--output-dir", run) == 2
    error = capsys.readouterr().err
    assert_one_line(error, "landscape-train")
    assert "Bad CRC-32" in error
    assert content(run) == before


def test_files_that_torch_saved_without_checksums_still_open(tmp_path):
    file = tmp_path / "a.pt"
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"w": torch.arange(5.0)}, file)
    finally:
        torch.serialization.set_crc32_options(True)
    assert torch.equal(read_contents(file)["w"], torch.arange(5.0))


def test_a_release_without_a_checksum_still_opens(state, tmp_path):
    tensors = {key: torch.from_numpy(value) for key, value in state.items()}
    file = tmp_path / "model.safetensors"
    file.write_bytes(pytest.importorskip("safetensors.torch").save(tensors))
    assert plain(read_contents(file)) == plain(tensors)


def zeros(count):
    """The bytes of an array of zeros."""
    stream = io.BytesIO()
    np.save(stream, np.zeros(count, np.float32))
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["npz", "torch"])
def test_what_would_unpack_to_far_more_is_refused_before(tmp_path, kind):
    file = tmp_path / "bomb"
    block = zeros(2**24) if kind == "npz" else bytes(2**26)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        if kind == "torch":
            archive.writestr("bomb/data.pkl", b"\x80\x02}.")
        for number in range(5):
            name = f"a{number}.npy" if kind == "npz" else f"bomb/data/{number}"
            archive.writestr(name, block)
    with (
        pytest.raises(InputError, match=r"would unpack to 335,544,\d{3}, expected at most"),
        bounded(5, 2**27),
    ):
        read_contents(file)


def test_a_header_that_says_another_size_than_the_data_is_refused(tmp_path):
    file = tmp_path / "a.npz"
    content = zeros(8).replace(b"(8,)", b"(6,)")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.npy", content)
    assert np.load(file)["a"].shape == (6,)  # numpy reads no further
    with pytest.raises(InputError, match=r"a\.npy is not of the size that it says"):
        read_contents(file)


def test_an_archive_whose_end_says_another_number_of_records_is_refused(state, tmp_path):
    file = tmp_path / "a.npz"
    np.savez(file, **state)
    flip_in(file, b"PK\x05\x06", 10)
    with pytest.raises(InputError, match="not as many records as its end says"):
        read_contents(file)


def test_two_records_of_one_name_are_refused(tmp_path):
    file = tmp_path / "a.pt"
    torch.save({"w": torch.ones(2)}, file)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(file, "a") as archive:
        archive.writestr("a/data/0", bytes(8))
    with pytest.raises(InputError, match="two records have one name"):
        check_archive(file)


WRONG_STATES = {
    "model": ([1], "model has to be weights by name, got list"),
    "optimizer": ({}, "optimizer has to be the state of an optimizer, got dict"),
    "epoch": (7, "epoch has to be the number of rows in metrics, got int"),
    "metrics": ([{"epoch": "1"}], "metrics has to be a row of numbers for each epoch, got list"),
    "records": (torch.zeros(3), "records has to be 4 numbers for each step, got Tensor"),
    "ema": (None, "ema has to be averaged weights and the number of updates, got NoneType"),
}


@pytest.mark.parametrize("entry", WRONG_STATES)
def test_a_state_with_an_entry_of_another_type_is_refused(run, entry, capsys):
    value, message = WRONG_STATES[entry]
    state = {**RunDirectory(run).load(LAST), entry: value}
    RunDirectory(run).save(LAST, state)
    before = content(run)
    assert status_of(train, "--resume", "--output-dir", run) == 2
    error = capsys.readouterr().err
    assert_one_line(error, "landscape-train")
    assert f"its entry {message}" in error
    assert content(run) == before


def test_the_state_of_another_network_is_refused(run, capsys):
    state = RunDirectory(run).load(LAST)
    for moments in state["optimizer"]["state"].values():
        moments["exp_avg"] = torch.zeros(3)
    RunDirectory(run).save(LAST, state)
    assert status_of(train, "--resume", "--output-dir", run) == 2
    error = capsys.readouterr().err
    assert_one_line(error, "landscape-train")
    assert "exp_avg of the optimizer has shape (3,)" in error

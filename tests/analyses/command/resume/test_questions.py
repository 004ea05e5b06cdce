"""Points and surfaces of another question are kept, and not mixed in."""

import h5py

from tests.analyses.command.resume.surfaces import (
    GRID,
    assert_equal,
    bits,
    interrupt,
    journal_of,
    write_weights,
)


def test_a_changed_grid_keeps_the_old_surface(warm, subject, measured):
    before = (measured / "net" / "surface.h5").read_bytes()
    headline = (measured / "net" / "surface.json").read_bytes()
    words = ("surface", *subject, "--y=-1:1:9", "--output-dir", measured)
    text = warm.run(*words, "--x=-1:1:7")
    assert (
        f"{measured}/net/surface.h5 was measured differently (x -1:1:9, now -1:1:7): "
        "kept as surface.1.h5"
    ) in text
    assert (measured / "net" / "surface.1.h5").read_bytes() == before
    assert (measured / "net" / "surface.1.json").read_bytes() == headline
    with h5py.File(measured / "net" / "surface.h5") as file:
        assert file["train_loss"].shape == (9, 7)
    assert "kept as surface.2.h5" in warm.run(*words, "--x=-1:1:5")


def test_a_changed_setting_keeps_the_old_points(warm, subject, unkilled, tmp_path):
    interrupt(warm, tmp_path, *subject, *GRID, "--seed", "1")
    before = journal_of(tmp_path).read_bytes()
    text = warm.run("surface", *subject, *GRID, "--output-dir", tmp_path)
    assert f"{journal_of(tmp_path)} belongs to another question (seed 1, now 0" in text
    assert "kept as surface.1.journal" in text
    assert "Resuming" not in text
    aside = tmp_path / "net" / "surface.1.journal"
    assert aside.read_bytes() == before
    aside.unlink()
    assert_equal(tmp_path, unkilled[0])


def test_what_is_measured_is_not_measured_again(warm, subject, measured, unkilled):
    path = measured / "net" / "surface.h5"
    words = ("surface", *subject, *GRID, "--output-dir", measured)
    with h5py.File(path) as file:
        before = file.attrs["provenance"]
    text = warm.run(*words)
    assert "net: surface is already measured" in text
    assert_equal(measured, unkilled[0])
    with h5py.File(path) as file:
        assert file.attrs["provenance"] == before
    text = warm.run(*words, "--force")
    assert "net: measuring surface" in text
    assert_equal(measured, unkilled[0])
    with h5py.File(path) as file:
        assert file.attrs["provenance"] != before
    assert not (measured / "net" / "surface.1.h5").exists()


def test_force_begins_anew(warm, subject, unkilled, tmp_path):
    interrupt(warm, tmp_path, *subject, *GRID)
    text = warm.run("surface", *subject, *GRID, "--force", "--output-dir", tmp_path)
    assert "Resuming" not in text
    assert_equal(tmp_path, unkilled[0])


def test_a_checkpoint_that_a_line_leads_to_has_changed(warm, subject, tmp_path):
    other = write_weights(tmp_path / "other.pth", 1)
    words = ("line", *subject, "--x=0:1:3", "--toward-x", other, "--output-dir", tmp_path)
    warm.run(*words)
    before = bits(tmp_path / "net" / "line.h5")
    write_weights(other, 2)
    text = warm.run(*words)
    assert "already measured" not in text
    assert bits(tmp_path / "net" / "line.h5")["train_loss"] != before["train_loss"]

"""``landscape-plot show`` prints what a file holds, and commands that repeat it."""

import json
import re
import shlex
from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

import analyses
from analyses import catalog
from analyses.catalog import known_analyses
from analyses.command.arguments import build_parser
from analyses.command.repetition import flag_words
from analyses.headline_numbers import HeadlineEntry
from analyses.inspection.again import changed_settings
from analyses.inspection.show import number_rows
from landscape.errors import InputError
from landscape.runtime.console import join_ranges
from landscape.runtime.options import read_options
from tests.analyses.command.words import SMALL
from tests.analyses.problems import NAMES, SETTINGS, result
from tests.commands import content
from tests.hdf5_files import arrays_in


def saved(tmp_path, name, seed=0, file="x.h5", **changes):
    path = tmp_path / file
    replace(result(name, seed) if seed else result(name), **changes).save(path)
    return path


def rows_of(out):
    """The rows of each section by their first column."""
    sections, rows = {}, {}
    for line in out.splitlines():
        if line.startswith("  "):
            first, *rest = re.split(r"  +", line.strip())
            rows[first] = rest
        else:
            rows = sections.setdefault(line, {})
    return sections


@pytest.mark.parametrize("name", NAMES)
def test_it_prints_label_arrays_settings_and_provenance(done, tmp_path, name):
    path = saved(tmp_path, name)
    before = content(tmp_path)
    out, err = done("show", "--all", path)
    assert err == ""
    assert content(tmp_path) == before
    sections = rows_of(out)
    assert sections[str(path)]["label"] == ["plain"]
    assert sections[str(path)]["analysis"][0].startswith(f"{name}: ")
    with h5py.File(path) as file:
        stored = {place: item.shape for place, item in arrays_in(file).items()}
        assert {*sections["arrays"]} - {"name"} == set(stored)
        for place, shape in stored.items():
            assert sections["arrays"][place][0] == str(shape)
        provenance = json.loads(file.attrs["provenance"])
    shown = sections["provenance"]
    assert shown["weights (SHA-256)"] == [provenance["weights_sha256"]]
    assert shown["sample (SHA-256)"] == [provenance["sample_sha256"]]
    assert shown["device"] == [provenance["device"]]
    assert provenance["versions"]["torch"] in shown["versions"][0]
    assert provenance["created"] in shown["measured"][0]
    defaults = known_analyses()[name].settings()
    differing = {k for k, v in vars(SETTINGS[name]).items() if v != getattr(defaults, k)}
    assert {*sections["settings that are not the defaults"]} == (differing or {"none"})


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_are_those_of_the_json(done, tmp_path, name):
    path = saved(tmp_path, name)
    shown = rows_of(done("show", "--all", path)[0])["headline numbers"]
    result(name).write_json(tmp_path / "x.json")
    stored = json.loads((tmp_path / "x.json").read_text())
    compared = 0
    for key, value in stored.items():
        if isinstance(value, float) and key in shown and f"{key}_stderr" not in stored:
            number = float(re.match(r"[-+.\de]+", shown[key][0])[0])
            if "±" not in shown[key][0]:
                assert number == pytest.approx(value, rel=6e-4, abs=1e-300)
                compared += 1
        if isinstance(value, float) and isinstance(stored.get(f"{key}_stderr"), float):
            number, error = shown[key][0].split(" ± ")
            assert float(error.split()[0]) == pytest.approx(stored[f"{key}_stderr"], rel=0.06)
            assert float(number) == pytest.approx(value, abs=stored[f"{key}_stderr"])
            compared += 1
    assert compared or name in ("components", "norms", "recursion")


def test_errors_and_units_are_with_the_numbers(done, tmp_path):
    spectrum = result("hessian")
    shown = rows_of(done("show", saved(tmp_path, "hessian"))[0])["headline numbers"]
    value, error = spectrum.eigenvalues[0], spectrum.sampling_errors[0]
    assert shown["lambda_max.eigenvalue"] == [f"{value:.3f} ± {error:.3f} nats"]
    assert shown["loss"] == [f"{spectrum.loss:.3f} ± {spectrum.loss_stderr:.3f} nats"]
    assert shown["converged"] == ["yes"]


def test_long_lists_show_their_ends():
    def row(values, **words):
        entries = [HeadlineEntry(("loss", k), value, unit="nats") for k, value in enumerate(values)]
        return number_rows(entries, **words)

    assert row([1, 2, 3, 4]) == [("loss", "1, 2, 3, 4 nats")]
    assert row(range(200)) == [("loss", "0, 1, 2, …, 199 (200 in all) nats")]
    assert row(range(5), is_whole=True) == [("loss", "0, 1, 2, 3, 4 nats")]
    layers = [HeadlineEntry(("layers", f"block {k}", "norm"), 1.5) for k in range(14)]
    assert number_rows(layers)[-2:] == [
        ("layers.block 10.norm", "1.500"),
        ("layers", "… 3 more entries (--all)"),
    ]
    top = [HeadlineEntry((f"number {k}",), k) for k in range(20)]
    assert len(number_rows(top)) == 20


def test_several_files_are_printed_one_after_the_other(done, tmp_path):
    paths = [saved(tmp_path, name, file=f"{name}.h5") for name in ("norms", "sparsity")]
    out, _ = done("show", *paths)
    assert [line for line in out.splitlines() if line.endswith(".h5") and line[0] != " "] == [
        str(path) for path in paths
    ]


def test_a_surface_of_the_original_tool_has_what_is_known_of_it(done, tmp_path):
    path = tmp_path / "original.h5"
    with h5py.File(path, "w") as file:
        file["xcoordinates"], file["ycoordinates"] = np.linspace(-1, 1, 3), np.linspace(-1, 1, 5)
        file["train_loss"] = np.arange(15.0).reshape(5, 3) + 1
    sections = rows_of(done("show", path)[0])
    assert sections["headline numbers"]["max_loss"] == ["15 nats"]
    assert sections["arrays"]["train_loss"] == ["(5, 3)", "float64", "nats", "y × x"]
    assert sections["provenance"]["written by"] == ["another tool"]
    assert sections["provenance"]["weights (SHA-256)"] == ["unknown"]
    assert sections["again"]["measure again"][0].startswith("unknown: the file names no checkpoint")


def test_nothing_in_a_file_reaches_the_terminal_but_text(done, tmp_path):
    path = saved(tmp_path, "norms", label="red\x1b[31m\nline")
    out, _ = done("show", path)
    assert "\x1b" not in out
    assert r"red\x1b[31m\nline" in out


@pytest.mark.parametrize("value", [7, "x", [1], {"a": 1}, None, -1.5])
def test_a_provenance_may_hold_anything(done, tmp_path, value):
    made = result("norms").provenance
    names = "checkpoint model model_args training training_data data data_dir others metrics "
    names += "samples_available split seed loss evaluation weights_key_given trusted written_by"
    odd = replace(made, origin=dict.fromkeys(names.split(), value))
    path = saved(tmp_path, "norms", provenance=odd)
    assert "parameters.whole network.norm" in done("show", path)[0]
    done("diff", path, saved(tmp_path, "norms", file="y.h5"))


def test_what_is_no_result_is_refused(refused, tmp_path):
    assert "no such result" in refused("show", tmp_path / "absent.h5")
    (tmp_path / "text.h5").write_text("no")
    assert "is not a result" in refused("show", tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["a"] = 1
    path = saved(tmp_path, "norms")
    assert "without a result of this toolkit" in refused("show", path, tmp_path / "other.h5")


@pytest.mark.parametrize("name", NAMES)
def test_flags_give_the_settings_back(name):
    measured = result(name)
    words = flag_words(known_analyses()[name].settings, changed_settings(measured))
    if hasattr(measured.settings, "seed"):
        words += ["--seed", str(measured.settings.seed)]
    parsed = build_parser().parse_args(join_ranges([name, "x.pt", *words]))
    assert read_options(parsed, known_analyses()[name].settings) == measured.settings


def command_in(out):
    line = next(line for line in out.splitlines() if line.strip().startswith("measure again"))
    program, *words = shlex.split(line.replace("measure again", "", 1))
    assert program == "landscape-plot"
    return words


def same_question(before, after):
    assert after.settings == before.settings
    for name in ("weights_sha256", "sample_sha256", "num_samples", "precision"):
        assert getattr(after.provenance, name) == getattr(before.provenance, name)
    for name in ("split", "loss", "seed", "model", "model_args", "data"):
        assert after.provenance.origin.get(name) == before.provenance.origin.get(name), name
    np.testing.assert_equal(after.headline() | {"seconds": 0}, before.headline() | {"seconds": 0})


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("norms", ("--split", "test", "--seed", "3", "--precision", "fp64")),
        ("line", ("--normalize", "layer", "--policy", "all", "--samples", "0")),
        ("sparsity", ("--thresholds", "0.2", "0.5")),
        ("curves", ()),
    ],
)
def test_the_command_measures_the_same_again(done, runs, tmp_path, name, flags):
    words = (*SMALL.get(name, ()), *flags, "--format", "none", "--quiet")
    done(name, f"net={runs[0]}", *words, "--output-dir", tmp_path / "first")
    path = tmp_path / "first" / "net" / f"{name}.h5"
    again = command_in(done("show", path)[0])
    done(*again, "--format", "none", "--quiet", "--output-dir", tmp_path / "second")
    second = analyses.load(tmp_path / "second" / "net" / f"{name}.h5")
    same_question(analyses.load(path), second)


def test_the_command_names_model_and_data_of_a_file_that_is_no_run(done, runs, tmp_path):
    weights = tmp_path / "weights.pt"
    weights.write_bytes((runs[0] / "last.pt").read_bytes())
    told = ("--model", "vit-tiny", "--model-args", "depth=1", "dim=16", "--data", "digits")
    words = ("--samples", "48", "--format", "none", "--quiet")
    done("norms", weights, *told, *words, "--output-dir", tmp_path / "first")
    path = tmp_path / "first" / "weights" / "norms.h5"
    again = command_in(done("show", path)[0])
    assert {"--model", "--data", "--samples"} <= {*again}
    done(*again, "--format", "none", "--quiet", "--output-dir", tmp_path / "second")
    same_question(analyses.load(path), analyses.load(tmp_path / "second" / "weights" / "norms.h5"))


def test_the_command_of_a_pair_names_both(done, runs, tmp_path):
    words = ("--x=0:1:3", "--samples", "48", "--format", "none", "--quiet")
    done("interpolate", *runs, *words, "--output-dir", tmp_path / "first")
    (path,) = (tmp_path / "first").glob("*/interpolate.h5")
    again = command_in(done("show", path)[0])
    done(*again, "--format", "none", "--quiet", "--output-dir", tmp_path / "second")
    (second,) = (tmp_path / "second").glob("*/interpolate.h5")
    same_question(analyses.load(path), analyses.load(second))


@pytest.mark.parametrize("name", catalog.OTHER_SUBCOMMANDS)
def test_no_analysis_takes_the_name_of_another_subcommand(monkeypatch, name):
    known = catalog.known_analyses()
    taken = replace(known["norms"], name=name)
    entry = SimpleNamespace(name="x", value="x:ANALYSIS", load=lambda: taken)
    monkeypatch.setattr(catalog, "entry_points", lambda group: [entry])
    with pytest.raises(InputError, match=f"x:ANALYSIS is called '{name}', a name that is taken"):
        catalog.known_analyses.__wrapped__()


def test_every_subcommand_is_an_analysis_or_known_to_be_none():
    (commands,) = build_parser()._subparsers._group_actions
    assert set(commands.choices) == {*catalog.known_analyses(), *catalog.OTHER_SUBCOMMANDS}

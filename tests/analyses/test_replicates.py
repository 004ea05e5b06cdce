"""Replicates: what they are called, how they are found, and the rows that show them together."""

import copy
import pickle
from dataclasses import replace

import pytest

from analyses.drawing.numbers import NumberText, number, with_error, with_residual
from analyses.drawing.shared_axes import curves_of
from analyses.replicate_rows import average_replicates
from analyses.replicates import (
    by_group,
    examples_of,
    group_of,
    name_of,
    replicate_labels,
    seed_of,
)
from landscape.errors import InputError
from tests.analyses.report.paper.planted import measured_spectrum


def result_of(label, seed=None, weights="", **changes):
    """A result of a run of landscape-train, with all its settings in the provenance."""
    measured = measured_spectrum()
    training = {"seed": seed, "rho": 0.0, "lr": 0.1, "device": "cpu"} if seed is not None else None
    origin = {
        "model": "vit",
        "model_args": {"dim": 8},
        "training": {**training, **changes} if training else None,
        "training_data": {"data": "digits"},
        "checkpoint": f"{label}/last.pt",
    }
    provenance = replace(
        measured.provenance, origin=origin, weights_sha256=weights or f"weights of {label}"
    )
    return replace(measured, label=label, provenance=provenance)


def results_of(*labels):
    return [result_of(label) for label in labels]


def labels_of(*results):
    return replicate_labels({"hessian": results})


def test_names():
    assert [group_of(label) for label in ("vit/seed-0", "vit")] == ["vit", "vit"]
    assert [name_of(label) for label in ("vit/seed-0", "vit")] == ["seed-0", ""]
    assert [seed_of(result_of(label)) for label in ("vit/seed-3", "vit/b", "seed-3")] == [
        3, None, None,
    ]  # fmt: skip
    assert seed_of(result_of("vit/seed-3", seed=4)) == 4


def test_runs_that_differ_in_their_seed_alone_are_found(caplog):
    caplog.set_level("INFO")
    members = [result_of(f"vit-s{seed}", seed, device=f"cuda:{seed}") for seed in (0, 1, 2)]
    others = [result_of("vit-b", 3, lr=0.2), result_of("sam", 0, rho=0.1), result_of("foreign")]
    assert labels_of(*members, *others) == {
        "vit-s0": "vit/vit-s0",
        "vit-s1": "vit/vit-s1",
        "vit-s2": "vit/vit-s2",
    }
    assert caplog.messages == [
        "vit-s0, vit-s1, vit-s2 are replicates, trained alike but for the seed: shown as vit"
    ]


@pytest.mark.parametrize(
    "others",
    [
        [result_of("b", 1, lr=0.2)],
        [result_of("b", 0)],
        [result_of("b")],
        [replace(result_of("b", 1), provenance=result_of("other", 1, lr=2).provenance)],
    ],
    ids=["other settings", "the same seed", "unknown training", "another rate"],
)
def test_other_runs_are_no_replicates(others):
    assert labels_of(result_of("a", 0), *others) == {}


def test_a_group_has_a_name_of_its_own():
    """Labels without a common beginning, and a common beginning that is another's label."""
    assert labels_of(result_of("a", 0), result_of("b", 1)) == {"a": "a/a", "b": "a/b"}
    numbered = [result_of(f"vit-s{seed}", seed) for seed in (10, 11)]
    assert labels_of(*numbered) == {"vit-s10": "vit/vit-s10", "vit-s11": "vit/vit-s11"}
    taken = [result_of("vit1", 0), result_of("vit2", 1), result_of("vit", 0, lr=7)]
    assert labels_of(*taken) == {
        "vit1": "vit1 and others/vit1",
        "vit2": "vit1 and others/vit2",
    }


def test_a_group_can_not_hold_two_architectures():
    other = result_of("vit/b", 1)
    other.provenance.origin["model"] = "mixer"
    with pytest.raises(InputError, match=r"'vit' can't have .* a is a vit, b a mixer$"):
        labels_of(result_of("vit/a", 0), other)
    other.provenance.origin.update(model="vit", model_args={"dim": 9})
    with pytest.raises(InputError, match="of other sizes$"):
        labels_of(result_of("vit/a", 0), other)


def test_a_group_can_not_hold_a_network_twice():
    with pytest.raises(InputError, match="a and b of 'vit' are the same network"):
        labels_of(result_of("vit/a", 0, "same"), result_of("vit/b", 0, "same"))
    with pytest.raises(InputError, match="a and b of 'vit' have the same seed, 0;"):
        labels_of(result_of("vit/a", 0), result_of("vit/b", 0))
    with pytest.raises(InputError, match="'vit' is the label of a network and of 1 replicates"):
        labels_of(result_of("vit/a", 0), result_of("vit", 1))


def test_a_group_that_was_not_trained_alike_is_told(caplog):
    labels_of(result_of("vit/a", 0), result_of("vit/b", 1, lr=0.3, rho=0.1))
    assert caplog.messages == [
        "a and b of vit were not trained alike: they differ in lr, rho, and are taken for "
        "replicates because of their label"
    ]


def test_groups_and_examples():
    results = [result_of(label) for label in ("a/seed-1", "b", "a/seed-0", "c/x")]
    assert [[result.label for result in members] for members in by_group(results)] == [
        ["a/seed-1", "a/seed-0"],
        ["b"],
        ["c/x"],
    ]
    assert [result.label for result in examples_of(results)] == [
        "a, seed-1 (1 of 2 runs)",
        "b",
        "c/x",
    ]


def test_results_of_one_label_are_no_replicates():
    """Objectives that were given no label all have the same."""
    results = [result_of("model"), result_of("model")]
    assert by_group(results) == [[results[0]], [results[1]]]
    assert examples_of(results) == results
    first, second = curves_of(results)
    assert first.colour != second.colour
    rows = [{"c": "model", "n": number(1.0)}, {"c": "model", "n": number(2.0)}]
    assert average_replicates({"": rows}, results) == {"": rows}


def test_networks_of_several_sizes_are_no_replicates():
    """Such as google/vit and google/mixer, which are labels from Python."""
    small, large = result_of("google/vit"), result_of("google/mixer")
    large = replace(large, provenance=replace(large.provenance, num_parameters=7))
    assert by_group([small, large]) == [[small], [large]]


def test_replicates_have_one_style_and_one_name():
    curves = curves_of([result_of(label) for label in ("a/1", "b", "a/2")])
    assert [curve.name for curve in curves] == ["a (2 runs)", "b", "a (2 runs)"]
    assert curves[0].style == curves[2].style
    assert curves[0].style["alpha"] < 1
    assert "alpha" not in curves[1].style
    assert curves[0].colour != curves[1].colour
    assert [curve.offset for curve in curves] == [-0.25, 0.25, -0.25]


ROWS = [
    {"checkpoint": "a/1", "λ": with_error(1.0, 0.5), "of": "8", "found": number(3.0), "note": "x"},
    {"checkpoint": "b", "λ": with_error(9.0, 0.5), "of": "8", "found": number(4.0), "note": "z"},
    {"checkpoint": "a/2", "λ": with_error(4.0, 0.5), "of": "8", "found": "none", "note": "y"},
]


def test_replicates_share_a_row_of_means_and_deviations():
    tables = average_replicates({"T": ROWS}, results_of("a/1", "b", "a/2"))
    assert tables == {
        "T": [
            {
                "checkpoint": "a, mean ± SD of 2 runs",
                "λ": "2.5 ± 2.1",
                "of": "8",
                "found": "3.00; none",
                "note": "x; y",
            },
            ROWS[1],
        ]
    }
    assert average_replicates({"T": ROWS[:2]}, results_of("a/1", "b")) == {"T": ROWS[:2]}


def test_a_number_keeps_its_value_in_words_around_it():
    around = NumberText("3.0 at x", 3.0, "{} at x")
    rows = [{"c": "a/1", "n": around}, {"c": "a/2", "n": NumberText("5.0 at x", 5.0, "{} at x")}]
    (row,) = average_replicates({"": rows}, results_of("a/1", "a/2"))[""]
    assert row["n"] == "4.0 ± 1.4 at x"
    other = [{"c": "a/1", "n": around}, {"c": "a/2", "n": NumberText("5.0 at y", 5.0, "{} at y")}]
    assert (
        average_replicates({"": other}, results_of("a/1", "a/2"))[""][0]["n"]
        == "3.0 at x; 5.0 at y"
    )


def test_a_number_is_copied_with_its_value():
    text = with_error(1.0, 0.5).within("{} at x")
    for copied in (copy.deepcopy(text), pickle.loads(pickle.dumps(text))):
        assert (copied, copied.value, copied.form) == ("1.00 ± 0.50 at x", 1.0, "{} at x")


def test_numbers_that_are_printed_alike_have_a_deviation_of_their_own():
    rows = [{"c": "a/1", "n": with_error(99.71, 0.3)}, {"c": "a/2", "n": with_error(99.72, 0.3)}]
    (row,) = average_replicates({"": rows}, results_of("a/1", "a/2"))[""]
    assert row["n"] == "99.7150 ± 0.0071"


def test_a_number_that_is_the_same_in_each_has_its_own_error():
    rows = [{"c": f"a/{k}", "n": with_error(190.0, 32.0)} for k in (1, 2)]
    (row,) = average_replicates({"": rows}, results_of("a/1", "a/2"))[""]
    assert row["n"] == "190 ± 32 in each"


def test_a_remark_of_one_replicate_is_kept():
    rows = [
        {"c": "a/1", "n": with_residual(2.0, 1e-3, True)},
        {"c": "a/2", "n": with_residual(4.0, 1e-1, False)},
    ]
    (row,) = average_replicates({"": rows}, results_of("a/1", "a/2"))[""]
    assert row["n"] == "2.000 (1e-03); 4.0 (1e-01), not converged"


def test_numbers_that_are_not_finite_are_listed():
    rows = [{"c": "a/1", "n": number(1.0)}, {"c": "a/2", "n": number(float("nan"))}]
    assert average_replicates({"": rows}, results_of("a/1", "a/2"))[""][0]["n"] == "1.00; nan"

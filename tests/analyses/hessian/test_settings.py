"""The settings of Hessian spectra: refusals, --quick, and the note on costs."""

import math
from dataclasses import replace

import pytest

from analyses import hessian
from analyses.command.arguments import build_parser
from analyses.hessian.settings import Settings
from landscape.errors import InputError
from landscape.parameters.components import components
from landscape.results.fingerprint import fingerprint
from landscape.runtime.options import from_plain, read_options, to_plain
from tests.analyses.case_objectives import case_objective
from tests.analyses.problems import objective

EIGENVALUES_ALONE = Settings(probes=0, components="none")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"top": 0}, "--top has to be at least 1, got 0"),
        ({"max_steps": 0}, "--max-steps has to be at least 1"),
        ({"density_steps": -1}, "--density-steps has to be at least 1"),
        ({"probes": -1}, "--probes can't be negative"),
        ({"tol": 0.0}, "--tol has to be positive"),
        ({"tol": -1e-3}, "--tol has to be positive"),
        ({"tol": math.nan}, "--tol has to be positive"),
        ({"l2": -1.0}, "--l2 has to be finite and not negative, got -1"),
        ({"l2": math.nan}, "--l2 has to be finite and not negative, got nan"),
        ({"l2": math.inf}, "--l2 has to be finite and not negative, got inf"),
        ({"which": "ends", "method": "power"}, "--which ends is for lanczos, got --method power"),
        ({"l2": 0.1, "method": "pyhessian"}, "--method pyhessian knows neither"),
        ({"matrix": "ggn", "method": "pyhessian"}, "--method pyhessian knows neither"),
        ({"group": ("a",)}, "--group takes NAME=REGEX, got 'a'"),
        ({"group": ("a=",)}, "--group takes NAME=REGEX"),
        ({"group": ("a=x", "a=y")}, "--group names 'a' twice"),
    ],
)
def test_settings_that_ask_for_nothing_are_refused(changed, message):
    with pytest.raises(InputError, match=message):
        Settings(**changed)


# ------------------------------------------------------------------------------------- --quick


def from_flags(*flags):
    return read_options(build_parser().parse_args(["hessian", "a.pt", *flags]), Settings)


@pytest.mark.parametrize(
    ("quick", "long"),
    [
        (("--quick",), ("--probes", "0", "--components", "none")),
        (("--quick", "--top", "2"), ("--top", "2", "--probes", "0", "--components", "none")),
    ],
)
def test_quick_is_short_for_other_flags(quick, long):
    settings = from_flags(*quick)
    assert settings == from_flags(*long)
    assert (settings.probes, settings.components, settings.quick) == (0, "none", False)


def test_quick_is_neither_stored_nor_part_of_the_question():
    settings = Settings(quick=True)
    stored = to_plain(settings)
    assert "quick" not in stored
    assert stored == to_plain(EIGENVALUES_ALONE)
    assert from_plain(Settings, stored) == settings
    provenance = objective().provenance(0.0)
    assert fingerprint(settings, provenance) == fingerprint(EIGENVALUES_ALONE, provenance)


def test_settings_made_from_quick_ones_can_ask_for_more():
    assert replace(Settings(quick=True), probes=3) == replace(EIGENVALUES_ALONE, probes=3)


def test_a_quick_spectrum_has_eigenvalues_alone(tmp_path):
    spectrum = hessian.compute(objective(), Settings(top=2, quick=True))
    assert spectrum.eigenvalues.shape == (2,)
    assert spectrum.quadrature.nodes.size == 0
    assert spectrum.components.names == ()
    spectrum.save(tmp_path / "hessian.h5")
    assert hessian.Spectrum.load(tmp_path / "hessian.h5").settings == spectrum.settings


# ----------------------------------------------------------------------------------- the costs


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        (
            Settings(),
            "about 240 Hessian products for density and trace, more for 5 eigenvalues and the "
            "components; --quick gives the eigenvalues alone, --probes 0 and --components none "
            "leave out their parts",
        ),
        (
            Settings(top=1, probes=2, density_steps=7, components="none"),
            "about 14 Hessian products for density and trace, more for 1 eigenvalue; --quick "
            "gives the eigenvalues alone",
        ),
        (
            Settings(probes=0),
            "Hessian products for 5 eigenvalues and the components; --quick gives the "
            "eigenvalues alone",
        ),
        (EIGENVALUES_ALONE, ""),
        (Settings(quick=True), ""),
    ],
)
def test_the_note_says_what_can_be_left_out(settings, note):
    assert settings.cost_note == note


def test_the_command_says_what_a_spectrum_costs(done, runs, tmp_path):
    words = (runs[0], "--samples", "16", "--top", "1", "--format", "none")
    _, err = done("hessian", *words, "--output-dir", tmp_path / "quick", "--quick")
    assert "plain: measuring hessian\n" in err
    words = (*words, "--probes", "1", "--density-steps", "2", "--components", "none")
    _, err = done("hessian", *words, "--output-dir", tmp_path / "longer")
    assert "plain: measuring hessian: about 2 Hessian products for density and trace" in err


def test_a_group_has_not_the_name_of_a_component():
    objective = case_objective("vit")
    name = next(iter(components(objective.module, objective.layout)))
    settings = Settings(top=1, probes=0, group=(f"{name}=bias$",))
    with pytest.raises(InputError, match=f"{name!r}, which is a component"):
        hessian.compute(objective, settings)
    alone = replace(settings, components="none")
    assert hessian.compute(objective, alone).components.names == (name,)

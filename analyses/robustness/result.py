"""The result of the robustness analysis: which pictures are classified correctly."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from analyses.robustness.settings import Settings
from landscape.data.corruptions.catalog import SEVERITIES
from landscape.results.provenance import Provenance
from landscape.results.result import Array, Result
from landscape.robustness.scores import Score, score_of

Bools = NDArray[np.bool_]

# The attacks by the names of their arrays, with their titles.
ATTACKS = {"fgsm": "FGSM", "pgd": "PGD"}
# The fields of a score with their units.
COLUMNS = {
    "accuracy": "%",
    "standard_error": "%",
    "samples": "",
    "among_present": "%",
    "among_present_error": "%",
}


@dataclass(frozen=True)
class Robustness(Result):
    """Which of N pictures are classified correctly, and accuracies on further sets.

    Args:
        loss: the loss on the unmodified pictures.
        loss_stderr: its sampling error.
        correct: (N,), whether each unmodified picture is classified correctly.
        families: the names of F families of corruption.
        corrupted: (N, F, 5), the same after each family at each of five severities.
        radii: (R,), the radii of the attacks, in 1/255 of the range of pixels.
        fgsm: (N, R), the same under FGSM.
        pgd: (N, R), the same under PGD.
        sets: the scores on further sets by name. ImageNet-C in folders has its mean under its own
            name, and each corruption under NAME/FAMILY/SEVERITY.
    """

    loss: float
    loss_stderr: float
    correct: Bools
    families: tuple[str, ...]
    corrupted: Bools
    radii: NDArray[np.float64]
    fgsm: Bools
    pgd: Bools
    sets: dict[str, Score]

    analysis: ClassVar[str] = "robustness"
    settings_type: ClassVar[type[Any]] = Settings
    coordinates: ClassVar[tuple[str, ...]] = ("families", "severities", "radii", "sets")

    def arrays(self) -> dict[str, Array]:
        """Which pictures are classified correctly, and the accuracies that follow."""
        sample, by_radius = ("sample",), ("sample", "radius")
        grid = ("family", "severity")
        by_family = [
            [_score(correct) for correct in family.T] for family in self._corrupted_by_family()
        ]
        arrays = {
            "loss": Array(np.float64(self.loss), self.provenance.loss_unit),
            "loss_stderr": Array(np.float64(self.loss_stderr), self.provenance.loss_unit),
            "correct": Array(self.correct, "", sample),
            "families": Array(np.array(self.families, dtype=object), "", ("family",)),
            "severities": Array(np.array(SEVERITIES), "", ("severity",)),
            "corrupted": Array(self.corrupted, "", (*sample, *grid)),
            "radii": Array(self.radii, "1/255", ("radius",)),
            "fgsm": Array(self.fgsm, "", by_radius),
            "pgd": Array(self.pgd, "", by_radius),
            "corruption_accuracy": Array(_column(by_family, "accuracy"), "%", grid),
            "corruption_accuracy_stderr": Array(_column(by_family, "standard_error"), "%", grid),
            "sets": Array(np.array(list(self.sets), dtype=object), "", ("set",)),
        }
        for attack in ATTACKS:
            scores = [[_score(correct) for correct in getattr(self, attack).T]]
            accuracy, error = (_column(scores, name)[0] for name in ("accuracy", "standard_error"))
            arrays[f"{attack}_accuracy"] = Array(accuracy, "%", ("radius",))
            arrays[f"{attack}_accuracy_stderr"] = Array(error, "%", ("radius",))
        for name, unit in COLUMNS.items():
            values = [getattr(score, name) for score in self.sets.values()]
            arrays[f"sets_{name}"] = Array(
                np.array([math.nan if value is None else value for value in values], dtype=float),
                unit,
                ("set",),
            )
        return arrays

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], label: str, settings: Any, provenance: Provenance
    ) -> Self:
        """The inverse of :meth:`arrays`."""
        columns = [arrays[f"sets_{name}"] for name in COLUMNS]
        sets = {}
        for name, *row in zip(arrays["sets"], *columns, strict=True):
            accuracy, error, samples, *among_present = map(float, row)
            known = [None if math.isnan(value) else value for value in among_present]
            sets[str(name)] = Score(accuracy, error, int(samples), *known)
        return cls(
            loss=float(arrays["loss"]),
            loss_stderr=float(arrays["loss_stderr"]),
            correct=arrays["correct"],
            families=tuple(map(str, arrays["families"])),
            corrupted=arrays["corrupted"],
            radii=arrays["radii"],
            fgsm=arrays["fgsm"],
            pgd=arrays["pgd"],
            sets=sets,
            label=label,
            settings=settings,
            provenance=provenance,
        )

    @property
    def accuracy(self) -> Score:
        """The accuracy on the unmodified pictures."""
        return _score(self.correct)

    @property
    def corruption_accuracy(self) -> Score | None:
        """The mean accuracy over families and severities; None without corruptions."""
        return _score(self.corrupted.reshape(len(self.correct), -1)) if self.families else None

    @property
    def by_family(self) -> dict[str, Score]:
        """The mean accuracy over severities by family."""
        return dict(zip(self.families, map(_score, self._corrupted_by_family()), strict=True))

    @property
    def by_severity(self) -> dict[int, Score]:
        """The mean accuracy over families by severity; empty without corruptions."""
        if not self.families:
            return {}
        return {level: _score(self.corrupted[:, :, k]) for k, level in enumerate(SEVERITIES)}

    def by_radius(self, attack: str) -> dict[float, Score]:
        """The accuracy under an attack by radius, in 1/255.

        Args:
            attack: ``fgsm`` or ``pgd``.
        """
        return {
            float(radius): _score(correct)
            for radius, correct in zip(self.radii, getattr(self, attack).T, strict=True)
        }

    def headline(self) -> dict[str, Any]:
        """Accuracies in per cent with their standard errors over pictures.

        ``corruptions`` has the means over severities by family, the means over families by
        severity, and every single corruption; ``fgsm`` and ``pgd`` go by radius in 1/255.
        """
        corruption = self.corruption_accuracy
        each = {
            name: {level: _plain(_score(correct[:, k])) for k, level in enumerate(SEVERITIES)}
            for name, correct in zip(self.families, self._corrupted_by_family(), strict=True)
        }
        return {
            "accuracy": self.accuracy.accuracy,
            "accuracy_stderr": self.accuracy.standard_error,
            "loss": self.loss,
            "loss_stderr": self.loss_stderr,
            "corruption_accuracy": corruption and corruption.accuracy,
            "corruption_accuracy_stderr": corruption and corruption.standard_error,
            "corruptions": {
                "by_family": {name: _plain(score) for name, score in self.by_family.items()},
                "by_severity": {level: _plain(score) for level, score in self.by_severity.items()},
                "each": each,
            },
            **{
                attack: {f"{r:g}": _plain(score) for r, score in self.by_radius(attack).items()}
                for attack in ATTACKS
            },
            "sets": {
                name: {
                    **_plain(score),
                    "samples": score.samples,
                    "among_present": score.among_present,
                    "among_present_stderr": score.among_present_error,
                }
                for name, score in self.sets.items()
            },
        }

    def headline_units(self) -> dict[str, str]:
        """The units of numbers that no array has."""
        names = ("accuracy", "corruption_accuracy", "among_present")
        return dict.fromkeys(names, "%")

    def _corrupted_by_family(self) -> list[Bools]:
        """For each family which pictures are classified correctly, (N, 5)."""
        return list(self.corrupted.swapaxes(0, 1))


def families_of(results: Sequence[Robustness]) -> list[str]:
    """The families of corruption of any of the results, in order of appearance."""
    return _distinct(result.families for result in results)


def sets_of(results: Sequence[Robustness]) -> list[str]:
    """The further sets of any of the results, in order of appearance."""
    return _distinct(result.sets for result in results)


def family_title(family: str) -> str:
    """The name of a family as tables and pictures show it."""
    return family.replace("_", " ")


def _distinct(groups: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for names in groups for name in names))


def _score(correct: Bools) -> Score:
    return score_of(torch.from_numpy(np.ascontiguousarray(correct)))


def _plain(score: Score) -> dict[str, float]:
    return {"accuracy": score.accuracy, "accuracy_stderr": score.standard_error}


def _column(scores: list[list[Score]], name: str) -> NDArray[np.float64]:
    """A field of a table of scores."""
    width = len(scores[0]) if scores else len(SEVERITIES)
    values = [[getattr(score, name) for score in row] for row in scores]
    return np.array(values, dtype=float).reshape(len(scores), width)

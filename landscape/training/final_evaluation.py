"""How well a trained network does on other sets than its validation data: ``--eval``."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from landscape.data.corruptions.catalog import FAMILIES, SEVERITIES
from landscape.data.samples import Samples
from landscape.data.sources.evaluation_sets import read_sets
from landscape.errors import InputError
from landscape.robustness.evaluator import Attack, Evaluator
from landscape.robustness.scores import Score, score_of
from landscape.training.evaluation import EVAL_BATCH

# Sets that are made of the validation data: 15 families of corruption at 5 severities, and PGD.
CORRUPTIONS, PGD = "corruptions", "pgd"
# Chen et al. (2022), as far as it is known.
STEPS, LENGTH = 10, 0.25 / 255


@dataclass(frozen=True)
class FinalEvaluation:
    """A network, its validation data, and how pictures are read."""

    model: nn.Module
    validation: Samples
    device: torch.device
    image_size: int
    crop: float
    attack: float  # radius of PGD, as a share of the pixels' range
    seed: int = 0

    def scores(self, words: Sequence[str]) -> dict[str, Any]:
        """For each of NAME=DIR, corruptions and pgd its score or, for several sets, those of all.

        Raises InputError for words that mean nothing.
        """
        self.model.eval()
        return {word.partition("=")[0]: self._score_of(word) for word in words}

    def check(self, words: Sequence[str]) -> None:
        """Raise InputError for words that mean nothing, without measuring anything."""
        for word in words:
            if word not in (CORRUPTIONS, PGD):
                read_sets(*_name_and_path(word), self.validation, self.image_size, self.crop)
            elif len(self.validation.input_shape) != 3:
                raise InputError(
                    f"--eval {word} is for pictures, not for inputs of shape "
                    f"{tuple(self.validation.input_shape)}"
                )

    def _score_of(self, word: str) -> dict[str, Any]:
        evaluator = Evaluator(
            self.model,
            self.validation,
            self.device,
            getattr(self.validation, "normalization", None),
            batch_size=EVAL_BATCH,
            seed=self.seed,
        )
        if word == CORRUPTIONS:
            names = [(family, severity) for family in FAMILIES for severity in SEVERITIES]
            correct = evaluator.correct_corrupted(names)
            each = {
                f"{family}/{severity}": score_of(correct[:, k])
                for k, (family, severity) in enumerate(names)
            }
            return _together(score_of(correct), each)
        if word == PGD:
            attack = Attack(self.attack, STEPS, LENGTH)
            return asdict(score_of(evaluator.correct_attacked([attack], PGD)))
        name, path = _name_and_path(word)
        found = evaluator.scores_of_sets(name, path, self.validation, self.image_size, self.crop)
        whole = found.pop(name)
        return _together(whole, found) if found else asdict(whole)


def _name_and_path(word: str) -> tuple[str, Path]:
    name, separator, path = word.partition("=")
    if not separator or not name or not path:
        raise InputError(
            f"--eval {word}: expected NAME=DIR, NAME=FILE.json, {CORRUPTIONS} or {PGD}"
        )
    return name, Path(path)


def _together(whole: Score, each: dict[str, Score]) -> dict[str, Any]:
    return {**asdict(whole), "sets": {name: asdict(score) for name, score in each.items()}}

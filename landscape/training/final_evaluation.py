"""The accuracy of a trained network on further data sets: ``--eval``."""

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

# Sets made of the validation data: 15 families of corruption at 5 severities, and attacks by PGD.
CORRUPTIONS, PGD = "corruptions", "pgd"
# The steps of PGD, as far as those of Chen et al. (2022) are known, and their length.
STEPS, LENGTH = 10, 0.25 / 255


@dataclass(frozen=True)
class FinalEvaluation:
    """Evaluates a network on further data sets.

    Attributes:
        model: The network.
        validation: Its validation data.
        device: Where the network is.
        image_size: The side in pixels that pictures are resized to.
        crop: The share of the shorter side of a picture that is kept.
        attack: The radius of PGD, as a share of the range of a pixel.
        seed: The seed of corruptions and attacks.
    """

    model: nn.Module
    validation: Samples
    device: torch.device
    image_size: int
    crop: float
    attack: float
    seed: int = 0

    def scores(self, words: Sequence[str]) -> dict[str, Any]:
        """Evaluate the network.

        Args:
            words: Each is NAME=DIR, NAME=FILE.json, ``corruptions`` or ``pgd``.

        Returns:
            The score for each word, by its name; for several sets, also the scores of these.

        Raises:
            InputError: A word is none of these.
        """
        self.model.eval()
        return {word.partition("=")[0]: self._score_of(word) for word in words}

    def check(self, words: Sequence[str]) -> None:
        """Raise InputError for invalid words, without measuring anything."""
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
            scores = {
                f"{family}/{severity}": score_of(correct[:, k])
                for k, (family, severity) in enumerate(names)
            }
            return _combined(score_of(correct), scores)
        if word == PGD:
            attack = Attack(self.attack, STEPS, LENGTH)
            return asdict(score_of(evaluator.correct_attacked([attack], PGD)))
        name, path = _name_and_path(word)
        scores = evaluator.scores_of_sets(name, path, self.validation, self.image_size, self.crop)
        mean = scores.pop(name)
        return _combined(mean, scores) if scores else asdict(mean)


def _name_and_path(word: str) -> tuple[str, Path]:
    name, separator, path = word.partition("=")
    if not separator or not name or not path:
        raise InputError(
            f"--eval {word}: expected NAME=DIR, NAME=FILE.json, {CORRUPTIONS} or {PGD}"
        )
    return name, Path(path)


def _combined(mean: Score, scores: dict[str, Score]) -> dict[str, Any]:
    """The score over several sets, with those of the sets."""
    return {**asdict(mean), "sets": {name: asdict(score) for name, score in scores.items()}}

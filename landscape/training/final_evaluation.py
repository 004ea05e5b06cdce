"""How well a trained network does on other sets than its validation data."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.data.corruptions.catalog import FAMILIES, SEVERITIES, corrupt
from landscape.data.evaluation_sets import EvaluationSet, read_sets
from landscape.data.samples import Samples
from landscape.errors import InputError
from landscape.progress import track
from landscape.training.evaluation import EVAL_BATCH
from landscape.training.feed import batches, stream_seed
from landscape.training.tasks.adversarial import Ball, projected_gradient_descent

# Sets that are made of the validation data: 15 families of corruption at 5 severities, and PGD.
CORRUPTIONS, PGD = "corruptions", "pgd"

Change = Callable[[Tensor, Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Score:
    """Accuracy in per cent with its standard error over samples.

    ``among_present`` is that of the largest output among the classes that the set has, where it
    lacks some: of ImageNet-R's 200 classes. ``accuracy`` always is among all outputs.
    """

    accuracy: float
    standard_error: float
    samples: int
    among_present: float | None = None


@dataclass(frozen=True)
class Evaluator:
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
        return {word.partition("=")[0]: self._score_of(word) for word in words}

    def check(self, words: Sequence[str]) -> None:
        """Raise InputError for words that mean nothing, without measuring anything."""
        for word in words:
            if word not in (CORRUPTIONS, PGD):
                self._sets(word)

    def _sets(self, word: str) -> list[EvaluationSet]:
        name, separator, path = word.partition("=")
        if not separator or not name or not path:
            raise InputError(
                f"--eval {word}: expected NAME=DIR, NAME=FILE.json, {CORRUPTIONS} or {PGD}"
            )
        return read_sets(name, Path(path), self.validation, self.image_size, self.crop)

    def _score_of(self, word: str) -> dict[str, Any]:
        if word == CORRUPTIONS:
            names = [(family, severity) for family in FAMILIES for severity in SEVERITIES]
            whole, found = self._whole(), {}
            for family, severity in track(names, CORRUPTIONS):
                change = _corruption(family, severity)
                found[f"{family}/{severity}"] = self._score(whole, change)
            return _together(found)
        if word == PGD:
            return asdict(self._score(self._whole(), self._attack))
        name = word.partition("=")[0]
        found = {one.name: self._score(one) for one in track(self._sets(word), name)}
        return asdict(found[name]) if list(found) == [name] else _together(found)

    def _whole(self) -> EvaluationSet:
        targets = self.validation.targets
        classes = max(len(self.validation.classes), int(targets.max()) + 1)
        return EvaluationSet("", self.validation, F.one_hot(targets, classes).bool())

    @torch.no_grad()
    def _score(self, one: EvaluationSet, change: Change | None = None) -> Score:
        self.model.eval()
        parts = list(torch.arange(len(one.samples)).split(EVAL_BATCH))
        generator = torch.Generator().manual_seed(stream_seed(self.seed, 31))
        right, right_among = 0, 0
        for part, (inputs, targets) in zip(
            parts, batches(one.samples, parts, self.device), strict=True
        ):
            if change is not None:
                with torch.enable_grad():
                    inputs = self._changed(change, inputs, targets, generator)
            outputs = self.model(inputs).cpu()
            rows, accepted = torch.arange(len(part)), one.accepted[part]
            width = accepted.shape[1]
            right += int(accepted[rows, outputs.argmax(1).clamp(max=width - 1)].sum())
            if one.present is not None:
                masked = outputs[:, :width].masked_fill(~one.present, -math.inf)
                right_among += int(accepted[rows, masked.argmax(1)].sum())
        count = len(one.samples)
        share = right / count
        among = 100 * right_among / count if one.present is not None else None
        return Score(100 * share, 100 * math.sqrt(share * (1 - share) / count), count, among)

    def _changed(
        self, change: Change, inputs: Tensor, targets: Tensor, generator: torch.Generator
    ) -> Tensor:
        if change == self._attack:
            return change(inputs, targets, generator)
        normalization = getattr(self.validation, "normalization", None)
        pixels = normalization.undo(inputs) if normalization else inputs
        changed = change((255 * pixels.clamp(0, 1)).round().byte().cpu(), targets, generator)
        scaled = changed.to(inputs.device).to(inputs.dtype) / 255
        return normalization(scaled) if normalization else scaled

    def _attack(self, inputs: Tensor, targets: Tensor, generator: torch.Generator) -> Tensor:
        ball = Ball(self.attack, getattr(self.validation, "normalization", None))

        def gradient(at: Tensor) -> Tensor:
            at = at.detach().requires_grad_()
            loss = F.cross_entropy(self.model(at), targets, reduction="sum")
            return torch.autograd.grad(loss, [at])[0]

        return projected_gradient_descent(gradient, inputs, ball, generator)


def _corruption(family: str, severity: int) -> Change:
    return lambda pixels, _targets, generator: corrupt(pixels, family, severity, generator)


def _together(found: dict[str, Score]) -> dict[str, Any]:
    """All scores and their mean, whose error is that of means over the same pictures at most."""
    mean = sum(score.accuracy for score in found.values()) / len(found)
    error = max(score.standard_error for score in found.values())
    each = {name: asdict(score) for name, score in found.items()}
    return {"accuracy": mean, "standard_error": error, "sets": each}

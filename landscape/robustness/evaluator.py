"""Which pictures a network gets right: as they are, corrupted, attacked, and of other sets."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.data.corruptions.catalog import FAMILIES, corrupt
from landscape.data.feed import batches, stream_seed
from landscape.data.samples import Normalization, Samples
from landscape.data.sources.evaluation_sets import EvaluationSet, read_sets, same_pictures
from landscape.errors import NotMeasurableError
from landscape.objective.eval_copy import differentiable
from landscape.objective.losses import LossFunction
from landscape.robustness.attacks import Ball, fast_gradient_sign, projected_gradient_descent
from landscape.robustness.scores import Score, mean_score, score_of
from landscape.runtime.devices import full_precision
from landscape.runtime.progress import track

# Pictures that share one stream of random numbers. It must not depend on how many go through the
# network at once: the same pictures are to be corrupted alike for every network.
CHUNK = 128
CORRUPTION_STREAM, ATTACK_STREAM = 31, 32


@dataclass(frozen=True)
class Attack:
    """FGSM, or with ``steps`` PGD; ``radius`` and ``length`` of a step as shares of the range."""

    radius: float
    steps: int = 0
    length: float = 0.0


@dataclass(frozen=True)
class Evaluator:
    """A network in eval mode, its samples, and how they are read as pictures.

    ``loss``, a mean over the batch, is what attacks climb. ``normalization`` is what the samples'
    inputs went through: without it they are pixels in [0, 1]. ``batch_size`` bounds how many
    pictures go through the network at once; no picture depends on it.
    """

    module: nn.Module
    samples: Samples
    device: torch.device
    normalization: Normalization | None
    dtype: torch.dtype = torch.float32
    loss: LossFunction = field(default=F.cross_entropy)
    batch_size: int = CHUNK
    seed: int = 0

    def correct(self) -> Tensor:
        """Which of the n samples are right as they are, of shape (n,)."""
        found = [
            self._outputs(inputs).argmax(1) == targets
            for _, inputs, targets in self._parts(self.samples)
        ]
        return torch.cat(found).cpu()

    def correct_corrupted(
        self, names: Sequence[tuple[str, int]], task: str = "corruptions"
    ) -> Tensor:
        """Which are right after each (family, severity), of shape (n, K).

        Pictures are rounded to bytes first. What is drawn depends on seed, corruption and the
        place of a picture among the samples, on nothing else.
        """
        found = torch.zeros(len(self.samples), len(names), dtype=torch.bool)
        with track(None, task, total=len(names) * math.ceil(len(found) / CHUNK)) as bar:
            for number, inputs, targets in self._parts(self.samples):
                pixels = self.pixels(inputs)
                for k, (family, severity) in enumerate(names):
                    key = (list(FAMILIES).index(family), severity, number)
                    generator = self._generator(CORRUPTION_STREAM, *key)
                    changed = corrupt(pixels, family, severity, generator)
                    right = self._outputs(self.inputs_of(changed)).argmax(1) == targets
                    found[number * CHUNK :][: len(right), k] = right.cpu()
                    bar.update()
        return found

    def correct_attacked(self, attacks: Sequence[Attack], task: str = "attacks") -> Tensor:
        """Which are right after each attack, of shape (n, K); all start from the same noise."""
        found = torch.zeros(len(self.samples), len(attacks), dtype=torch.bool)
        with track(None, task, total=len(attacks) * math.ceil(len(found) / CHUNK)) as bar:
            for number, inputs, targets in self._parts(self.samples):
                for k, attack in enumerate(attacks):
                    generator = self._generator(ATTACK_STREAM, number)
                    moved = self.attacked(attack, inputs, targets, generator)
                    right = self._outputs(moved).argmax(1) == targets
                    found[number * CHUNK :][: len(right), k] = right.cpu()
                    bar.update()
        return found

    def attacked(
        self, attack: Attack, inputs: Tensor, targets: Tensor, generator: torch.Generator
    ) -> Tensor:
        """The inputs (n, C, H, W) after an attack; only PGD draws from the generator."""
        ball = Ball(attack.radius, self.normalization)

        def gradient(at: Tensor) -> Tensor:
            return self._gradient(at, targets)

        if not attack.steps:
            return fast_gradient_sign(gradient, inputs, ball)
        steps, length = attack.steps, attack.length
        return projected_gradient_descent(
            gradient, inputs, ball, generator, steps=steps, length=length
        )

    def scores_of_sets(
        self, name: str, path: Path, source: Samples, image_size: int, crop: float
    ) -> dict[str, Score]:
        """The score of the set at ``path``; of several the mean, under ``name``, and each.

        ``source`` holds the classes, and the pictures that a ReaL file speaks of. Raises
        InputError for what is in none of the layouts of
        :mod:`landscape.data.sources.evaluation_sets`.
        """
        sets = read_sets(name, path, source, image_size, crop)
        found = [(one.name, *self._correct_on(one)) for one in track(sets, name)]
        scores = {title: score_of(correct, present) for title, correct, present in found}
        if [one.name for one in sets] == [name]:
            return scores
        if not same_pictures(sets):
            return {name: mean_score(scores), **scores}
        present = [among for _, _, among in found if among is not None]
        whole = score_of(
            torch.stack([correct for _, correct, _ in found], 1),
            torch.stack(present, 1) if len(present) == len(found) else None,
        )
        return {name: whole, **scores}

    def pixels(self, inputs: Tensor) -> Tensor:
        """Inputs as bytes (n, C, H, W) on the CPU."""
        undone = self.normalization.undo(inputs) if self.normalization else inputs
        return (255 * undone.clamp(0, 1)).round().byte().cpu()

    def inputs_of(self, pixels: Tensor) -> Tensor:
        """Bytes as inputs of the network: the inverse of :meth:`pixels` but for its rounding."""
        scaled = pixels.to(self.device).to(self.dtype) / 255
        return self.normalization(scaled) if self.normalization else scaled

    def _parts(self, samples: Samples) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Number, inputs and targets of each chunk."""
        parts = list(torch.arange(len(samples)).split(CHUNK))
        for number, (inputs, targets) in enumerate(batches(samples, parts, self.device)):
            yield number, inputs.to(self.dtype), targets

    def _generator(self, *key: int) -> torch.Generator:
        return torch.Generator().manual_seed(stream_seed(self.seed, *key))

    def _outputs(self, inputs: Tensor) -> Tensor:
        with torch.no_grad(), full_precision():
            return torch.cat([self._logits(part) for part in inputs.split(self.batch_size)])

    def _logits(self, inputs: Tensor) -> Tensor:
        outputs = self.module(inputs)
        if not isinstance(outputs, Tensor) or outputs.dim() != 2:
            shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
            raise NotMeasurableError(
                "accuracies need a network that gives a tensor of shape (pictures, classes), "
                f"this one gives {shape}"
            )
        return outputs

    def _gradient(self, inputs: Tensor, targets: Tensor) -> Tensor:
        found = []
        pairs = zip(inputs.split(self.batch_size), targets.split(self.batch_size), strict=True)
        with differentiable(self.module), full_precision():
            for part, of_part in pairs:
                at = part.detach().requires_grad_()
                # A sum, so that small gradients don't vanish in large batches.
                loss = self.loss(self._logits(at), of_part) * len(part)
                if not loss.requires_grad:
                    raise NotMeasurableError("attacks need a loss that depends on the pixels")
                found.append(torch.autograd.grad(loss, [at], materialize_grads=True)[0])
        return torch.cat(found)

    def _correct_on(self, one: EvaluationSet) -> tuple[Tensor, Tensor | None]:
        """Which are right, and which are among the classes that are present, each (n,)."""
        right, among = [], []
        for number, inputs, _ in self._parts(one.samples):
            outputs = self._outputs(inputs).cpu()
            accepted = one.accepted[number * CHUNK :][: len(outputs)]
            right.append(_accepts(accepted, outputs.argmax(1)))
            if one.present is not None:
                known = outputs[:, : len(one.present)]
                masked = known.masked_fill(~one.present[: known.shape[1]], -math.inf)
                among.append(_accepts(accepted, masked.argmax(1)))
        return torch.cat(right), torch.cat(among) if among else None


def _accepts(accepted: Tensor, answers: Tensor) -> Tensor:
    """An answer beyond the classes that the data know is wrong."""
    width = accepted.shape[1]
    chosen = accepted.gather(1, answers.clamp(max=width - 1).unsqueeze(1)).squeeze(1)
    return chosen & (answers < width)

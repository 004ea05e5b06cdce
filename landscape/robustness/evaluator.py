"""Which pictures a network classifies correctly: unmodified, changed, or of other sets."""

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

# Pictures that share one stream of random numbers. It is independent of the batch size, so that the
# same pictures are corrupted alike for every network.
CHUNK = 128
CORRUPTION_STREAM, ATTACK_STREAM = 31, 32


@dataclass(frozen=True)
class Attack:
    """An attack: FGSM without steps, else PGD.

    Attributes:
        radius: of the ball, in units of the pixels' range.
        steps: of PGD.
        length: of a step, in units of the pixels' range.
    """

    radius: float
    steps: int = 0
    length: float = 0.0


@dataclass(frozen=True)
class Evaluator:
    """Evaluates a network on modified pictures.

    Attributes:
        module: the network, in evaluation mode.
        samples: labelled pictures.
        device: where the network is.
        normalization: from pixels to the samples' inputs; None where inputs are pixels in [0, 1].
        dtype: floating type of the inputs.
        loss: the mean over a batch that attacks increase.
        batch_size: the largest number of pictures that go through the network at once. Results do
            not depend on it.
        seed: of corruptions and attacks.

    Example:
        The accuracy under one corruption::

            evaluator = Evaluator(model.eval(), samples, device, normalization)
            correct = evaluator.correct_corrupted([("fog", 3)])
            print(score_of(correct).accuracy)
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
        """Which of the n unmodified samples are classified correctly, of shape (n,)."""
        correct = [
            self._outputs(inputs).argmax(1) == targets
            for _, inputs, targets in self._chunks(self.samples)
        ]
        return torch.cat(correct).cpu()

    def correct_corrupted(
        self, names: Sequence[tuple[str, int]], task: str = "corruptions"
    ) -> Tensor:
        """Which samples are classified correctly after each corruption.

        Pictures are rounded to bytes first. Random draws depend on the seed, the corruption and the
        place of a picture among the samples only.

        Args:
            names: K pairs (family, severity).
            task: the name of the progress bar.

        Returns:
            Of shape (n, K).
        """
        correct = torch.zeros(len(self.samples), len(names), dtype=torch.bool)
        with track(
            None,
            task,
            total=len(names) * math.ceil(len(correct) / CHUNK),
            less="lower --test-samples or name fewer --corruptions",
        ) as bar:
            for number, inputs, targets in self._chunks(self.samples):
                pixels = self.pixels(inputs)
                for k, (family, severity) in enumerate(names):
                    key = (list(FAMILIES).index(family), severity, number)
                    generator = self._generator(CORRUPTION_STREAM, *key)
                    changed = corrupt(pixels, family, severity, generator)
                    right = self._outputs(self.inputs_of(changed)).argmax(1) == targets
                    correct[number * CHUNK :][: len(right), k] = right.cpu()
                    bar.update()
        return correct

    def correct_attacked(self, attacks: Sequence[Attack], task: str = "attacks") -> Tensor:
        """Which samples are classified correctly after each attack.

        Args:
            attacks: K of them, which start from the same noise.
            task: the name of the progress bar.

        Returns:
            Of shape (n, K).
        """
        correct = torch.zeros(len(self.samples), len(attacks), dtype=torch.bool)
        with track(
            None,
            task,
            total=len(attacks) * math.ceil(len(correct) / CHUNK),
            less="lower --test-samples or --attack-steps, or take fewer radii",
        ) as bar:
            for number, inputs, targets in self._chunks(self.samples):
                for k, attack in enumerate(attacks):
                    generator = self._generator(ATTACK_STREAM, number)
                    moved = self.attacked(attack, inputs, targets, generator)
                    right = self._outputs(moved).argmax(1) == targets
                    correct[number * CHUNK :][: len(right), k] = right.cpu()
                    bar.update()
        return correct

    def attacked(
        self, attack: Attack, inputs: Tensor, targets: Tensor, generator: torch.Generator
    ) -> Tensor:
        """The inputs (n, C, H, W) after an attack; only PGD draws random numbers."""
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
        """The accuracy on an evaluation set, or on several in one folder.

        Args:
            name: of the set.
            path: where it is, in a layout of :mod:`landscape.data.sources.evaluation_sets`.
            source: the classes, and the pictures that the labels of a ReaL file are of.
            image_size: the side that pictures are resized to.
            crop: the share of the shorter side that is kept.

        Returns:
            The score under ``name``; for several sets that of their mean, and the score of each
            under its own name.

        Raises:
            InputError: if ``path`` is in no such layout.
        """
        sets = read_sets(name, path, source, image_size, crop)
        answers = [(item.name, *self._correct_on(item)) for item in track(sets, name)]
        scores = {title: score_of(correct, present) for title, correct, present in answers}
        if [item.name for item in sets] == [name]:
            return scores
        if not same_pictures(sets):
            return {name: mean_score(scores), **scores}
        present = [among for _, _, among in answers if among is not None]
        mean = score_of(
            torch.stack([correct for _, correct, _ in answers], 1),
            torch.stack(present, 1) if len(present) == len(answers) else None,
        )
        return {name: mean, **scores}

    def pixels(self, inputs: Tensor) -> Tensor:
        """The pixels of some inputs, as bytes (n, C, H, W) on the CPU."""
        undone = self.normalization.undo(inputs) if self.normalization else inputs
        return (255 * undone.clamp(0, 1)).round().byte().cpu()

    def inputs_of(self, pixels: Tensor) -> Tensor:
        """The inputs of some pixels: the inverse of :meth:`pixels`, up to rounding."""
        scaled = pixels.to(self.device).to(self.dtype) / 255
        return self.normalization(scaled) if self.normalization else scaled

    def _chunks(self, samples: Samples) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Number, inputs and targets of each chunk."""
        chunks = list(torch.arange(len(samples)).split(CHUNK))
        for number, (inputs, targets) in enumerate(batches(samples, chunks, self.device)):
            yield number, inputs.to(self.dtype), targets

    def _generator(self, *key: int) -> torch.Generator:
        return torch.Generator().manual_seed(stream_seed(self.seed, *key))

    def _outputs(self, inputs: Tensor) -> Tensor:
        with torch.no_grad(), full_precision():
            return torch.cat([self._logits(batch) for batch in inputs.split(self.batch_size)])

    def _logits(self, inputs: Tensor) -> Tensor:
        outputs = self.module(inputs)
        if not isinstance(outputs, Tensor) or outputs.dim() != 2:
            shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
            raise NotMeasurableError(
                "accuracies need a network whose outputs are a tensor of shape (pictures, "
                f"classes), got {shape}"
            )
        return outputs

    def _gradient(self, inputs: Tensor, targets: Tensor) -> Tensor:
        gradients = []
        pairs = zip(inputs.split(self.batch_size), targets.split(self.batch_size), strict=True)
        with differentiable(self.module), full_precision():
            for batch, batch_targets in pairs:
                at = batch.detach().requires_grad_()
                # A sum, so that small gradients don't vanish in large batches.
                loss = self.loss(self._logits(at), batch_targets) * len(batch)
                if not loss.requires_grad:
                    raise NotMeasurableError("attacks need a loss that depends on the pixels")
                gradients.append(torch.autograd.grad(loss, [at], materialize_grads=True)[0])
        return torch.cat(gradients)

    def _correct_on(self, pictures: EvaluationSet) -> tuple[Tensor, Tensor | None]:
        """Which answers are right, among all classes and among those that occur, each (n,)."""
        right, among = [], []
        for number, inputs, _ in self._chunks(pictures.samples):
            outputs = self._outputs(inputs).cpu()
            accepted = pictures.accepted[number * CHUNK :][: len(outputs)]
            right.append(_accepts(accepted, outputs.argmax(1)))
            if pictures.present is not None:
                known = outputs[:, : len(pictures.present)]
                masked = known.masked_fill(~pictures.present[: known.shape[1]], -math.inf)
                among.append(_accepts(accepted, masked.argmax(1)))
        return torch.cat(right), torch.cat(among) if among else None


def _accepts(accepted: Tensor, answers: Tensor) -> Tensor:
    """Which answers are accepted; those beyond the classes of the data are not."""
    width = accepted.shape[1]
    chosen = accepted.gather(1, answers.clamp(max=width - 1).unsqueeze(1)).squeeze(1)
    return chosen & (answers < width)

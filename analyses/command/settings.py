"""What every analysis is told about model, sample and arithmetic."""

from dataclasses import dataclass

from landscape.errors import InputError
from landscape.runtime.choices import LOSSES, METRICS, PRECISIONS
from landscape.runtime.options import check_choices, check_numbers, option


def _comma_list(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)


@dataclass(frozen=True)
class MeasurementSettings:
    """What every analysis is told about model, sample and arithmetic."""

    split: str = option(
        "train",
        "which data: train, or test (also called val); with a comma further ones, which surfaces "
        "and lines evaluate too",
        metavar="SPLIT,...",
    )
    samples: int = option(2048, "samples, drawn once with --seed; 0 is all", metavar="N")
    test_samples: int | None = option(
        None,
        "samples of the test split, such as robustness measures accuracies on (default: as many "
        "as --samples)",
        parse=int,
        metavar="N",
    )
    batch_size: int = option(
        0,
        "samples that go through the model at once; 0: as many as suit it",
        short="-b",
        metavar="N",
    )
    loss: str = option(
        "auto",
        "auto (cross-entropy for class numbers and probabilities, the model's own for dicts with "
        f"labels, else squared error), {', '.join(LOSSES)}, or "
        "FILE.py:FUNCTION of (outputs, targets)",
        metavar="NAME",
    )
    step: str = option(
        "",
        "in place of --loss: FILE.py:FUNCTION of (model, batch) that returns the loss of a batch "
        "of any kind, as a training step does",
        metavar="FILE.py:FUNCTION",
    )
    batching: str = option(
        "samples",
        "whole: the samples of a batch depend on each other (a graph, a contrastive loss), so "
        "batches of --data are never cut",
        choices=("samples", "whole"),
    )
    metrics: tuple[str, ...] = option(
        (),
        f"further numbers for surfaces and lines: {', '.join(METRICS)}, or FILE.py:FUNCTION",
        parse=_comma_list,
        metavar="NAME,...",
    )
    device: str = option("auto", "auto, cpu, cuda or cuda:N")
    precision: str = option(
        "fp32",
        "arithmetic of the model; for surfaces and lines also tf32 (CUDA), bf16, or auto: the "
        "fastest within 1e-3 of fp32",
        choices=PRECISIONS,
    )
    compile: str = option(
        "auto",
        "torch.compile for surfaces and lines; auto: where it turns out faster",
        choices=("auto", "on", "off"),
    )
    seed: int = option(0, "seed of the sample, of directions and of probes", metavar="N")

    def __post_init__(self) -> None:
        """Raise InputError for numbers that are out of range."""
        check_choices(self)
        if (self.test_samples or 0) < 0:
            raise InputError(f"--test-samples has to be 0 (all) or more, got {self.test_samples}")
        check_numbers(self)

    def samples_of(self, split: str) -> int:
        """How many samples of a split are drawn; 0 is all."""
        is_stated = split == "test" and self.test_samples is not None
        return self.test_samples or 0 if is_stated else self.samples

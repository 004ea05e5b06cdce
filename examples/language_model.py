"""A language model of Hugging Face's transformers, measured with the loss it is trained with.

A batch is a dict with padded labels, and the loss is the model's own, so it is given as a training
step. Batches have different numbers of labels that count; the mean is over the labels, as it would
be in one large batch. Printed are the loss and the largest Hessian eigenvalues before and after
a short training, each with its sampling error (over batches), and the residuals of the eigenvalues.

    python examples/language_model.py    # needs the extra huggingface; downloads nothing
"""

import os

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}

import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel

from analyses import hessian
from landscape import Objective

TEXT = "the loss is a function of the weights; the hessian is its curvature at the weights. " * 4
LETTERS = sorted(set(TEXT))
LENGTH = 24  # of a sequence
Batch = dict[str, Tensor]


def make_batches(size: int = 3) -> list[Batch]:
    """Pieces of the text, letter by letter, of which every other one is padded at its end."""
    letters = torch.tensor([LETTERS.index(letter) for letter in TEXT])
    pieces = letters.unfold(0, LENGTH, LENGTH // 2).clone()
    labels = pieces.clone()
    labels[::2, LENGTH // 2 :] = -100  # which the model's loss ignores
    return [
        {"input_ids": inputs, "labels": targets}
        for inputs, targets in zip(pieces.split(size), labels.split(size), strict=True)
    ]


def step(model: nn.Module, batch: Batch) -> Tensor:
    """What a training step does with a batch; the model it gets is a copy of yours."""
    loss: Tensor = model(**batch).loss
    return loss


def report(when: str, model: nn.Module, batches: list[Batch]) -> None:
    """Print loss and eigenvalues with their errors."""
    objective = Objective(model, batches, step=step)
    spectrum = hessian.compute(objective, hessian.Settings(top=2, quick=True))
    print(f"{when}: loss {spectrum.loss:.3f} ± {spectrum.loss_stderr:.3f} nats a letter")
    for value, residual, error in zip(
        spectrum.eigenvalues, spectrum.residuals, spectrum.sampling_errors, strict=True
    ):
        print(f"  λ {value:.2f} ± {error:.2f} (relative residual {residual:.0e})")


def main() -> None:
    """Train a small GPT-2 for a few steps and measure it before and after."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(LETTERS),
        n_positions=LENGTH,
        n_embd=32,
        n_layer=2,
        n_head=2,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = GPT2LMHeadModel(config)
    batches = make_batches()
    report("before", model, batches)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(8):
        for batch in batches:
            optimizer.zero_grad()
            step(model, batch).backward()
            optimizer.step()
    report("after", model, batches)


if __name__ == "__main__":
    main()

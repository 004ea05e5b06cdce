"""A LightningModule trained with SAM and tracked by a callback.

``landscape.SAM`` is returned by ``configure_optimizers``. Lightning calls it with a closure, so
each batch passes twice. The tracker is a callback that measures after every epoch, and passes its
numbers to the logger of the Trainer. Printed is a row for each measurement: the loss, the largest
eigenvalue with its residual, and SAM's gap.

    python examples/lightning_module.py [FOLDER]    # needs the extra lightning
"""

import logging
import sys
from pathlib import Path

import lightning
import torch
import torch.nn.functional as F
from lightning.pytorch.loggers import CSVLogger
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from landscape import SAM, Tracker


class Classifier(lightning.LightningModule):
    """A network of two layers with SAM."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The loss of a batch, at the weights and at the perturbed ones."""
        images, labels = batch
        return F.cross_entropy(self.net(images), labels)

    def configure_optimizers(self) -> SAM:
        """SAM around SGD."""
        return SAM(self.parameters(), torch.optim.SGD, rho=0.05, lr=0.1, momentum=0.9, model=self)


def main(folder: Path) -> None:
    """Train for a few epochs and print what was recorded."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.manual_seed(0)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32) / 16
    labels = torch.tensor(digits.target)
    loader = DataLoader(TensorDataset(images, labels), batch_size=64, shuffle=True)

    # ``module`` is the part that maps a batch's inputs to what the loss takes.
    sample = images[:256], labels[:256]
    quantities = ("lambda_1", "surrogate_gap")
    logger = CSVLogger(folder, name="logs", version="")  # or any other
    tracker = Tracker(
        folder / "tracked", sample, unit="epoch", module="net", quantities=quantities, log=logger
    )
    trainer = lightning.Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=logger,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[tracker.lightning_callback()],
    )
    trainer.fit(Classifier(), loader)
    for row in tracker.rows:
        print(
            f"epoch {row['epoch']:.0f}: loss {row['train_loss']:.3f}, "
            f"λ₁ {row['lambda_1']:.2f} (residual {row['lambda_1_residual']:.0e}), "
            f"SAM's gap {row['surrogate_gap']:.4f}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "figures/examples"))

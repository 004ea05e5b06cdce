"""A tracker as Lightning's callback: what it records, and the training that stays the same."""

import csv
import sys

import pytest
import torch
import torch.nn.functional as F

from landscape import SAM, InputError, Tracker
from landscape.runtime.random_state import preserved_random_state
from tests.landscape.tracking.training import loader, make, samples

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's own


def train(lightning, callbacks, optimizer=torch.optim.Adam, **options):
    """Train for two epochs of three batches; returns the module and what a step depends on."""
    torch.manual_seed(0)

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = make()
            self.losses = []

        def forward(self, inputs):
            return self.net(inputs)

        def training_step(self, batch, _):
            loss = F.cross_entropy(self(batch[0]), batch[1])
            self.losses.append(loss.item())
            return loss

        def configure_optimizers(self):
            return optimizer(self.parameters(), lr=0.02)

    module = Module()
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        callbacks=callbacks,
        **options,
    )
    trainer.fit(module, loader())
    weights = [tensor.numpy().tobytes() for tensor in module.state_dict().values()]
    moments = [
        tensor.numpy().tobytes()
        for state in trainer.optimizers[0].state.values()
        for tensor in state.values()
    ]
    return module, (weights, moments, module.losses, torch.get_rng_state().numpy().tobytes())


@pytest.mark.parametrize("unit", ["step", "epoch"])
def test_the_training_is_the_same_to_the_bit(lightning, unit, tmp_path):
    with preserved_random_state():
        _, untracked = train(lightning, [])
        every = {"step": 3, "epoch": 1}[unit]
        tracker = Tracker(tmp_path / "run", loader(), every=every, unit=unit, probes=2)
        module, tracked = train(lightning, [tracker.lightning_callback()])
        assert tracked == untracked
    assert [row["epoch"] for row in tracker.rows] == [0, every, 2 * every]
    assert tracker.rows[-1]["lr"] == 0.02
    inner = Tracker(tmp_path / "inner", samples(), module="net", probes=2)
    row = inner.measure(0, module)
    assert row["lambda_1"] == pytest.approx(tracker.rows[-1]["lambda_1"], rel=1e-3)


def test_steps_of_accumulated_batches_are_counted_once(lightning, tmp_path):
    tracker = Tracker(tmp_path / "run", samples(), quantities=("grad_norm",))
    train(lightning, [tracker.lightning_callback()], accumulate_grad_batches=3)
    assert [row["epoch"] for row in tracker.rows] == [0, 1, 2]


def test_sam_is_an_optimizer_of_lightning(lightning):
    calls = []

    def sam(parameters, lr):
        optimizer = SAM(parameters, torch.optim.SGD, rho=0.05, lr=lr)
        optimizer.register_step_post_hook(lambda *_: calls.append(optimizer.steps))
        return optimizer

    module, _ = train(lightning, [], optimizer=sam)
    assert len(module.losses) == 12  # two passes a step
    assert calls == [1, 2, 3, 4, 5, 6]


def test_a_logger_of_lightning_gets_the_numbers(lightning, tmp_path):
    from lightning.pytorch.loggers import CSVLogger

    logger = CSVLogger(tmp_path / "logs", name="", version="")
    tracker = Tracker(tmp_path / "run", samples(), every=2, quantities=("grad_norm",), log=logger)
    train(lightning, [tracker.lightning_callback()])
    logger.save()
    with (tmp_path / "logs" / "metrics.csv").open() as file:
        logged = list(csv.DictReader(file))
    assert [int(row["step"]) for row in logged] == [0, 2, 4, 6]
    for row, expected in zip(logged, tracker.rows, strict=True):
        assert float(row["grad_norm"]) == expected["grad_norm"]
        assert float(row["train_loss"]) == expected["train_loss"]


def test_without_lightning(monkeypatch, tmp_path):
    for name in ("lightning.pytorch", "pytorch_lightning"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        InputError, match="needs .*lightning, which .* pip install 'loss-.*lightning"
    ):
        Tracker(tmp_path / "run", samples()).lightning_callback()

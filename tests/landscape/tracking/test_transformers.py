"""A tracker as a callback of Hugging Face's Trainer, whose training stays the same."""

import sys

import pytest
import torch

from landscape import InputError, Tracker
from landscape.runtime.random_state import preserved_random_state
from tests.landscape.tracking.training import samples

pytestmark = pytest.mark.filterwarnings("ignore")  # the Trainer's own


def tokens():
    """16 sequences for a language model, as the Trainer takes them."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1, 30, (16, 6), generator=generator)
    return [{"input_ids": row, "labels": row} for row in ids]


def train(transformers, folder, callbacks):
    """Train for two epochs of four batches; returns what a step depends on."""
    transformers.set_seed(0)
    config = transformers.GPT2Config(
        vocab_size=30, n_positions=8, n_embd=8, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0
    )
    model = transformers.GPT2LMHeadModel(config)
    arguments = transformers.TrainingArguments(
        str(folder),
        num_train_epochs=2,
        per_device_train_batch_size=4,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        learning_rate=1e-2,
        logging_strategy="no",
    )
    trainer = transformers.Trainer(model, arguments, train_dataset=tokens(), callbacks=callbacks)
    trainer.train()
    weights = [tensor.numpy().tobytes() for tensor in model.state_dict().values()]
    moments = [
        tensor.numpy().tobytes()
        for state in trainer.optimizer.state.values()
        for tensor in state.values()
    ]
    return weights, moments, torch.get_rng_state().numpy().tobytes()


@pytest.mark.parametrize("unit", ["step", "epoch"])
def test_the_training_is_the_same_to_the_bit(transformers, unit, tmp_path):
    batch = {key: torch.stack([row[key] for row in tokens()]) for key in ("input_ids", "labels")}
    every = {"step": 4, "epoch": 1}[unit]
    with preserved_random_state():
        untracked = train(transformers, tmp_path / "out", [])
        tracker = Tracker(tmp_path / "run", [batch], every=every, unit=unit, probes=2)
        callbacks = [tracker.transformers_callback()]
        assert train(transformers, tmp_path / "out", callbacks) == untracked
    assert [row["epoch"] for row in tracker.rows] == [0, every, 2 * every]
    losses = [row["train_loss"] for row in tracker.rows]
    assert losses == sorted(losses, reverse=True)
    assert 0 < tracker.rows[1]["lr"] < 1e-2


def test_without_transformers(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "transformers.trainer_callback", None)
    with pytest.raises(
        InputError, match="needs transformers, which .* pip install 'loss-.*huggingface"
    ):
        Tracker(tmp_path / "run", samples()).transformers_callback()

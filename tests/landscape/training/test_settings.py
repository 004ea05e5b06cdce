import math

import pytest

from landscape.errors import InputError
from landscape.training.settings import TrainSettings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "--epochs has to be positive, got 0"),
        ({"batch_size": 0}, "--batch-size has to be positive"),
        ({"lr": 0.0}, "--lr has to be positive"),
        ({"lr": math.nan}, "--lr has to be positive"),
        ({"rho": -1.0}, "--rho can't be negative, got -1"),
        ({"rho": math.nan}, "--rho has to be a finite number"),
        ({"weight_decay": -0.1}, "--weight-decay can't be negative"),
        ({"warmup_epochs": -1.0}, "--warmup-epochs can't be negative"),
        ({"clip": -1.0}, "--clip can't be negative"),
        ({"momentum": -0.5}, "--momentum has to be at least 0 and below 1, got -0.5"),
        ({"momentum": 5.0}, "--momentum has to be at least 0 and below 1, got 5.0"),
        ({"epochs": 10**20}, "--epochs has to be at most 9223372036854775807 in size"),
        ({"lr": 1e38}, "--lr has to be a finite number of at most 1e\\+19 in size"),
        ({"batch_size": 8, "accumulate": 9}, "--accumulate 9 divides a batch into more parts"),
        ({"save_every": -1}, "--save-every can't be negative, got -1"),
        ({"nesterov": True}, "--nesterov is a kind of momentum of sgd, got --opt adamw; leave"),
        ({"opt": "sgd", "nesterov": True, "momentum": 0.0}, "of sgd, got --momentum 0; leave"),
    ],
)
def test_settings_that_no_training_can_have(changes, message):
    with pytest.raises(InputError, match=message):
        TrainSettings(**changes)


@pytest.mark.parametrize(
    ("sync", "subset", "processes", "samples"),
    [
        (True, 0, 1, 64),
        (True, 0, 4, 64),
        (False, 0, 1, 64),
        (False, 0, 4, 16),
        (False, 8, 4, 8),
        (True, 8, 4, 32),
        (True, 8, 1, 8),
        (False, 50, 4, 16),
    ],
)
def test_how_many_samples_share_a_perturbation(sync, subset, processes, samples):
    settings = TrainSettings(rho=0.1, sam_sync=sync, sam_batch=subset)
    assert settings.samples_per_perturbation(64, processes) == samples


@pytest.mark.parametrize("name", ["rho", "lr", "warmup_epochs", "weight_decay", "clip"])
def test_settings_have_to_be_finite(name):
    with pytest.raises(InputError, match=f"--{name.replace('_', '-')} "):
        TrainSettings(**{name: math.inf})

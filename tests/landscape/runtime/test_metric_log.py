"""Metrics go to loggers of other libraries by the method that each has for them."""

import logging
import math
import random

import pytest
import torch

from landscape.errors import InputError
from landscape.runtime.metric_log import MetricLog

ROW = {"epoch": 3, "loss": 0.5, "lr": math.nan, "gap": math.inf}
METRICS = {"loss": 0.5, "gap": math.inf}


class Recorder:
    def __init__(self):
        self.calls = []


class OfThisProject(Recorder):
    def log_dict(self, metrics, step):
        self.calls.append((metrics, step))


class WithItsOwnName(Recorder):
    def log_dict(self, metrics, iteration):
        self.calls.append((metrics, iteration))


class LikeLightningsLoggers(Recorder):
    def log_metrics(self, metrics, step=None):
        self.calls.append((metrics, step))


class LikeWandb(Recorder):
    def log(self, data, step=None, commit=None):
        self.calls.append((data, step))


class LikeComet(Recorder):
    def log_metrics(self, dic, prefix=None, step=None, epoch=None):
        assert prefix is None
        self.calls.append((dic, step))


class LikeMlflow(LikeLightningsLoggers):
    def log_dict(self, dictionary, artifact_file):
        raise AssertionError("this writes a file")


class LikeALightningModule(Recorder, torch.nn.Module):
    def log(self, name, value, prog_bar=False):
        raise AssertionError("this takes one number")

    def log_dict(self, dictionary, prog_bar=False):
        self.calls.append((dictionary, 3))
        assert prog_bar is False


class Callable_(Recorder):  # noqa: N801
    def __call__(self, *arguments):
        self.calls.append(arguments)


LOGGERS = [
    OfThisProject,
    WithItsOwnName,
    LikeLightningsLoggers,
    LikeWandb,
    LikeComet,
    LikeMlflow,
    Callable_,
]


@pytest.mark.parametrize("kind", LOGGERS)
def test_every_logger_gets_the_metrics_and_the_step(kind):
    logger = kind()
    MetricLog(logger).write(ROW)
    assert logger.calls == [(METRICS, 3)]


def test_a_lightning_module_gets_the_metrics():
    logger = LikeALightningModule.__new__(LikeALightningModule)
    torch.nn.Module.__init__(logger)
    logger.calls = []
    MetricLog(logger).write(ROW)
    assert logger.calls == [(METRICS, 3)]


def test_a_function_gets_them_and_none_logs_nothing():
    calls = []
    MetricLog(lambda metrics, step: calls.append((metrics, step))).write(ROW)
    assert calls == [(METRICS, 3)]
    MetricLog(None).write(ROW)


def test_the_random_state_stays():
    states = random.getstate(), torch.get_rng_state()
    MetricLog(lambda _metrics, _step: (random.random(), torch.rand(1))).write(ROW)
    assert random.getstate() == states[0]
    assert torch.equal(torch.get_rng_state(), states[1])


def test_what_is_no_logger_is_refused():
    with pytest.raises(InputError, match=r"log has to be a function of \(metrics, step\), .* str$"):
        MetricLog("tensorboard")


def test_the_first_failure_is_raised_and_a_later_one_is_a_warning(caplog):
    seen = []

    def log(metrics, step):
        seen.append(step)
        if step != 1:
            raise ConnectionError("no route")

    with pytest.raises(ConnectionError):
        MetricLog(log).write({"epoch": 0, "loss": 1.0})
    passing = MetricLog(log)
    passing.write({"epoch": 1, "loss": 1.0})
    with caplog.at_level(logging.WARNING):
        passing.write({"epoch": 2, "loss": 1.0})
    assert "function does not take the metrics of 2: no route" in caplog.text
    assert seen == [0, 1, 2]

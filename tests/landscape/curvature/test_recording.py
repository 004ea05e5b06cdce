"""Recorded products: the same answers after a kill, without the work."""

import pytest
import torch

from landscape.curvature.operators import CurvatureOperator
from landscape.curvature.products import LocalProducts, ProductRequest
from landscape.curvature.recording import RecordedProducts
from landscape.eigen.lanczos import lanczos
from landscape.objective.objective import Objective
from landscape.parameters.groups import Group
from tests.landscape.eigen.planted import generator
from tests.oracles.cases import BY_NAME

QUESTION = {"weights": "abc", "top": 3}


class Counting:
    """Counts the calls that reach the real products."""

    def __init__(self, objective, fail_after=10**9):
        self.products = LocalProducts(objective)
        self.calls = 0
        self.fail_after = fail_after

    def __call__(self, requests, *, exact=False):
        if self.calls == self.fail_after:
            raise KeyboardInterrupt
        self.calls += 1
        return self.products(requests, exact=exact)

    def gradient(self):
        return self.products.gradient()


def objective_of(name="mixer"):
    case = BY_NAME[name]
    return Objective(
        case.model(), case.data, case.loss, batch_size=3, device="cpu", dtype=torch.float64
    )


def run(objective, answer):
    operator = CurvatureOperator(objective, answer=answer)
    return lanczos(operator, 3, generator())


def same(one, other):
    return torch.equal(one.eigenvalues, other.eigenvalues) and torch.equal(
        one.vectors, other.vectors
    )


@pytest.mark.parametrize("stop", [0, 1, 5, 17])
def test_it_goes_on_where_it_was_stopped(stop, tmp_path):
    objective, path = objective_of(), tmp_path / "hessian.journal"
    whole = Counting(objective)
    expected = run(objective, whole)
    first = RecordedProducts(Counting(objective, fail_after=stop), path, QUESTION)
    with pytest.raises(KeyboardInterrupt):
        run(objective, first)
    first.close()
    rest = Counting(objective)
    second = RecordedProducts(rest, path, QUESTION)
    assert second.left == stop
    assert same(run(objective, second), expected)
    assert rest.calls == whole.calls - stop
    second.close()
    third = RecordedProducts(Counting(objective, fail_after=0), path, QUESTION)
    assert same(run(objective, third), expected)


def filled(objective, path, count=4):
    recorded = RecordedProducts(Counting(objective), path, QUESTION)
    asked = [torch.randn(objective.num_parameters, 2, generator=generator(k)) for k in range(count)]
    asked = [one.to(torch.float64) for one in asked]
    answers = [recorded([ProductRequest(one)])[0] for one in asked]
    recorded.close()
    return asked, answers


@pytest.mark.parametrize("cut", [1, 20, 27, 28, 29, 1000])
def test_a_file_that_was_cut_short_gives_what_is_whole(cut, tmp_path):
    objective, path = objective_of(), tmp_path / "hessian.journal"
    asked, answers = filled(objective, path)
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    counting = Counting(objective)
    recorded = RecordedProducts(counting, path, QUESTION)
    assert recorded.left == 3
    for one, answer in zip(asked, answers, strict=True):
        torch.testing.assert_close(recorded([ProductRequest(one)])[0], answer, rtol=0, atol=1e-13)
    assert counting.calls == 1
    recorded.close()
    assert len(path.read_bytes()) == len(content)


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_damage_ends_what_is_believed(place, tmp_path):
    objective, path = objective_of(), tmp_path / "hessian.journal"
    filled(objective, path)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 0x10
    path.write_bytes(bytes(content))
    assert RecordedProducts(Counting(objective), path, QUESTION).left == int(4 * place)


def test_another_question_starts_anew(tmp_path):
    objective, path = objective_of(), tmp_path / "hessian.journal"
    filled(objective, path)
    assert RecordedProducts(Counting(objective), path, {**QUESTION, "top": 4}).left == 0
    assert RecordedProducts(Counting(objective), path, {**QUESTION, "top": 4}).left == 0
    path.write_bytes(b"\xff\xfe nothing of ours")
    assert RecordedProducts(Counting(objective), path, QUESTION).left == 0


def test_another_request_is_not_answered_from_the_file(tmp_path):
    objective, path = objective_of(), tmp_path / "hessian.journal"
    asked, _ = filled(objective, path)
    counting = Counting(objective)
    recorded = RecordedProducts(counting, path, QUESTION)
    recorded([ProductRequest(asked[0])])
    assert counting.calls == 0
    group = Group.of([(0, 5)])
    expected = LocalProducts(objective)([ProductRequest(asked[1][:5], group)])[0]
    assert torch.equal(recorded([ProductRequest(asked[1][:5], group)])[0], expected)
    assert counting.calls == 1
    assert recorded.left == 0


def test_a_full_disk_is_not_filled_further(tmp_path, monkeypatch, capsys):
    from landscape.curvature import recording

    class Usage:
        free = 10

    objective, path = objective_of(), tmp_path / "hessian.journal"
    monkeypatch.setattr(recording.shutil, "disk_usage", lambda _: Usage)
    asked, answers = filled(objective, path)
    assert "the disk is nearly full" in capsys.readouterr().err
    assert len(answers) == len(asked)
    assert RecordedProducts(Counting(objective), path, QUESTION).left == 0


def test_a_write_that_fails_ends_the_recording_and_not_the_work(tmp_path, monkeypatch, capsys):
    from landscape.curvature import recording

    def full(*_):
        raise OSError(28, "No space left on device")

    objective, path = objective_of(), tmp_path / "hessian.journal"
    monkeypatch.setattr(recording, "_write", full)
    asked, answers = filled(objective, path)
    assert len(answers) == len(asked)
    assert capsys.readouterr().err.count("No space left on device") == 1


def test_short_writes_and_reads_are_gone_on_with(tmp_path, monkeypatch):
    from landscape.curvature import recording

    write, read = recording.os.pwrite, recording.os.pread
    monkeypatch.setattr(recording.os, "pwrite", lambda f, data, at: write(f, data[:100], at))
    monkeypatch.setattr(recording.os, "pread", lambda f, count, at: read(f, min(count, 77), at))
    objective, path = objective_of(), tmp_path / "hessian.journal"
    asked, answers = filled(objective, path)
    counting = Counting(objective)
    recorded = RecordedProducts(counting, path, QUESTION)
    for one, answer in zip(asked, answers, strict=True):
        assert torch.equal(recorded([ProductRequest(one)])[0], answer)
    assert counting.calls == 0

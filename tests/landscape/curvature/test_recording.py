"""Recorded products: the same answers after a kill, without the work."""

import pytest
import torch

from landscape.curvature.operators import CurvatureOperator
from landscape.curvature.products import LocalProducts
from landscape.curvature.recording import RecordedProducts
from landscape.curvature.requests import ProductRequest
from landscape.eigen.lanczos import lanczos
from landscape.objective.objective import Objective
from landscape.parameters.groups import Group
from landscape.results import journal, records
from tests.landscape.eigen.planted import generator
from tests.oracles.cases import BY_NAME
from tests.profile import repeats

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


def same(pairs, expected):
    return torch.equal(pairs.eigenvalues, expected.eigenvalues) and torch.equal(
        pairs.vectors, expected.vectors
    )


@pytest.fixture(scope="module")
def unstopped():
    """The eigenpairs of a run that is not stopped, and how many products it takes."""
    objective = objective_of()
    counting = Counting(objective)
    return run(objective, counting), counting.calls


@pytest.mark.parametrize("stop", [17, 1, 0, 5][: repeats(2, 4)])
def test_it_resumes_where_it_was_stopped(stop, tmp_path, unstopped):
    objective, path = objective_of(), tmp_path / "hessian.journal"
    expected, calls = unstopped
    first = RecordedProducts(Counting(objective, fail_after=stop), path, QUESTION)
    with pytest.raises(KeyboardInterrupt):
        run(objective, first)
    first.close()
    rest = Counting(objective)
    second = RecordedProducts(rest, path, QUESTION)
    assert second.num_recorded == stop
    assert same(run(objective, second), expected)
    assert rest.calls == calls - stop
    second.close()
    third = RecordedProducts(Counting(objective, fail_after=0), path, QUESTION)
    assert same(run(objective, third), expected)


def filled(objective, path, count=4):
    """A journal of some products: what was asked, and the answers."""
    recorded = RecordedProducts(Counting(objective), path, QUESTION)
    draws = [torch.randn(objective.num_parameters, 2, generator=generator(k)) for k in range(count)]
    vectors = [draw.to(torch.float64) for draw in draws]
    answers = [recorded([ProductRequest(columns)])[0] for columns in vectors]
    recorded.close()
    return vectors, answers


@pytest.mark.parametrize("cut", [1, 1000, 20, 27, 28, 29][: repeats(2, 6)])
def test_a_file_that_was_cut_short_gives_what_is_whole(cut, tmp_path):
    objective, path = objective_of(), tmp_path / "hessian.journal"
    vectors, answers = filled(objective, path)
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    counting = Counting(objective)
    recorded = RecordedProducts(counting, path, QUESTION)
    assert recorded.num_recorded == 3
    for columns, answer in zip(vectors, answers, strict=True):
        product = recorded([ProductRequest(columns)])[0]
        torch.testing.assert_close(product, answer, rtol=0, atol=1e-13)
    assert counting.calls == 1
    recorded.close()
    assert len(path.read_bytes()) == len(content)


@pytest.mark.parametrize("place", [0.6, 0.3, 0.9][: repeats(1, 3)])
def test_damage_costs_one_product(place, tmp_path):
    objective, path = objective_of(), tmp_path / "hessian.journal"
    vectors, answers = filled(objective, path)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 0x10
    path.write_bytes(bytes(content))
    counting = Counting(objective)
    recorded = RecordedProducts(counting, path, QUESTION)
    assert recorded.num_recorded == 3
    for columns, answer in zip(vectors, answers, strict=True):
        product = recorded([ProductRequest(columns)])[0]
        torch.testing.assert_close(product, answer, rtol=0, atol=1e-13)
    assert counting.calls == 1


def test_another_question_starts_anew(tmp_path, caplog):
    caplog.set_level("INFO")
    objective, path = objective_of(), tmp_path / "hessian.journal"
    filled(objective, path)
    assert RecordedProducts(Counting(objective), path, {**QUESTION, "top": 4}).num_recorded == 0
    assert RecordedProducts(Counting(objective), path, {**QUESTION, "top": 4}).num_recorded == 0
    assert caplog.messages == [
        f"{path} belongs to another question (top 3, now 4): kept as hessian.1.journal"
    ]
    path.write_bytes(b"\xff\xfe nothing of ours")
    assert RecordedProducts(Counting(objective), path, QUESTION).num_recorded == 0


def test_another_request_is_not_answered_from_the_file(tmp_path):
    objective, path = objective_of(), tmp_path / "hessian.journal"
    vectors, answers = filled(objective, path)
    counting = Counting(objective)
    recorded = RecordedProducts(counting, path, QUESTION)
    recorded([ProductRequest(vectors[0])])
    assert counting.calls == 0
    group = Group.of([(0, 5)])
    expected = LocalProducts(objective)([ProductRequest(vectors[1][:5], group)])[0]
    assert torch.equal(recorded([ProductRequest(vectors[1][:5], group)])[0], expected)
    assert counting.calls == 1
    for requests, exact in (
        ([ProductRequest(vectors[1])], True),
        ([ProductRequest(vectors[1][:, :1])], False),
        ([ProductRequest(columns) for columns in vectors[:2]], False),
    ):
        for product, request in zip(recorded(requests, exact=exact), requests, strict=True):
            assert product.shape == request.vectors.shape
    assert counting.calls == 4
    assert recorded.num_recorded == 8
    # What is in the file is still answered from it, in any order.
    for columns, answer in zip(reversed(vectors), reversed(answers), strict=True):
        assert torch.equal(recorded([ProductRequest(columns)])[0], answer)
    assert counting.calls == 4


def test_several_requests_come_back_in_their_shapes(tmp_path):
    objective, path = objective_of(), tmp_path / "hessian.journal"
    vectors, _ = filled(objective, path, count=2)
    group = Group.of([(0, 5)])
    requests = [ProductRequest(vectors[0]), ProductRequest(vectors[1][:5], group)]
    with_file = [
        RecordedProducts(Counting(objective, fail_after=calls), path, QUESTION)(requests)
        for calls in (1, 0)
    ]
    for product, again, request in zip(*with_file, requests, strict=True):
        assert torch.equal(product, again)
        assert again.shape == request.vectors.shape


def test_a_full_disk_ends_the_recording_and_not_the_work(tmp_path, monkeypatch, caplog):
    class Usage:
        free = 10

    caplog.set_level("INFO")
    objective, path = objective_of(), tmp_path / "hessian.journal"
    monkeypatch.setattr(journal.shutil, "disk_usage", lambda _: Usage)
    vectors, answers = filled(objective, path)
    assert caplog.text.count("the disk is nearly full") == 1
    assert len(answers) == len(vectors)
    assert RecordedProducts(Counting(objective), path, QUESTION).num_recorded == 0


def test_a_write_that_fails_ends_the_recording_and_not_the_work(tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    caplog.set_level("INFO")
    objective, path = objective_of(), tmp_path / "hessian.journal"
    monkeypatch.setattr(journal, "append", full)
    vectors, answers = filled(objective, path)
    assert len(answers) == len(vectors)
    assert caplog.text.count("No space left on device") == 1


def test_short_writes_and_reads_are_continued(tmp_path, monkeypatch):
    write, read = records.os.write, records.os.pread
    monkeypatch.setattr(records.os, "write", lambda f, data: write(f, data[:100]))
    monkeypatch.setattr(records.os, "pread", lambda f, count, at: read(f, min(count, 77), at))
    objective, path = objective_of(), tmp_path / "hessian.journal"
    vectors, answers = filled(objective, path)
    counting = Counting(objective)
    recorded = RecordedProducts(counting, path, QUESTION)
    for columns, answer in zip(vectors, answers, strict=True):
        assert torch.equal(recorded([ProductRequest(columns)])[0], answer)
    assert counting.calls == 0

import threading
from dataclasses import dataclass, field

import pytest
import torch

from landscape.data.feed import (
    batches,
    epoch_order,
    steps_per_epoch,
    stream_seed,
    to_device,
)
from landscape.data.samples import Normalization, TensorSamples

CPU = torch.device("cpu")


@dataclass
class SlowSamples:
    """Samples that are no tensors, as pictures on disk; it notes who asks for what."""

    inputs: torch.Tensor
    targets: torch.Tensor
    classes: tuple = ()
    fail_at: int = -1
    fetched: list = field(default_factory=list)
    threads: set = field(default_factory=set)

    @property
    def input_shape(self):
        return tuple(self.inputs.shape[1:])

    def __len__(self):
        return len(self.targets)

    def fetch(self, indices):
        self.fetched.append(indices.tolist())
        self.threads.add(threading.current_thread())
        if self.fail_at in indices.tolist():
            raise OSError(f"sample {self.fail_at} can't be read")
        return self.inputs[indices]


def tensors(n):
    return torch.arange(n * 6.0).view(n, 1, 2, 3), torch.arange(n) % 4


def samples(n):
    return TensorSamples(*tensors(n))


def test_the_order_is_a_permutation():
    order = epoch_order(samples(101), seed=3, epoch=2)
    assert order.sort().values.tolist() == list(range(101))
    assert order.tolist() != list(range(101))


def test_the_order_is_a_function_of_seed_and_epoch_alone():
    data = samples(50)
    expected = epoch_order(data, 3, 7)
    torch.manual_seed(99)
    torch.rand(5)
    assert torch.equal(epoch_order(data, 3, 7), expected)
    orders = {
        tuple(epoch_order(data, seed, epoch).tolist()) for seed in range(5) for epoch in range(5)
    }
    assert len(orders) == 25


def test_the_order_leaves_the_global_random_state():
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    epoch_order(samples(10), 0, 0)
    assert torch.equal(torch.rand(3), expected)


def test_stream_seeds_are_distinct_over_all_the_streams_of_a_training():
    seeds = []
    for seed in (0, 1, 2, 3, 1000, 2**31, 2**62):
        for epoch in range(40):
            seeds.append(stream_seed(seed, epoch))
            seeds.append(stream_seed(seed, epoch, 1))
            seeds.extend(stream_seed(seed, epoch, 2, step) for step in range(100))
    assert len(set(seeds)) == len(seeds)


def test_stream_seeds_depend_on_the_order_of_the_keys():
    assert stream_seed(1, 2) != stream_seed(2, 1)
    assert stream_seed(1, 2) == stream_seed(1, 2)
    assert stream_seed(0) != stream_seed(0, 0)


@pytest.mark.parametrize("keys", [(0,), (-1, 3), (2**70, 1), (5, 6, 7, 8)])
def test_a_stream_seed_is_one_that_torch_takes(keys):
    seed = stream_seed(*keys)
    assert 0 <= seed < 2**63
    assert torch.Generator().manual_seed(seed).initial_seed() == seed


@pytest.mark.parametrize(
    ("n", "batch_size", "steps"), [(100, 10, 10), (109, 10, 10), (10, 10, 1), (9, 10, 1), (1, 1, 1)]
)
def test_steps_per_epoch(n, batch_size, steps):
    assert steps_per_epoch(samples(n), batch_size) == steps


@pytest.mark.parametrize(("n", "batch_size"), [(12, 4), (13, 4), (3, 4), (1, 1), (5, 5)])
def test_the_background_reader_gives_the_same_batches_as_memory(n, batch_size):
    inputs, targets = tensors(n)
    order = epoch_order(samples(n), 1, 1)
    slow = SlowSamples(inputs, targets)
    from_memory = list(batches(samples(n), list(order.split(batch_size)), CPU))
    from_reader = list(batches(slow, list(order.split(batch_size)), CPU))
    index_batches = order.split(batch_size)
    assert len(from_memory) == len(from_reader) == len(index_batches)
    for indices, (x, y), (read_x, read_y) in zip(
        index_batches, from_memory, from_reader, strict=True
    ):
        assert torch.equal(x, inputs[indices])
        assert torch.equal(y, targets[indices])
        assert torch.equal(read_x, x)
        assert torch.equal(read_y, y)
    assert slow.fetched == [indices.tolist() for indices in index_batches]


def test_the_reader_is_another_thread_and_one_batch_ahead():
    slow = SlowSamples(*tensors(20))
    feed = batches(slow, list(torch.arange(20).split(4)), CPU)
    next(feed)
    next(feed)
    assert len(slow.fetched) <= 3
    feed.close()
    assert threading.current_thread() not in slow.threads
    assert not any(thread.is_alive() for thread in slow.threads)


def test_what_goes_wrong_in_the_reader_is_raised_at_its_batch():
    slow = SlowSamples(*tensors(20), fail_at=9)
    read = []
    feed = batches(slow, list(torch.arange(20).split(4)), CPU)
    with pytest.raises(OSError, match="sample 9 can't be read"):
        read.extend(targets.tolist() for _, targets in feed)
    assert read == [[0, 1, 2, 3]] * 2
    assert not any(thread.is_alive() for thread in slow.threads)


def test_samples_in_memory_are_normalised_after_they_moved():
    inputs = torch.randint(256, (5, 3, 2, 2), dtype=torch.uint8)
    data = TensorSamples(inputs, torch.arange(5), ("a",) * 5, Normalization((0.5,), (0.25,)))
    moved = to_device(data, torch.device("meta"), torch.float32)
    assert moved.inputs.device.type == moved.targets.device.type == "meta"
    assert (moved.classes, moved.normalization) == (data.classes, data.normalization)
    ((x, y),) = batches(to_device(data, CPU, torch.float32), [torch.arange(5)], CPU)
    assert torch.equal(x, (inputs.float() / 255 - 0.5) / 0.25)
    assert torch.equal(y, torch.arange(5))


def test_samples_on_disk_stay_there():
    slow = SlowSamples(*tensors(3))
    assert to_device(slow, torch.device("meta"), torch.float32) is slow

"""Many points of a small network in one forward pass, by ``torch.vmap`` over their weights.

Of a small network an operation takes less time than its call. A pass that carries the weights of
many points makes as many calls as a pass of one point. Products of a batch of matrices sum in
another order than single ones, so the losses differ in rounding.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from landscape.data.batches import Batch
from landscape.data.batching import largest_tensor
from landscape.objective.evaluation import Evaluation, PassSums
from landscape.objective.objective import Objective
from landscape.runtime.devices import full_precision

# The largest tensor of a pass may take so many bytes: what leaves the cache of a core takes longer
# than the calls that are saved. (benchmarks/RESULTS.md has the measurements.)
PASS_BYTES = 2 << 20
# So many points are worth a pass, and more than the latter save nothing further.
FEWEST, MOST = 16, 64


def points_of_a_pass(objective: Objective) -> int:
    """How many points a pass should carry, counted from the size of its tensors; 1 for none.

    A count does not depend on how busy the machine is, as a measured time does, so that two runs
    group their points alike.
    """
    with objective.evaluating():
        of_a_batch = largest_tensor(lambda: objective.forward(objective.batches[0]))
    of_a_point = max(of_a_batch, objective.theta.numel() * objective.theta.element_size())
    fitting = PASS_BYTES // of_a_point
    return min(1 << (fitting.bit_length() - 1), MOST) if fitting >= FEWEST else 1


def evaluate_together(
    objective: Objective, samples: Mapping[str, Sequence[Batch]], thetas: Tensor
) -> list[dict[str, Evaluation]]:
    """Every split's evaluation for each of some weights.

    Args:
        objective: the loss, in which no weight is moved.
        samples: the batches of each split.
        thetas: the weights of k points, of shape (k, P).

    Raises:
        RuntimeError: an operation of the model, the loss or a metric can't be taken for many
            weights at once, such as a decision that depends on the values.
    """
    sums = {split: PassSums(objective.criterion, objective.metrics) for split in samples}
    moved = _Moved(objective)

    def at(theta: Tensor) -> tuple[Tensor, ...]:
        return tuple(moved(theta, sums[split], batches) for split, batches in samples.items())

    # Of the forms of attention, vmap knows the one that is made of matrix products.
    with torch.no_grad(), full_precision(), sdpa_kernel(SDPBackend.MATH):
        of_splits = [each.tolist() for each in torch.vmap(at)(thetas)]
    return [
        {
            split: of_split.evaluation(numbers)
            for (split, of_split), numbers in zip(sums.items(), of_point, strict=True)
        }
        for of_point in zip(*of_splits, strict=True)
    ]


class _Moved:
    """The sums of a pass with other weights in the place of the module's own."""

    def __init__(self, objective: Objective) -> None:
        self._layout = objective.layout
        self._pass = _Pass(objective)

    def __call__(self, theta: Tensor, sums: PassSums, batches: Sequence[Batch]) -> Tensor:
        names = (f"module.{name}" for name in self._layout.names)
        weights = dict(zip(names, self._layout.views(theta), strict=True))
        result = torch.func.functional_call(self._pass, weights, (sums, batches))
        assert isinstance(result, Tensor)
        return result


class _Pass(nn.Module):
    """A pass over batches as a module, since a training step takes the network itself."""

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.module = objective.module
        self._criterion = objective.criterion

    def forward(self, sums: PassSums, batches: Sequence[Batch]) -> Tensor:
        return sums.over(lambda batch: self._criterion.call(self.module, batch), batches)

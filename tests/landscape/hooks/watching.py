"""What the tests of observed activations share."""

from torch import nn

from landscape.hooks.activations import watch_activations


def watched(model, *inputs, passes=1):
    """Every (layer, output) of the passes, and the model's output."""
    seen = []
    with watch_activations(model, lambda layer, output: seen.append((layer, output.clone()))):
        for _ in range(passes):
            model(*inputs)
    return seen


def names(seen):
    return [layer for layer, _ in seen]


class Calls(nn.Module):
    """Applies a function to what a linear layer puts out."""

    def __init__(self, function, width=3):
        super().__init__()
        self.function = function
        self.linear = nn.Linear(width, 4)

    def forward(self, x):
        return self.function(self.linear(x))

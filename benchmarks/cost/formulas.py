"""What every analysis costs, as formulas: the page's table is made from them, and they are checked.

A formula is a sum of products of numbers and symbols, such as ``3 N + 2 k N``; one of bytes may be
the largest of several, ``6 P | 3 P + A``. :data:`SYMBOLS` says what the symbols are.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

# What the symbols of formulas are.
SYMBOLS = {
    "N": "samples",
    "B": "samples in a batch",
    "k": "what the first column counts",
    "s": "products with the whole matrix, certificates included",
    "b": "products with blocks of it, likewise, by what they cost beside the mean",
    "l": "products with the Hessian of a sample by a layer's outputs, likewise",
    "v": "vectors with a sampling error: eigenvectors of those asked for and of both ends",
    "w": "the same of blocks: one to three of each",
    "d": "losses along a line for a second difference, at most 17",
    "u": "gradients of ascents, at most 3 + 9 for each of `--ascent-steps`",
    "r": "rows that a Lanczos basis has room for: 16, and 48 while it grows to 32, 96 to 64, ...",
    "P": "bytes of a vector of all parameters, 4 for each in float32",
    "p": "parameters",
    "m": "tokens times neurons², over activation layers; at most 16 tokens and 1,024 neurons",
    "q": "pairs in a batch: B, or N / 2 where that is less",
    "A": "bytes that a forward pass of a batch takes",
    "H": "bytes of a sample's graph of a gradient, through which products go",
}


@dataclass(frozen=True)
class Formula:
    """The largest of sums of products.

    Example:
        >>> Formula("2 k N + N").value({"k": 3, "N": 10})
        70.0
        >>> str(Formula("6 P | 3 P + A"))
        'max(6·P, 3·P + A)'
    """

    text: str

    def value(self, sizes: Mapping[str, float]) -> float:
        """The number for these values of the symbols."""
        return max(
            sum(
                math.prod(_number(factor, sizes) for factor in product.split())
                for product in alternative.split("+")
            )
            for alternative in self.text.split("|")
        )

    def __str__(self) -> str:
        alternatives = [
            " + ".join("·".join(product.split()) for product in alternative.split("+"))
            for alternative in self.text.split("|")
        ]
        return alternatives[0] if len(alternatives) == 1 else f"max({', '.join(alternatives)})"


def _number(factor: str, sizes: Mapping[str, float]) -> float:
    return float(sizes[factor]) if factor in SYMBOLS else float(factor)


NONE = Formula("0")


@dataclass(frozen=True)
class Cost:
    """What an analysis costs.

    Attributes:
        meaning_of_k: what k is; empty for an analysis of no such number.
        forwards: forward passes over a sample without derivatives.
        gradients: forward passes with a backward pass to the weights.
        inputs: forward passes with a backward pass to the inputs alone.
        products: backward passes through the graph that a gradient leaves.
        blocks: the same, to the weights of a block alone.
        layers: the same, to the outputs of a layer alone.
        rows: backward passes to the weights without the forward pass.
        along: second derivatives along a vector of all weights: in forward mode over a small
            sample, by products over a large one.
        along_blocks: the same along a vector of the weights of a block.
        operations: floating-point operations beside those passes.
        peak: bytes of tensors at the peak, beyond what the objective holds.
        file: bytes of the result's file.
    """

    meaning_of_k: str
    forwards: Formula = NONE
    gradients: Formula = NONE
    inputs: Formula = NONE
    products: Formula = NONE
    blocks: Formula = NONE
    layers: Formula = NONE
    rows: Formula = NONE
    along: Formula = NONE
    along_blocks: Formula = NONE
    operations: Formula = NONE
    peak: Formula = NONE
    file: Formula = NONE

    def passes(self, sizes: Mapping[str, float]) -> float:
        """How often the network is called with a sample, but to carry derivatives along."""
        calls = self.forwards, self.gradients, self.inputs
        return sum(each.value(sizes) for each in calls)


def _cost(meaning_of_k: str, **formulas: str) -> Cost:
    return Cost(meaning_of_k, **{name: Formula(text) for name, text in formulas.items()})


# By the name of the analysis; `curves` reads a log and is no function of the network.
COSTS: dict[str, Cost] = {
    "surface": _cost(
        "points", forwards="k N + 4 N", peak="6 P | 3 P + A", file="2 P + 26 k + 40290"
    ),
    "line": _cost("points", forwards="k N + 4 N", peak="2 P + A", file="P + 41 k + 29667"),
    "interpolate": _cost("points", forwards="k N + 10 N", peak="P + A", file="P + 41 k + 30698"),
    "trajectory": _cost(
        "points, with 4 epochs",
        forwards="k N + 12 N",
        operations="56 p",
        peak="26 P",
        file="2 P + 26 k + 44546",
    ),
    "hessian": _cost(
        "probes, of 4 steps",
        forwards="N + 2 B + d N",
        gradients="3 N + 3 B",
        products="s N",
        along="v N",
        operations="43 k k p + 710 k p",
        peak="42 k P + 1.17 N H | 35 k P + 6.5 A + 1.17 N H",
        file="72 k + 21187",
    ),
    "components": _cost(
        "steps of a block",
        forwards="N + 2 B + d N",
        gradients="4 N + 3 B",
        products="s N",
        blocks="b N",
        along="v N",
        along_blocks="w N",
        peak="53.5 A + 30.2 P | 73.8 P + 1.6 k P + 1.13 N H + 1.1 B H",
        file="13252",
    ),
    "minibatch": _cost(
        "mini-batches of 8",
        gradients="48 k",
        products="8 s",
        operations="22 k p",
        peak="r P + 19.4 P + 20.3 H + 784 N",
        file="16 k + 7528",
    ),
    "sharpness": _cost(
        "epochs",
        forwards="k N + k B",
        gradients="3 k N + 3 k B",
        products="s N",
        along="2 k N",
        peak="59.5 P + 1.13 N H + 1.3 B H",
        file="137 k + 11132",
    ),
    "ntk": _cost(
        "samples, with 4 outputs",
        forwards="B + 4 k",
        rows="10 k",
        operations="68 k k p",
        peak="16 k P",
        file="176 k + 12096",
    ),
    "flatness": _cost(
        "draws", forwards="15 k N + 19 N", gradients="u N", peak="17 P", file="120 k + 23084"
    ),
    "norms": _cost("", forwards="N", peak="3 P + 0.86 A", file="11216"),
    "sparsity": _cost("", forwards="2 N", operations="2 N m", peak="36.8 m + 0.08 A", file="12458"),
    "recursion": _cost(
        "samples, of their own",
        forwards="N + 2 k + 5",
        gradients="7 k",
        blocks="b k",
        layers="l",
        along_blocks="w k",
        peak="33.6 P + 2.2 k P + 4 k H",
        file="72 k + 13618",
    ),
    "attention": _cost("pictures", forwards="N + k", peak="A", file="297 k + 18133"),
    "similarity": _cost(
        "samples compared",
        forwards="20 N + k + 6 B",
        gradients="6 N + 6 B",
        products="s N",
        peak="39.2 P + 1.13 N H + 1.25 B H",
        file="4 k k + 14973",
    ),
    "linearity": _cost(
        "points",
        forwards="1",
        inputs="0.5 k N",
        peak="0.104 q A + 2400 q + 784 N",
        file="20 N + 56 k + 11129",
    ),
    "robustness": _cost(
        "steps of PGD",
        forwards="9 N",
        inputs="k N + N",
        peak="6177 N | 1.667 A + 3086 N",
        file="8 N + 17194",
    ),
}

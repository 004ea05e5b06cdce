"""What analyses of large networks would take on graphics cards: arithmetic, nothing measured.

An H100 SXM has 80 GB and at most 67, 494.7 and 989.4 TFLOP/s in float32, dense TF32 and dense
bfloat16 (NVIDIA's data sheet, which states the latter two with sparsity, twice as much). Curvature
is computed in float32 without TF32 (`landscape.runtime.devices.full_precision`); surfaces may take
the others with --precision.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analyses.catalog import known_analyses
from benchmarks.cost.formulas import COSTS, Cost
from benchmarks.cost.large import Simulated
from landscape.runtime.cost import in_bytes, in_time

CARD_BYTES = 80 * 10**9
PEAKS = {"fp32": 67e12, "tf32": 494.7e12, "bf16": 989.4e12}
# The share of the peak that is assumed to be reached.
UTILISATION = 0.4
CARDS = 8
SAMPLES = 512
# What the objective holds: the weights in place and a copy of them.
HELD = 2
# The proof before a measurement holds the weights in float64 twice.
PROOF = 4
# A product holds its vectors in columns and rows, the result, its pieces and the gradient.
PRODUCT = 6


@dataclass(frozen=True)
class Work:
    """An analysis at certain settings.

    Attributes:
        name: the analysis.
        text: what is asked for, in words.
        precision: the arithmetic.
        k: of its formulas.
        products, gradients, along: the values of s, u and v.
        vectors: of P bytes on the card, at the peak beyond what the objective holds.
        has_graph: whether it holds the graph of a gradient, on top of what a forward pass holds.
    """

    name: str
    text: str
    precision: str
    k: int = 0
    products: int = 0
    gradients: int = 0
    along: int = 0
    vectors: int = 0
    has_graph: bool = False


# The products are those counted in benchmarks/RESULTS.md: 31 for the top five eigenvalues, 251 for
# a report's eigenvalues and density; since certificates of all pairs at once it takes fewer. Five
# pairs and two ends have sampling errors. Ascents take at most 3 + 9 x 10 gradients.
WORKS = (
    Work("surface", "51 x 51 points", "fp32", 51 * 51, vectors=6),
    Work("surface", "51 x 51 points, `--precision tf32`", "tf32", 51 * 51, vectors=6),
    Work("surface", "51 x 51 points, `--precision bf16`", "bf16", 51 * 51, vectors=6),
    Work("line", "51 points", "fp32", 51, vectors=2),
    Work("hessian", "`--quick`, top 5", "fp32", 0, 31, along=7, vectors=PRODUCT, has_graph=True),
    Work(
        "hessian", "6 probes of 40 steps, no components", "fp32", 6, 251, along=7,
        vectors=6 * 3 + PRODUCT, has_graph=True,
    ),
    Work("flatness", "default", "fp32", 10, gradients=93, vectors=17, has_graph=True),
    Work("norms", "default", "fp32"),
)  # fmt: skip


def operations_of(work: Work, network: Simulated) -> float:
    """The floating-point operations of an analysis of a network, on :data:`SAMPLES` samples."""
    cost = COSTS[work.name]
    sizes = {
        "N": SAMPLES,
        "B": 1,
        "k": work.k,
        "s": work.products,
        "u": work.gradients,
        "v": work.along,
        "d": 17,
    }
    return (
        cost.forwards.value(sizes) * network.forward
        + cost.gradients.value(sizes) * network.gradient
        + cost.products.value(sizes) * network.product
        + _sampling_errors(cost, sizes, network)
    )


def _sampling_errors(cost: Cost, sizes: Mapping[str, float], network: Simulated) -> float:
    """Those of sampling errors, which come by products: a sample of such networks is large."""
    along = cost.along.value(sizes)
    return along * network.product + (SAMPLES * network.gradient if along else 0.0)


def bytes_of(work: Work, network: Simulated) -> int:
    """The least that an analysis of a network needs on a card, with batches of one sample."""
    vectors = max(HELD + work.vectors, HELD + PROOF)
    activations = network.forward_bytes
    if work.has_graph:
        activations = network.graph_bytes if work.products else network.saved_bytes
    return 4 * vectors * network.parameters + activations


def table_of_networks(networks: Sequence[Simulated]) -> str:
    """The sizes of the networks, as Markdown."""
    lines = [
        "| | a sample | parameters | forward, GFLOP | gradient / forward | product / forward "
        "| along a vector / forward | P | A of a sample | kept for a gradient | H |",
        "|---|---|" + "---:|" * 9,
    ]
    for each in networks:
        lines.append(
            f"| {each.name} | {each.sample} | {each.parameters:,} | {each.forward / 1e9:,.1f} "
            f"| {each.gradient / each.forward:.2f} | {each.product / each.forward:.2f} "
            f"| {each.along / each.forward:.2f} "
            f"| {in_bytes(4 * each.parameters)} | {in_bytes(each.forward_bytes)} "
            f"| {in_bytes(each.saved_bytes)} | {in_bytes(each.graph_bytes)} |"
        )
    return "\n".join(lines)


def table_of_times(networks: Sequence[Simulated]) -> str:
    """The work, the memory and the time on one card and on eight, as Markdown."""
    lines = [
        "| | | arithmetic | PFLOP | on a card, at least | fits 80 GB | one card | eight cards |",
        "|---|---|---|" + "---:|" * 5,
    ]
    for network in networks:
        for work in WORKS:
            operations, needed = operations_of(work, network), bytes_of(work, network)
            seconds = operations / (UTILISATION * PEAKS[work.precision])
            fits = needed <= CARD_BYTES
            is_shared = known_analyses()[work.name].is_distributed
            times = "– | –"
            if fits:
                several = in_time(seconds / CARDS) if is_shared else "not shared"
                times = f"{in_time(seconds)} | {several}"
            lines.append(
                f"| {network.name} | {work.name}, {work.text} | {work.precision} "
                f"| {_in_petaflops(operations)} | {in_bytes(needed)} | {'yes' if fits else 'no'} "
                f"| {times} |"
            )
    return "\n".join(lines)


def _in_petaflops(operations: float) -> str:
    number = operations / 1e15
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"

"""Whether the errors that the product prints are what they say.

    python -m benchmarks.coverage [--repeats N] [--only NAME ...] [--json FILE]

Every number is measured N times (200), each time on other samples, draws, probes or seeds, and its
claimed error is compared with the distance from the truth, which is known from all data or from far
more draws. Printed are

- ``error``: the root mean square of the claimed standard errors over that of the distances,
- how often the truth lies within one and within two standard errors, beside what Student's t
  promises for the claimed degrees of freedom, and within the printed 95 % interval,
- the binomial uncertainty of these counts, of which 3 are marked with ``!``.

Takes a few minutes on one core.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special

from benchmarks.coverage import samples, spectra
from benchmarks.coverage.population import Measured, Population

QUANTITIES: dict[str, Callable[[Population, int], Measured]] = {
    "loss": samples.loss,
    "accuracy": samples.accuracy,
    "corruption accuracy": samples.corruption_accuracy,
    "L^N": samples.noisy_loss,
    "active share": samples.active_share,
    "missing rate": samples.missing_rate,
    "lambda_1": spectra.largest_eigenvalue,
    "trace": spectra.trace,
    "Frobenius norm": spectra.frobenius_norm_of_hessian,
    "negative share": spectra.negative_share,
    "density": spectra.density,
    "share beyond": spectra.share_beyond,
    "kappa": spectra.kappa,
}
WITHIN = (1.0, 2.0)
LEVEL = 0.95
# A coverage so many of its own uncertainties away from what is promised is marked.
MARKED = 3.0


@dataclass(frozen=True)
class Coverage:
    """How often the errors of a quantity cover the truth.

    Attributes:
        quantity: its name.
        truth: what it estimates.
        bias: the mean of the estimates minus the truth, relative to it.
        error: the claimed standard error relative to the true one.
        dof: the median of the claimed degrees of freedom.
        within: the share of the truth within one and within two standard errors.
        promised: what Student's t says of the same.
        in_interval: the share of the truth within the printed 95 % interval.
        uncertainty: of the two shares and of the interval's, by the binomial distribution.
        trials: how many there are; of a curve, repeats alone, since its points are not independent.
        note: what the error is of, or a bias that it does not hold.
    """

    quantity: str
    truth: float
    bias: float
    error: float
    dof: float
    within: tuple[float, float]
    promised: tuple[float, float]
    in_interval: float
    uncertainty: tuple[float, float, float]
    trials: int
    note: str

    @property
    def row(self) -> str:
        """A line of the table."""
        shares = [
            _share_text(share, promised, sure)
            for share, promised, sure in zip(
                (*self.within, self.in_interval),
                (*self.promised, LEVEL),
                self.uncertainty,
                strict=True,
            )
        ]
        dof = f"{self.dof:6.0f}" if self.dof < 1e5 else "     ∞"
        return f"{self.quantity:22} {self.error:6.2f} {dof} {'  '.join(shares)}  {self.note}"


def coverage(quantity: str, measured: Measured) -> Coverage:
    """Compare the claims of all repeats with the truth."""
    truths = np.atleast_1d(measured.truth)
    claims = np.array(
        [
            [(each.value, each.stderr, each.dof, *each.interval(LEVEL)) for each in repeat]
            for repeat in measured.estimates
        ]
    )
    values, stderrs, dofs, low, high = np.moveaxis(claims, -1, 0)
    distances = np.abs(values - truths)
    trials = len(values)
    within = [float((distances <= k * stderrs).mean()) for k in WITHIN]
    promised = [_promise(k, dofs) for k in WITHIN]
    inside = float(((low <= truths) & (truths <= high)).mean())
    sure = [math.sqrt(p * (1 - p) / trials) for p in (*promised, LEVEL)]
    # Of a curve every point counts alike, whatever its height.
    scale = np.sqrt((distances**2).mean(0))
    return Coverage(
        quantity=quantity,
        truth=float(truths.mean()),
        bias=float(np.mean(values.mean(0) / truths - 1)),
        error=float(np.sqrt(np.mean((stderrs / scale) ** 2))),
        dof=float(np.median(dofs)),
        within=(within[0], within[1]),
        promised=(promised[0], promised[1]),
        in_interval=inside,
        uncertainty=(sure[0], sure[1], sure[2]),
        trials=trials,
        note=measured.note,
    )


def _promise(errors: float, dofs: NDArray[np.float64]) -> float:
    """The probability that Student's t is within so many standard errors, on average."""
    finite = np.isfinite(dofs)
    inside = np.full(dofs.shape, 2 * float(special.ndtr(errors)) - 1)
    inside[finite] = 2 * np.asarray(special.stdtr(dofs[finite], errors)) - 1
    return float(inside.mean())


def _share_text(share: float, promised: float, uncertainty: float) -> str:
    mark = "!" if abs(share - promised) > MARKED * uncertainty else " "
    return f"{100 * share:5.1f} ({100 * promised:4.1f} ± {100 * uncertainty:.1f}){mark}"


def main(words: Sequence[str] | None = None) -> None:
    """Print a line for each quantity as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=200, metavar="N")
    parser.add_argument("--only", nargs="+", choices=QUANTITIES, metavar="NAME")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows as JSON")
    arguments = parser.parse_args(words)
    if arguments.repeats < 2:
        parser.error(f"--repeats has to be at least 2, got {arguments.repeats}")
    torch.set_num_threads(1)
    population = Population.trained()
    print(f"{arguments.repeats} repeats; in per cent: covered (promised ± uncertainty)")
    print(
        f"{'':22} {'error':>6} {'dof':>6} {'within one error':22}  {'within two errors':22}  "
        "95 % interval"
    )
    rows = []
    for name in arguments.only or QUANTITIES:
        started = time.perf_counter()
        row = coverage(name, QUANTITIES[name](population, arguments.repeats))
        rows.append(row)
        print(f"{row.row} [{time.perf_counter() - started:.0f} s]", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()

"""The numbers of the paper's tables, out of results: value, error, method and sample of each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analyses.drawing.numbers import estimate_text, number, share_text, with_error
from analyses.flatness.result import reference
from analyses.hessian.eigenvalues import LARGEST, Eigenvalues
from analyses.report.paper.subjects import Run
from analyses.report.paper.training_set import estimate_of_training_set, of_training_set
from landscape.estimates import Proportion
from landscape.parameters.components import ORDER
from landscape.results.result import Result

if TYPE_CHECKING:
    from analyses.components.result import ComponentCurvature
    from analyses.flatness.result import Flatness
    from analyses.hessian.result import Spectrum
    from analyses.linearity.result import Linearity
    from analyses.norms.result import Norms
    from analyses.ntk.result import TangentKernel
    from analyses.robustness.result import Robustness
    from analyses.sparsity.result import Sparsity


# What keeps a number from being compared.
LOWER_BOUND = "a lower bound decides nothing"
# What is said of every largest eigenvalue.
BIASED = "biased upwards on a subsample"


@dataclass(frozen=True)
class Quantity:
    """A number with its ``error``: 0 where it is exact for its sample, nan where none is known.

    ``dof`` are the degrees of freedom of the error, nan where they are not known.
    ``is_of_training`` is False for what does not depend on the training. ``printed`` is its text
    where that is not value ± error, as of shares near 0 and 100 % and of few degrees of freedom.
    ``setting`` is what the value depends on, such as the size of noise, where a short table says
    so. ``method`` says how it was measured and what the error is; ``sample`` on what. ``source`` is
    the analysis that it is from. ``caveat`` says why it can't be compared, where it can't.
    """

    value: float
    error: float
    method: str
    sample: str
    source: str
    caveat: str = ""
    dof: float = math.nan
    is_of_training: bool = True
    printed: str = ""
    setting: str = ""

    @property
    def text(self) -> str:
        """As it is printed."""
        sign = "> " if self.caveat == LOWER_BOUND else ""
        if self.printed:
            return f"{sign}{self.printed}"
        if self.error == 0:
            whole = float(self.value).is_integer()
            return f"{sign}{self.value:,.0f}" if whole else f"{sign}{number(self.value, 4)}"
        return f"{sign}{with_error(self.value, self.error)}"


@dataclass(frozen=True)
class Row:
    """A row of a table: what it is called, the analyses it can be from, and how to read them."""

    title: str
    analyses: tuple[str, ...]
    read: Callable[[Any], Quantity | None]


def quantity(run: Run, name: str) -> Quantity | None:
    """A number of a run by its name in :data:`ROWS`; None where it was not measured."""
    row = ROWS[name]
    for source in row.analyses or tuple(run.results):
        if source in run.results:
            measured = row.read(run.results[source])
            if measured is not None and not math.isnan(measured.value):
                return measured
    return None


def _of(result: Result, value: float, error: float, method: str, **fields: Any) -> Quantity:
    made = result.provenance
    split = made.origin.get("split", "")
    sample = f"{made.num_samples:,} {split} samples" if split else f"{made.num_samples:,} samples"
    return Quantity(float(value), float(error), method, sample, result.analysis, **fields)


def _share(result: Result, share: Proportion, method: str) -> Quantity:
    """A share in per cent."""
    value, error = 100 * share.value, 100 * share.stderr
    return _of(result, value, error, method, dof=share.dof, printed=share_text(share))


def _parameters(result: Result) -> Quantity:
    count = result.provenance.num_parameters
    return Quantity(count, 0.0, "counted", "", result.analysis, is_of_training=False)


def _sharpness(result: Spectrum | ComponentCurvature) -> Quantity:
    """The largest eigenvalue; its residual bounds how far the true one of the sample is."""
    value, error = _eigenvalue(result, result.ends, LARGEST)
    method = f"Lanczos; the error is that of sample and residual; {BIASED}"
    halves = getattr(result, "held_out", None)
    if halves is not None:
        lower = with_error(halves.lower.value, halves.lower.stderr)
        method += f", from halves at least {lower}, extrapolated {halves.extrapolated(value):.4g}"
    return _of(result, value, error, method, caveat=_bound(bool(result.ends.converged[LARGEST])))


def _eigenvalue(result: Result, values: Eigenvalues, place: int) -> tuple[float, float]:
    """An eigenvalue, and the error of its residual and of the sample together."""
    value = float(values.values[place])
    sampling_error = of_training_set(result, float(values.sampling_errors[place]))
    return value, math.hypot(value * float(values.residuals[place]), sampling_error)


def _bound(has_converged: bool) -> str:
    """The caveat of a largest eigenvalue: until it converges it is too small."""
    return "" if has_converged else LOWER_BOUND


def _component(*names: str) -> Callable[[Spectrum | ComponentCurvature], Quantity | None]:
    """The first of these components that there is."""

    def read(result: Spectrum | ComponentCurvature) -> Quantity | None:
        parts = result.components
        for name in names:
            if name in parts.names:
                k = parts.names.index(name)
                value, error = _eigenvalue(result, parts.largest, k)
                method = f"Lanczos on the block; the error is that of sample and residual; {BIASED}"
                caveat = _bound(bool(parts.largest.converged[k]))
                return _of(result, value, error, method, caveat=caveat)
        return None

    return read


def _block(place: float) -> Callable[[Spectrum | ComponentCurvature], Quantity | None]:
    """The block at ``place``: 0 the first, 0.5 the middle one, 1 the last."""

    def read(result: Spectrum | ComponentCurvature) -> Quantity | None:
        named = {word.partition("=")[0] for word in result.settings.group}
        blocks = [name for name in result.components.names if name not in {*ORDER, *named}]
        if not blocks:
            return None
        return _component(blocks[int(place * (len(blocks) - 1))])(result)

    return read


def _train_loss(result: Any) -> Quantity:
    """The loss at the weights, of clean samples: not what a training logged on its batches."""
    penalty = f" + {result.settings.l2:g}/2 ‖θ‖²" if result.settings.l2 else ""
    method = f"{result.provenance.loss_name}{penalty} at w, eval mode, clean samples"
    error = of_training_set(result, result.loss_stderr)
    return _of(result, result.loss, error, f"{method}; sampling error")


def _active(result: Sparsity) -> Quantity:
    method = "share > 0, mean over layers; standard error over samples"
    return _share(result, result.mean_share, method)


def _first_active(result: Sparsity) -> Quantity:
    first = result.mlp_layers[0]
    method = f"share > 0 after {result.layers[first]}; standard error over samples"
    return _share(result, result.shares[first], method)


def _accuracy(result: Robustness) -> Quantity:
    return _share(result, result.accuracy.share, "standard error over samples")


def _corruption_accuracy(result: Robustness) -> Quantity | None:
    score = result.corruption_accuracy
    if score is None:
        return None
    method = f"mean over {len(result.families)} families of ImageNet-C made here, 5 severities each"
    return _share(result, score.share, method)


def _missing_rate(result: Linearity) -> Quantity:
    method = f"midpoints of {len(result.pairs):,} pairs; standard error over pairs"
    return _share(result, result.missing_rate, method)


def _reference(sigmas: NDArray[np.float64]) -> int:
    return reference("fixed", sigmas)


def _largest(sigmas: NDArray[np.float64]) -> int:
    return int(sigmas.argmax())


def _noisy_loss(
    place: Callable[[NDArray[np.float64]], int],
) -> Callable[[Flatness], Quantity | None]:
    """Of noise that all weights get alike; its standard deviation is not stated in the paper."""

    def read(result: Flatness) -> Quantity | None:
        if "fixed" not in result.average:
            return None
        average = result.average["fixed"]
        k = place(average.sigmas)
        mean = estimate_of_training_set(
            result, average.estimates[k], float(average.sampling_error[k])
        )
        setting = f"σ = {average.sigmas[k]:g}"
        method = f"Gaussian noise, {setting}; standard error over samples and draws together"
        printed = estimate_text(mean)
        return _of(
            result, mean.value, mean.stderr, method, dof=mean.dof, printed=printed, setting=setting
        )

    return read


def _weight_norm(result: Norms) -> Quantity:
    return Quantity(float(result.norms[0]), 0.0, "2-norm of all parameters", "", result.analysis)


def _activation_norm(place: int) -> Callable[[Norms], Quantity | None]:
    """After the activation function of the first, middle or last MLP; a Mixer's of channels."""

    def read(result: Norms) -> Quantity | None:
        if not result.first_middle_last:
            return None
        mean, error = result.post_activation(result.first_middle_last[place])
        method = "2-norm over all tokens and neurons after the activation; standard error"
        return _of(result, mean, error, method)

    return read


def _kappa(result: TangentKernel) -> Quantity:
    value, error, is_bound = result.kappa()
    seeds = len(result.samples)
    mean = f"geometric mean of {seeds} seeds, standard error" if seeds > 1 else "one seed"
    method = f"{result.method}; {mean}"
    return Quantity(
        value,
        error,
        method,
        "",
        result.analysis,
        LOWER_BOUND if is_bound else "",
        dof=len(result.samples) - 1,
        is_of_training=result.settings.ntk_at != "init",
        printed=estimate_text(result.mean_kappa()),
    )


_OF_COMPONENTS = ("components", "hessian")
_MLP = "MLP (Mixer: channel mixing)"
ROWS: dict[str, Row] = {
    "parameters": Row("parameters", (), _parameters),
    "sharpness": Row("λ_max of the Hessian", ("hessian", "components"), _sharpness),
    "train_loss": Row("training loss at w, L_train", ("hessian",), _train_loss),
    "kappa": Row("κ of the tangent kernel", ("ntk",), _kappa),
    "noisy_loss": Row("loss under weight noise, L^N", ("flatness",), _noisy_loss(_reference)),
    "noisiest_loss": Row("L^N at the largest σ", ("flatness",), _noisy_loss(_largest)),
    "accuracy": Row("accuracy, %", ("robustness",), _accuracy),
    "corruption_accuracy": Row(
        "accuracy on corrupted pictures, %", ("robustness",), _corruption_accuracy
    ),
    "missing_rate": Row("missing rate R, %", ("linearity",), _missing_rate),
    "weight_norm": Row("‖w‖", ("norms",), _weight_norm),
    "first_activation": Row(f"‖a‖, first {_MLP}", ("norms",), _activation_norm(0)),
    "middle_activation": Row(f"‖a‖, middle {_MLP}", ("norms",), _activation_norm(1)),
    "last_activation": Row(f"‖a‖, last {_MLP}", ("norms",), _activation_norm(2)),
    "embedding": Row("λ_max, embedding", _OF_COMPONENTS, _component("embedding", "stem")),
    "mixing": Row(
        "λ_max, attention or token mixing",
        _OF_COMPONENTS,
        _component("attention", "token mixing"),
    ),
    "mlp": Row("λ_max, MLP or channel mixing", _OF_COMPONENTS, _component("MLP", "channel mixing")),
    "first_block": Row("λ_max, first block", _OF_COMPONENTS, _block(0.0)),
    "middle_block": Row("λ_max, middle block", _OF_COMPONENTS, _block(0.5)),
    "last_block": Row("λ_max, last block", _OF_COMPONENTS, _block(1.0)),
    "active": Row("active neurons, %", ("sparsity",), _active),
    "first_active": Row(f"active neurons, first {_MLP}, %", ("sparsity",), _first_active),
}

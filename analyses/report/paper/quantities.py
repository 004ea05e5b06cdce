"""The numbers of the paper's tables, out of results: value, error, method and sample of each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analyses.drawing.numbers import estimate_text, share_text
from analyses.flatness.result import reference
from analyses.report.paper.curvature_quantities import (
    block,
    component,
    sharpness,
    training_loss,
)
from analyses.report.paper.quantity import LOWER_BOUND, Quantity, of_result
from analyses.report.paper.shared_samples import PerSample
from analyses.report.paper.subjects import Run
from analyses.report.paper.training_set import estimate_of_training_set
from landscape.estimates import Proportion
from landscape.results.result import Result

if TYPE_CHECKING:
    from analyses.flatness.result import Flatness
    from analyses.linearity.result import Linearity
    from analyses.norms.result import Norms
    from analyses.ntk.result import TangentKernel
    from analyses.robustness.result import Robustness
    from analyses.sparsity.result import Sparsity


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


def _share(result: Result, share: Proportion, method: str) -> Quantity:
    """A share in per cent."""
    value, error = 100 * share.value, 100 * share.stderr
    return of_result(result, value, error, method, dof=share.dof, printed=share_text(share))


def _parameters(result: Result) -> Quantity:
    count = result.provenance.num_parameters
    return Quantity(count, 0.0, "counted", "", result.analysis, is_of_training=False)


def _active(result: Sparsity) -> Quantity:
    method = "share > 0, mean over layers; standard error over samples"
    return _share(result, result.mean_share, method)


def _first_active(result: Sparsity) -> Quantity:
    first = result.mlp_layers[0]
    method = f"share > 0 after {result.layers[first]}; standard error over samples"
    return _share(result, result.shares[first], method)


def _accuracy(result: Robustness) -> Quantity:
    measured = _share(result, result.accuracy.share, "standard error over samples")
    return replace(measured, per_sample=_answers(result, result.correct))


def _corruption_accuracy(result: Robustness) -> Quantity | None:
    score = result.corruption_accuracy
    if score is None:
        return None
    method = f"mean over {len(result.families)} families of ImageNet-C made here, 5 severities each"
    by_picture = result.corrupted.reshape(len(result.correct), -1).mean(1)
    return replace(_share(result, score.share, method), per_sample=_answers(result, by_picture))


def _answers(result: Robustness, correct: NDArray[Any]) -> PerSample:
    """The share of right answers to each picture, in per cent."""
    values = 100.0 * correct.astype(np.float64)
    return PerSample(result.provenance.sample_sha256, values, 100.0 / len(values))


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
        return of_result(
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
        return of_result(result, mean, error, method)

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
    "sharpness": Row("λ_max of the Hessian", ("hessian", "components"), sharpness),
    "train_loss": Row("training loss at w, L_train", ("hessian",), training_loss),
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
    "embedding": Row("λ_max, embedding", _OF_COMPONENTS, component("embedding", "stem")),
    "mixing": Row(
        "λ_max, attention or token mixing",
        _OF_COMPONENTS,
        component("attention", "token mixing"),
    ),
    "mlp": Row("λ_max, MLP or channel mixing", _OF_COMPONENTS, component("MLP", "channel mixing")),
    "first_block": Row("λ_max, first block", _OF_COMPONENTS, block(0.0)),
    "middle_block": Row("λ_max, middle block", _OF_COMPONENTS, block(0.5)),
    "last_block": Row("λ_max, last block", _OF_COMPONENTS, block(1.0)),
    "active": Row("active neurons, %", ("sparsity",), _active),
    "first_active": Row(f"active neurons, first {_MLP}, %", ("sparsity",), _first_active),
}

"""The sharpness of components: the paper's Table 3.

For every component (embedding, attention or token mixing, MLP or channel mixing, each block,
queries, keys, values, projections, norms, head, and groups of one's own) the largest eigenvalue of
its diagonal block of the Hessian, all other weights held fixed, and the smallest one beside it.
"""

from dataclasses import fields, replace
from typing import Any

from analyses.components.result import ComponentCurvature
from analyses.components.settings import Settings
from analyses.hessian.measure import measure_spectrum
from analyses.hessian.result import Spectrum
from analyses.hessian.settings import Settings as SpectrumSettings
from analyses.run_context import RunContext
from landscape.errors import NotMeasurableError
from landscape.objective.objective import Objective
from landscape.parameters.components import components


def measure(
    objective: Objective, settings: Settings, context: RunContext
) -> ComponentCurvature | None:
    """Measure the largest and the smallest eigenvalue of every component and of the network.

    A Hessian spectrum of the same objective that was measured with the same settings is reused.

    Args:
        objective: the loss.
        settings: the matrix, the tolerance, and components of one's own.
        context: the ranks that share the work, where finished products are kept, and results of
            other analyses.

    Returns:
        The curvature of the components; None in all ranks but the first.

    Raises:
        NotMeasurableError: if the network has no component that is known and none was named.

    Example:
        >>> from analyses import components
        >>> settings = components.Settings(group=("first=^0",))
        >>> components.compute(objective, settings).components.names
        ('first',)
    """
    if not settings.group and not components(objective.module, objective.layout):
        raise NotMeasurableError(
            f"{type(objective.module).__name__} has no list of blocks and no norm layer, by which "
            "components are told; name them with --group NAME=REGEX"
        )
    spectrum = _known(context, settings)
    exchange = f"known/{ComponentCurvature.analysis}/{objective.label}"
    # Only the first rank has the results of other analyses.
    if not context.ranks.broadcast(exchange, spectrum is not None):
        spectrum = _measure(objective, settings, context)
    if spectrum is None:
        return None
    return ComponentCurvature(
        components=spectrum.components,
        ends=spectrum.ends,
    )


def _known(context: RunContext, settings: Settings) -> Spectrum | None:
    """The spectrum that was measured with these settings, if there is one with components."""
    known = context.known.get(Spectrum.analysis)
    if not isinstance(known, Spectrum):
        return None
    needed = replace(known.settings, components="auto", **_matrix_settings(settings))
    return known if known.settings == needed else None


def _measure(objective: Objective, settings: Settings, context: RunContext) -> Spectrum | None:
    spectrum_settings = SpectrumSettings(top=1, probes=0, **_matrix_settings(settings))
    return measure_spectrum(objective, spectrum_settings, context, ComponentCurvature.analysis)


def _matrix_settings(settings: Settings) -> dict[str, Any]:
    return {field.name: getattr(settings, field.name) for field in fields(Settings)}

"""The reference of the Python packages: which names stand on which page, for mkdocstrings."""

import analyses
import landscape
from analyses.catalog import known_analyses

# Modules of the engine whose functions the other pages name.
ENGINE = (
    "landscape.checkpoints.load",
    "landscape.checkpoints.release",
    "landscape.curvature.blocks",
    "landscape.curvature.operators",
    "landscape.curvature.stability",
    "landscape.data.samples",
    "landscape.eigen.eigenpairs",
    "landscape.eigen.lanczos",
    "landscape.eigen.power_iteration",
    "landscape.eigen.quadrature",
    "landscape.eigen.trace",
    "landscape.models.mixer",
    "landscape.models.resnet",
    "landscape.models.vit",
)


def package(module: str, names: list[str], introduction: str) -> str:
    """A page of the public names of a package."""
    entries = [f"::: {module}.{name}\n    options:\n      heading_level: 2\n" for name in names]
    return "\n".join([f"# {module}", "", introduction, "", *entries])


def landscape_page() -> str:
    """The page of the package landscape."""
    return package("landscape", landscape.__all__, "The engine. `from landscape import NAME`.")


def analyses_page() -> str:
    """The page of the package analyses."""
    text = (
        "What the analyses share. Each is a package of its own, such as `analyses.surface`, with "
        "the functions `compute`, `of`, `tabulate` and `draw`, which are the methods of its "
        "`ANALYSIS`, an [Analysis](#analyses.Analysis). Their settings and results are "
        "[on a page of their own](measures.md)."
    )
    return package("analyses", analyses.__all__, text)


def measures_page() -> str:
    """The page of the settings and the result of every analysis of this project."""
    lines = [
        "# The measures from Python",
        "",
        "`analyses.NAME.of(model, data, **settings)` measures a module in one call, and "
        "`analyses.NAME.compute(objective, settings)` an [Objective](landscape.md). "
        "They return the result of that analysis. `tabulate(results)` and `draw(results)` make the "
        "tables and pictures of several. All four are described at "
        "[Analysis](analyses.md#analyses.Analysis).",
        "",
    ]
    for name, analysis in known_analyses().items():
        if not analysis.package.startswith("analyses."):
            continue  # of an installed package, which has its own pages
        lines += [f"## analyses.{name} {{ #{name} }}", "", f"{analysis.summary.capitalize()}.", ""]
        lines += [f"What it measures: [{name}](../analyses/{name}.md).", ""]
        for entry in (f"result.{analysis.result}", "settings.Settings"):
            lines += [f"::: {analysis.package}.{entry}", "    options:", "      heading_level: 3"]
            lines += ["      show_root_full_path: false", ""]
    return "\n".join(lines)


def engine_page() -> str:
    """The page of the engine's modules."""
    lines = [
        "# The engine's modules",
        "",
        "Modules below `landscape` that the other pages name. The names in "
        "[landscape](landscape.md) are the ones to start with.",
        "",
    ]
    for module in ENGINE:
        lines += [f"::: {module}", "    options:", "      heading_level: 2"]
        lines += ["      show_root_full_path: true", "      inherited_members: false", ""]
    return "\n".join(lines)

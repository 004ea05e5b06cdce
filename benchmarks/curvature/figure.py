"""The picture and the table of residuals against seconds and products."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from analyses.drawing.style import COLOURS, styled
from benchmarks.curvature.attempts import Attempt, fastest
from benchmarks.curvature.searches import AIM, OURS, TOOLS

TITLES = {"resnet20": "ResNet-20", "vit": "ViT", "mixer": "Mixer"}
_MARKERS = ("o", "s", "v", "^", "D")


def draw(rows: Sequence[Attempt], path: Path) -> None:
    """Draw a panel for each network and number of eigenvalues, and save it as PNG."""
    networks = list(dict.fromkeys(row.network for row in rows))
    tops = list(dict.fromkeys(row.top for row in rows))
    with styled():
        figure = Figure(figsize=(7.2, 0.6 + 1.9 * len(networks)), layout="constrained")
        panels = figure.subplots(len(networks), len(tops), squeeze=False, sharey=True)
        for line, network in zip(panels, networks, strict=True):
            for axes, top in zip(line, tops, strict=True):
                axes.axhline(AIM, color="0.6", linewidth=0.8, linestyle=":")
                for tool, colour, marker in zip(TOOLS, COLOURS, _MARKERS, strict=False):
                    points = [
                        (row.seconds, row.residual, row.missed)
                        for row in rows
                        if (row.network, row.top, row.tool) == (network, top, tool.name)
                        and row.residual is not None
                    ]
                    if not points:
                        continue
                    points.sort()
                    line_x, line_y, _ = zip(*points, strict=True)
                    axes.plot(line_x, line_y, color=colour, linewidth=1.0, zorder=2)
                    for x, y, lacks in points:
                        face = "white" if lacks else colour
                        axes.plot(x, y, marker, color=colour, markerfacecolor=face, markersize=4.5)
                axes.set(xscale="log", yscale="log")
                axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                axes.xaxis.set_major_formatter("{x:g}")
                axes.xaxis.set_minor_formatter(NullFormatter())
                axes.set(title=f"{TITLES[network]}, top {top}")
        for axes in panels[-1]:
            axes.set_xlabel("seconds")
        for axes in panels[:, 0]:
            axes.set_ylabel("true relative residual")
        first = panels[0, 0]
        handles = [
            first.plot([], [], f"{marker}-", color=colour, label=tool.name, markersize=4.5)[0]
            for tool, colour, marker in zip(TOOLS, COLOURS, _MARKERS, strict=False)
        ]
        hollow = {"color": "0.4", "markerfacecolor": "white"}
        handles += first.plot([], [], "o", label="misses an eigenvalue", **hollow)
        figure.legend(handles=handles, loc="outside upper center", ncols=3)
        figure.savefig(path)


def table(rows: Sequence[Attempt]) -> Iterator[str]:
    """Lines of Markdown: what it took each tool to have all pairs within :data:`AIM`.

    In parentheses the products, and how many times our seconds.
    """
    yield "| network | top | " + " | ".join(tool.name for tool in TOOLS) + " |"
    yield "|---|---:|" + "---:|" * len(TOOLS)
    for network, top in dict.fromkeys((row.network, row.top) for row in rows):
        cells = []
        ours = None
        for tool in TOOLS:
            mine = [r for r in rows if (r.network, r.top, r.tool) == (network, top, tool.name)]
            best = fastest(mine, AIM)
            if tool is OURS:
                ours = best
            if best is None:
                cells.append(_lacking(mine, ours))
                continue
            times = "" if ours is None or tool is OURS else f", {best.seconds / ours.seconds:.1f} x"
            cells.append(f"{best.seconds:.1f} s ({best.products}{times}; {best.setting})")
        yield f"| {TITLES[network]} | {top} | " + " | ".join(cells) + " |"


def _lacking(rows: Sequence[Attempt], ours: Attempt | None) -> str:
    """Why a tool has no seconds."""
    if not rows:
        return "not installed"
    if any(row.residual is None for row in rows):
        longest = max(row.seconds for row in rows)
        times = "" if ours is None else f" (over {longest / ours.seconds:.0f} x)"
        return f"not within {longest:.0f} s{times}"
    return f"not with {rows[-1].setting}"

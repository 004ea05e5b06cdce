"""Bars from the smallest to the largest weight."""

from matplotlib.figure import Figure


def draw(results, options=None):
    """A panel for each checkpoint."""
    page = Figure(figsize=(3 * len(results), 3), layout="constrained")
    for panel, result in zip(
        page.subplots(1, len(results), squeeze=False)[0], results, strict=True
    ):
        low, high = result.ends.T
        panel.bar(range(len(low)), high - low, bottom=low)
        panel.set_title(result.label)
    return {"ranges": page}

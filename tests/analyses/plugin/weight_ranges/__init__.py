"""An analysis of another package: the range of the weights of every tensor."""

from analyses import Analysis
from weight_ranges.settings import Settings

ANALYSIS = Analysis(
    name="ranges",
    package=__name__,
    question="how large are the largest weights?",
    title="Ranges of weights",
    summary="the smallest and the largest weight of every tensor",
    reading={"": "The range of weights by tensor.", "ranges": "A bar for each tensor."},
    settings=Settings,
    result="Ranges",
)

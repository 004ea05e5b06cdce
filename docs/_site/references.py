"""The generated pages of the reference, by name."""

from collections.abc import Callable

from docs._site import api, arrays, commands

REFERENCES: dict[str, Callable[[], str]] = {
    "landscape": api.landscape_page,
    "analyses": api.analyses_page,
    "measures": api.measures_page,
    "engine": api.engine_page,
    "landscape-plot": commands.landscape_plot,
    "landscape-train": commands.landscape_train,
    "arrays": arrays.arrays_page,
}

"""What is in a picture, by its pixels and by its texts."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cbook import is_math_text
from matplotlib.text import Text

from analyses.drawing.lettering import fit_names
from analyses.drawing.pictures import Picture, save_pictures


def laid_out(page):
    """The figure with its panels where they will stay: rendering it again costs less."""
    fit_names(page)
    page.set_layout_engine(None)
    return page


def render(page):
    """The pixels of a figure, of shape (height, width, 3)."""
    canvas = FigureCanvasAgg(page)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def panels(page):
    """Where the axes of a rendered figure are, as index of its pixels."""
    height = round(page.bbox.height)
    places = []
    for axes in page.axes:
        if not axes.axison and axes.name != "3d":  # three dimensions have frames of their own
            continue
        box = axes.get_window_extent()
        rows = slice(max(height - round(box.y1), 0), height - round(box.y0))
        places.append((rows, slice(max(round(box.x0), 0), round(box.x1))))
    return places


def coloured(page):
    """For each panel by number, how many of its pixels are neither black, white nor grey."""
    picture = render(page).astype(int)
    return {
        number: int((np.ptp(picture[place], axis=-1) > 40).sum())
        for number, place in enumerate(panels(page))
    }


def texts(page):
    """The texts of a figure as a reader sees them, without formulas; nothing is rendered."""
    shown = [text.get_text() for text in page.findobj(Text) if text.get_visible()]
    return {text.replace(r"\$", "$") for text in shown if not is_math_text(text)}


def save_figures(figures, folder, formats):
    """Write figures as the command does; returns the paths."""
    return save_pictures({name: Picture(page) for name, page in figures.items()}, folder, formats)

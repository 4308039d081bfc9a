"""Figures as SVG that stands in a page: names that no other figure has, crowds of points as an image."""

import io
import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CROWD = 400
"""Points, or patches of a map, above which a drawing of them is kept as an image."""

_DPI = 130
"""Of these images."""


def svg_text(figure: "Figure", name: str) -> str:
    """A figure as an element of a page, the same bytes for the same figure.

    Parameters
    ----------
    figure
        The figure; its layout is kept from here on.
    name
        Name that no other figure on the page has; names of its elements begin with it.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    _thin(figure)
    content = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        FigureCanvasSVG(figure).print_figure(content, format="svg", dpi=_DPI, metadata=nothing)
    # To be drawn again for a file, it needs not to be laid out again.
    figure.set_layout_engine("none")
    return _of_its_own(content.getvalue(), name)


def _thin(figure: "Figure") -> None:
    """Have crowds of points drawn as an image: each would be an element of the page."""
    from matplotlib.collections import LineCollection, PathCollection, QuadMesh
    from matplotlib.lines import Line2D

    for artist in figure.findobj():
        match artist:
            case QuadMesh():
                crowded = np.size(np.asarray(artist.get_array())) > _CROWD
            case LineCollection():
                crowded = len(artist.get_segments()) > _CROWD
            case PathCollection():
                crowded = len(np.asarray(artist.get_offsets())) > _CROWD
            case Line2D():
                crowded = (
                    artist.get_marker() not in ("None", "none", "", " ", None) and np.size(artist.get_xdata()) > _CROWD
                )
            case _:
                continue
        if crowded:
            artist.set_rasterized(True)


def _of_its_own(svg: str, name: str) -> str:
    """The element alone; its names are not those of another figure, its style is that of the page."""
    svg = svg[svg.index("<svg ") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>|\s*<style .*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\b(id="|xlink:href="#|url\(#)', rf"\g<1>{name}-", svg)
    # A hundredth of a point is finer than any screen or printer.
    rounded = lambda found: re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", found[0])  # noqa: E731
    svg = re.sub(r'\b(?:d|x|y|x1|x2|y1|y2)="[^"]*"', rounded, svg)
    return re.sub(r"\n\s*", "\n", svg).strip()

"""A report on the disk: figures drawn once, a page of HTML, and the same in Markdown."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from npp_jax.commands.report.blocks import Drawn, Page, Shown
from npp_jax.commands.report.html import anchor, html_text
from npp_jax.commands.report.markdown import markdown_text
from npp_jax.commands.report.svg import svg_text
from npp_jax.files.origin import Origin
from npp_jax.files.writing import draw, write_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Figures(NamedTuple):
    """Figures of a report that were drawn."""

    drawn: list[Drawn]
    files: list[Path]
    lost: list[str]
    """A sentence for each that could not be drawn."""


def draw_figures(
    shown: Iterable[Shown], path: Callable[[str], Path], origin: Origin | None, *, dpi: int = 130
) -> Figures:
    """Draw figures into files and as parts of a page; one that cannot be drawn costs nothing but itself.

    Parameters
    ----------
    shown
        What there is to draw.
    path
        File of a figure, by its name.
    origin
        Whose the files are.
    dpi
        Resolution of the files.
    """
    found = Figures([], [], [])
    for figure in shown:
        made: list[str] = []

        def make(figure: Shown = figure, made: list[str] = made) -> "Figure | None":
            drawing = figure.draw()
            if drawing is not None:
                made.append(svg_text(drawing, anchor(figure.name)))
            return drawing

        files = draw(path(figure.name), make, found.lost, name=figure.name, dpi=dpi, origin=origin)
        if files:
            numbers = tuple(figure.numbers())
            drawn = Drawn(figure.name, made[0], files[0].name, figure.caption, figure.alternative, numbers)
            found.drawn.append(drawn)
            found.files.extend(files)
    return found


def write_report(page: Page, stem: Path, origin: Origin | None) -> list[Path]:
    """Write a report as HTML and Markdown; return both files."""
    html, markdown = report_files(stem)
    write_page(html, html_text(page), origin)
    write_page(markdown, markdown_text(page), origin)
    return [html, markdown]


def report_files(stem: Path) -> list[Path]:
    """Files of a report, by their path without ending."""
    return [stem.with_name(f"{stem.name}.{ending}") for ending in ("html", "md")]

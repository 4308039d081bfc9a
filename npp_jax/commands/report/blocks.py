"""Of what a report is made, whatever it is written in: sections of sentences, lists, tables, figures, folded parts."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, Union

from npp_jax.simulation.text_table import TextTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Text(NamedTuple):
    """A paragraph."""

    text: str
    kind: Literal["plain", "lead", "warning"] = "plain"
    """What it is: `lead` for the first sentences, `warning` for what must not be overlooked."""


class Items(NamedTuple):
    """A list of sentences."""

    items: tuple[str, ...]


class Code(NamedTuple):
    """Text as it stands in a file or in a terminal."""

    text: str


class Drawn(NamedTuple):
    """A figure that was drawn."""

    name: str
    """Name, unique on the page."""
    svg: str
    """The figure as SVG, made to stand in a page."""
    file: str
    """Name of its file beside the report."""
    caption: str
    alternative: str
    """What is to be seen on it, for who does not see it."""
    numbers: tuple[TextTable, ...] = ()
    """What is drawn, in numbers."""


class Folded(NamedTuple):
    """Blocks that are shown on demand."""

    title: str
    blocks: Sequence["Block"]


class Section(NamedTuple):
    """A heading and what belongs to it; a section in a section has a heading of the next level."""

    title: str
    blocks: Sequence["Block"]


Block: TypeAlias = Union[Text, Items, Code, TextTable, Drawn, Folded, Section]  # noqa: UP007


class Page(NamedTuple):
    """A whole report."""

    title: str
    blocks: tuple[Block, ...]


class Shown(NamedTuple):
    """A figure that a report may have."""

    name: str
    draw: Callable[[], "Figure | None"]
    """Draws it; nothing where there is nothing to show."""
    caption: str
    alternative: str
    numbers: Callable[[], Sequence[TextTable]] = tuple
    """What is drawn, in numbers; asked for after it was drawn."""

"""A report in Markdown, with its figures in files beside it."""

import os
import re
from collections.abc import Iterable, Iterator
from html import escape
from urllib.parse import quote

from npp_jax.commands.report.blocks import Block, Code, Drawn, Folded, Items, Page, Section, Text
from npp_jax.simulation.text_table import TextTable

_MARKS = re.compile(r"([\\`*\[\]>|])|(?<![^\W_])_|_(?![^\W_])")
"""Characters that would mean something; an underscore within a word does not."""
_TAGS = re.compile(r"<(?=[A-Za-z/!?])|&(?=[A-Za-z#])")
"""Beginnings of HTML, before which a backslash does not help in every dialect of Markdown."""


def markdown_text(page: Page) -> str:
    """The report; all that comes from files stands in it as text."""
    return "\n".join([f"# {_plain(page.title)}", "", *_told(page.blocks, 2)]) + "\n"


def _told(blocks: Iterable[Block], level: int) -> Iterator[str]:
    for block in blocks:
        yield from _block(block, level)
        yield ""


def _block(block: Block, level: int) -> Iterator[str]:
    match block:
        case Text(text, kind):
            yield f"**{_plain(text)}**" if kind == "warning" else _plain(text)
        case Items(items):
            yield from (f"- {_plain(item)}" for item in items)
        case Code(text):
            # A fence longer than any in the text.
            fence = "`" * max([3, *(1 + len(found) for found in re.findall("`+", text))])
            yield from (fence, text.rstrip("\n"), fence)
        case TextTable():
            yield from _table(block)
        case Drawn():
            yield f"![{_plain(block.alternative)}]({quote(os.fsencode(block.file))})"
            yield ""
            yield _plain(block.caption)
        case Folded(title, blocks):
            yield f"{'#' * min(level, 6)} {_plain(title)}"
            yield ""
            yield from _told(blocks, level)
        case Section(title, blocks):
            yield f"{'#' * min(level, 6)} {_plain(title)}"
            yield ""
            yield from _told(blocks, level + 1)


def _table(table: TextTable) -> Iterator[str]:
    if table.title:
        yield _plain(table.title)
        yield ""
    for k, row in enumerate((table.header, *table.rows)):
        yield f"| {' | '.join(map(_plain, row))} |"
        if k == 0:
            yield "|---" * len(row) + "|"
    for text in table.remarks:
        yield ""
        yield _plain(text)


def _plain(text: str) -> str:
    """Text on one line, in which no character means anything."""
    marked = _MARKS.sub(lambda found: f"\\{found[0]}", " ".join(text.split()))
    return _TAGS.sub(lambda found: escape(found[0]), marked)

"""A report as one page of HTML that needs nothing else: no script, no other file, no network."""

import re
from collections.abc import Iterable, Iterator
from html import escape

from npp_jax.commands.report.blocks import Block, Code, Drawn, Folded, Items, Page, Section, Text
from npp_jax.commands.report.style import STYLE
from npp_jax.simulation.text_table import TextTable

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a browser may load for the page: nothing."""


_MANY = 9
"""Columns of a table above which it is printed in small letters."""


def html_text(page: Page) -> str:
    """The page; all that comes from files stands in it as text."""
    sections = [block for block in page.blocks if isinstance(block, Section)]
    links = " · ".join(f'<a href="#{anchor(section.title)}">{escape(section.title)}</a>' for section in sections)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(page.title)}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            f"<h1>{escape(page.title)}</h1>",
            *_told(page.blocks, 2, f'<nav aria-label="Sections">{links}</nav>'),
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _told(blocks: Iterable[Block], level: int, before_sections: str = "") -> Iterator[str]:
    for block in blocks:
        if before_sections and isinstance(block, Section):
            yield before_sections
            before_sections = ""
        yield from _block(block, level)


def _block(block: Block, level: int) -> Iterator[str]:
    match block:
        case Text(text, kind):
            yield f"<p>{escape(text)}</p>" if kind == "plain" else f'<p class="{kind}">{escape(text)}</p>'
        case Items(items):
            yield "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
        case Code(text):
            yield f"<pre>{escape(text)}</pre>"
        case TextTable():
            many = " many" if len(block.header) > _MANY else ""
            yield f'<div class="wide{many}">{block.grid_html()}</div>'
            yield from (f'<p class="remark">{escape(text)}</p>' for text in block.remarks)
        case Drawn():
            yield from _figure(block)
        case Folded(title, blocks):
            yield f"<details><summary>{escape(title)}</summary>"
            yield from _told(blocks, level)
            yield "</details>"
        case Section(title, blocks):
            yield f'<section id="{anchor(title)}"><h{level}>{escape(title)}</h{level}>'
            yield from _told(blocks, min(level + 1, 6))
            yield "</section>"


def _figure(figure: Drawn) -> Iterator[str]:
    yield f'<figure id="figure-{anchor(figure.name)}">'
    yield figure.svg.replace("<svg ", f'<svg role="img" aria-label="{escape(figure.alternative)}" ', 1)
    yield f"<figcaption>{escape(figure.caption)}</figcaption>"
    if figure.numbers:
        yield f'<details><summary>Numbers of the figure "{escape(figure.name.replace("_", " "))}"</summary>'
        yield from _told(figure.numbers, 6)
        yield "</details>"
    yield "</figure>"


def anchor(title: str) -> str:
    """A name for a part of the page."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "part"

"""What every page of a report has to be."""

import itertools
import re
from html.parser import HTMLParser

VOID = {"meta", "path", "use", "image", "rect", "link", "br", "line", "circle"}


class Parsed(HTMLParser):
    """Tags, their attributes, and the text of a page, which must be well formed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def check_page(text: str) -> Parsed:
    """What every page has to be."""
    page = Parsed(text)
    assert page.all("html") == [{"lang": "en"}] and len(page.all("title")) == len(page.all("h1")) == 1
    assert {name for name, _ in page.tags}.isdisjoint({"script", "iframe", "object", "link", "img"})
    levels = [int(name[1]) for name, _ in page.tags if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1 and all(after <= before + 1 for before, after in itertools.pairwise(levels))
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(names)) == len(names)
    for _, attributes in page.tags:
        for key, value in attributes.items():
            if key in ("href", "xlink:href"):
                inside = str(value).startswith("#") and str(value)[1:] in names
                assert inside or str(value).startswith("data:image/png"), value
            assert key != "src" and not key.startswith("on")
    for figure in page.all("svg"):
        assert figure["role"] == "img" and len(figure["aria-label"] or "") > 20
    assert len(page.all("figcaption")) == len(page.all("svg")) == len(page.all("figure"))
    return page

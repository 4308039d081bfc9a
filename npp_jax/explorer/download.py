"""What can be taken away from a page: figure, numbers, and files that reproduce the picture on the command line."""

import base64
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from bokeh.models import Button, CustomJS, Div
from bokeh.models.layouts import Column, Row

from npp_jax.explorer.save import Saved, saved_csv, saved_figure, saved_files
from npp_jax.files import ConfigError

if TYPE_CHECKING:
    from npp_jax.explorer.page import Page

# The browser offers a file under its own name; nothing is read from the page.
TAKE = """
if (!cb_obj.text) return
const [name, kind, body] = cb_obj.text.split("|")
const link = document.createElement("a")
const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0))
link.href = URL.createObjectURL(new Blob([bytes], {type: kind}))
link.download = name
link.click()
"""


class Downloads:
    """Buttons that hand a file to the browser."""

    def __init__(self, page: "Page") -> None:
        self._page = page
        self._file = Div(text="", visible=False, name="file")
        self._file.js_on_change("text", CustomJS(code=TAKE))
        choices: dict[str, Callable[[], Saved]] = {
            "TOML": lambda: saved_files(page.session.subject, page.session.view),
            "CSV": lambda: saved_csv(page.session),
            "SVG": lambda: saved_figure(page.session, "svg", page.charts, page.bands),
            "PNG": lambda: saved_figure(page.session, "png", page.charts, page.bands),
        }
        buttons = []
        for label, make in choices.items():
            button = Button(label=label, width=32 + 7 * len(label), margin=(5, 4, 5, 4), name=f"save {label}")
            button.on_click(partial(self._clicked, make))
            buttons.append(button)
        words = Div(text="Download", width=58, styles={"padding-top": "6px", "font-size": "12px"})
        self.column = Column(children=[Row(children=[words, *buttons], spacing=2), self._file])

    def _clicked(self, make: Callable[[], Saved], event: object) -> None:
        self._hand(make)

    def _hand(self, make: Callable[[], Saved]) -> None:
        if self._page.session.picture is None:
            self._page.say("There is no picture yet.")
            return
        try:
            saved = make()
        except ConfigError as error:
            self._page.say(str(error))
            return
        body = base64.b64encode(saved.content).decode()
        self._file.text = ""
        self._file.text = f"{saved.name}|{saved.kind}|{body}"

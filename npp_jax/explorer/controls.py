"""Sliders and number boxes of the parameters."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from bokeh.models import Div, Slider, TextInput
from bokeh.models.layouts import Column, Row

from npp_jax.explorer.state import View
from npp_jax.fitting.unit_words import unit_of
from npp_jax.fitting.units import split_unit
from npp_jax.inference import Parameter

WIDTH = 330
"""Width of the column of controls [px]."""

_STEPS = 1000

_BOX = 116
"""Width of a number box, which the ends of a range above it do not pass [px]."""


Moved = Callable[[str, float, bool], None]
"""Takes the name of a parameter, its value, and whether it was let go."""


class Controls:
    """A slider and a number box for each parameter.

    Parameters
    ----------
    view
        What is shown first.
    moved
        Is told of each change by hand.
    refused
        Takes a sentence about a number that cannot be.
    """

    def __init__(self, view: View, moved: Moved, refused: Callable[[str], None]) -> None:
        self._moved, self._refused = moved, refused
        self._setting = False
        self._parameters = {p.name: p for p in view.parameters}
        self._sliders: dict[str, Slider] = {}
        self._boxes: dict[str, TextInput] = {}
        self.column = Column(children=[self._row(p) for p in view.parameters], width=WIDTH, spacing=1)
        self.show(view)

    def _row(self, parameter: Parameter) -> Row:
        name = parameter.name
        slider = Slider(
            start=0.0, end=1.0, step=1.0 / _STEPS, value=0.0, show_value=False, title=label_of(parameter),
            tooltips=False, name=f"slider {name}", width=WIDTH - _BOX - 30, margin=(2, 5, 2, 5),
        )  # fmt: skip
        box = TextInput(value="", width=_BOX, name=f"box {name}", margin=(2, 5, 2, 5))
        low, high = float(parameter.low), float(parameter.high)
        box.title = range_text(low, high)
        slider.on_change("value", lambda attr, old, new: self._slid(name, new, False))
        slider.on_change("value_throttled", lambda attr, old, new: self._slid(name, new, True))
        box.on_change("value", lambda attr, old, new: self._typed(name, old, new))
        self._sliders[name], self._boxes[name] = slider, box
        return Row(children=[slider, box], margin=(0, 0, 0, 0))

    def _slid(self, name: str, share: float, done: bool) -> None:
        if self._setting:
            return
        value = float(self._parameters[name].at(np.array([share]))[0])
        self._quietly(partial(setattr, self._boxes[name], "value", _text(value)))
        self._moved(name, value, done)

    def _typed(self, name: str, old: str, new: str) -> None:
        if self._setting:
            return
        parameter = self._parameters[name]
        try:
            value = float(new.replace(",", ".").replace("−", "-"))
        except ValueError:
            value = math.nan
        if not parameter.low <= value <= parameter.high:
            text = f"{parameter.low:.4g} to {parameter.high:.4g}"
            self._refused(f"{name}: '{new[:40]}' is no number from {text}, its range.")
            self._quietly(partial(setattr, self._boxes[name], "value", old))
            return
        self._quietly(partial(setattr, self._sliders[name], "value", self._share(parameter, value)))
        self._moved(name, value, True)

    def show(self, view: View) -> None:
        """Put sliders and boxes to the values of a view."""
        for parameter, value in zip(view.parameters, view.values, strict=True):
            slider, box = self._sliders[parameter.name], self._boxes[parameter.name]
            self._quietly(partial(setattr, slider, "value", self._share(parameter, value)))
            self._quietly(partial(setattr, box, "value", _text(value)))

    def _share(self, parameter: Parameter, value: float) -> float:
        if parameter.levels is not None:
            near = int(np.argmin(np.abs(parameter.level_values() - value)))
            return near / (parameter.levels - 1)
        return float(np.clip(parameter.share(np.array([value]))[0], 0.0, 1.0))

    def _quietly(self, change: Callable[[], None]) -> None:
        """Change a widget without being told of it as of a change by hand."""
        self._setting = True
        try:
            change()
        finally:
            self._setting = False


def label_of(parameter: Parameter) -> str:
    """Label of an axis of a parameter, with its unit."""
    stem, text = split_unit(parameter)[0], unit_of(parameter)
    return stem if not text else f"{stem} / ({text})" if " " in text else f"{stem} / {text}"


def range_text(low: float, high: float) -> str:
    """Both ends of a range in as few characters as tell them apart."""
    texts = ((_end(low, digits), _end(high, digits)) for digits in range(2, 7))
    near = 0.1 * (high - low)
    told = next((pair for pair in texts if abs(float(pair[0]) - low) + abs(float(pair[1]) - high) <= near), None)
    return " … ".join(told or (_end(low, 7), _end(high, 7)))


def _end(value: float, digits: int) -> str:
    """An end of a range; a power of ten is for what has many zeros."""
    if digits == 2 and 100.0 <= abs(value) < 1e5:
        return f"{value:.0f}"
    text = f"{value:.{digits}g}"
    if 0.0 < abs(value) < 1e-3 and "e" not in text:
        first, power = f"{value:.{digits - 1}e}".split("e")
        text = f"{first.rstrip('0').rstrip('.')}e{int(power)}" if "." in first else f"{first}e{int(power)}"
    return text


def _text(value: float) -> str:
    return f"{value:.5g}"


def note(text: str = "", *, name: str | None = None, colour: str = "#444444") -> Div:
    """A line of text among the controls."""
    return Div(text=text, width=WIDTH - 20, name=name, styles={"color": colour, "font-size": "12px"})

"""Formats of the figures that the commands draw."""

from typing import Literal, get_args

FigureFormat = Literal["png", "pdf", "svg"]
"""Ending of a figure."""

FORMATS: tuple[str, ...] = get_args(FigureFormat)
"""All of them."""

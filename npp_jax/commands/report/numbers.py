"""What figures show, as tables of numbers."""

from collections.abc import Mapping, Sequence

import numpy as np

from npp_jax.simulation.text_table import TextTable

_MOST = 400
"""Rows of one table; of longer ones every second, third, … row is shown."""


def columns(title: str, named: Mapping[str, Sequence[object] | np.ndarray], *, place: str = "") -> TextTable:
    """A table of columns of equal length.

    Parameters
    ----------
    title
        Title of the table.
    named
        Columns by their headings: numbers, or words.
    place
        File that has all rows, where not all of them are shown.
    """
    length = len(next(iter(named.values()), ()))
    step = max(1, -(-length // _MOST))
    shown = [[_cell(value) for value in values[::step]] for values in named.values()]
    whole = f"; all are in {place}" if place else ""
    remarks = (f"Every {step}. of {length} rows is shown{whole}.",) if step > 1 else ()
    return TextTable(title, tuple(named), tuple(zip(*shown, strict=True)), remarks)


def matrix(title: str, heads: Sequence[str], values: np.ndarray) -> TextTable:
    """A square table with the same words along its side and top."""
    rows = ((head, *map(_cell, row)) for head, row in zip(heads, values, strict=True))
    return TextTable(title, ("", *heads), tuple(rows))


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    number = float(value)  # pyright: ignore[reportArgumentType]
    return f"{number:.5g}" if np.isfinite(number) else "–"

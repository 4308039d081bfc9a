"""What figures show, as tables of numbers."""

from collections.abc import Mapping, Sequence

import numpy as np

from npp_jax.fitting.unit_words import written
from npp_jax.simulation.text_table import TextTable
from npp_jax.store.arrays import Array

_MOST = 400
"""Rows of one table; of longer ones every second, third, … row is shown."""


_COLUMNS = 8
"""Curves of one array, at most, that stand side by side."""


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


def array_tables(arrays: Mapping[str, Array], place: str) -> list[TextTable]:
    """Arrays of a result as tables, one for each axis that they go along; maps are left to their file.

    Parameters
    ----------
    arrays
        Arrays by their names.
    place
        Name of the file that has them all.
    """
    tables: dict[str, dict[str, np.ndarray]] = {}
    for array in arrays.values():
        values = np.asarray(array.values)
        if values.dtype.kind not in "fiu" or not values.ndim or values.ndim > 2 or values.shape[-1] < 2:
            continue
        unit = f" / {unit}" if (unit := written(array.units)) else ""
        along = tables.setdefault(array.dims[-1], {})
        if values.ndim == 1:
            along[f"{array.long_name}{unit}"] = values
        elif len(values) <= _COLUMNS and array.dims[-1] in arrays:
            of = arrays.get(array.dims[0])
            heads = np.arange(1, len(values) + 1) if of is None else np.asarray(of.values)
            along |= {f"{array.long_name}, {head}{unit}": row for head, row in zip(heads, values, strict=True)}
    return [columns("", named, place=place) for named in tables.values() if len(named) > 1]

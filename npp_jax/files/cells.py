"""Tables of numbers as the readers of the files use them: columns by their names, and errors as those of any file."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float

from npp_jax.files.errors import ConfigError
from npp_jax.text.decode import read_text
from npp_jax.text.errors import TextError, located, shorten
from npp_jax.text.names import repeated
from npp_jax.text.table import Table, read_table
from npp_jax.text.titles import Axis, read_title, with_unit

Factor: TypeAlias = Callable[[str], float | None]
"""Factor of a unit to that of SI, such as `text.titles.volts`; None for units of other kinds."""


@contextmanager
def _as_config_error() -> Iterator[None]:
    """What is wrong with a text is wrong with a file of the user."""
    try:
        yield
    except TextError as error:
        raise ConfigError(str(error)) from None


def read_cells(path: Path, is_head: Callable[[list[str]], bool], expected: str) -> Table:
    """Read a table of any separator, decimal mark and encoding; lines that are empty or comments are left out.

    Parameters
    ----------
    path
        The file.
    is_head
        Whether cells are the titles.
    expected
        Columns that were expected, for the messages.

    Raises
    ------
    ConfigError
        One line: the file cannot be read, or is no such table.
    """
    with _as_config_error():
        found = read_table(read_text(path, f"the columns {expected}"), is_head, f"the columns {expected}")
    if found.odd:
        raise ConfigError(
            f"{path}: numbers such as 1,100 may be thousands or have a decimal comma: all commas have three digits "
            "behind them; write decimal points and no thousands"
        )
    return found


def content_of(path: Path, is_head: Callable[[list[str]], bool]) -> bytes:
    """Titles and numbers of a table, in one spelling: comments, ends of lines, separators and decimal marks are gone.

    Raises
    ------
    TextError
        It is no table.
    """
    cells = read_table(read_text(path, "a table"), is_head, "a table")
    columns = []
    for k, titled in enumerate(zip(cells.titles, cells.units, strict=True)):
        try:
            held: list[float] | list[str] = cells.numbers([k])[:, 0].tolist()
        except TextError:
            # A column of words, which no reader asks for.
            held = [row[k].strip() for row in cells.rows]
        columns.append((titled, held))
    return repr(columns).encode()


def numbers_of(cells: Table, columns: Sequence[int]) -> Float[np.ndarray, "row column"]:
    """Numbers of some columns, NaN where there is none.

    Raises
    ------
    ConfigError
        One line: file, line, column, what is no number.
    """
    with _as_config_error():
        return cells.numbers(columns)


def refuse(cells: Table, columns: Sequence[int], wrong: Bool[np.ndarray, "row column"], text: str) -> None:
    """Refuse the first of the numbers of some columns that are wrong.

    Raises
    ------
    ConfigError
        One line: file, line, column, the cell as it stands in the file, and `text`.
    """
    if wrong.any():
        row, column = (int(k) for k in np.argwhere(wrong)[0])
        shown = cells.rows[row][columns[column]].strip() or "nothing"
        told = f"{cells.titles[columns[column]]} = {shown} {text}"
        raise ConfigError(located(cells.path, told, line=cells.lines[row]))


def column_of(cells: Table, plain: str, factor: Factor, expected: str, axis: Axis | None = None) -> tuple[int, float]:
    """Find the column of a quantity: that of its plain name, or else the only one with a unit of its kind.

    Parameters
    ----------
    cells
        The table.
    plain
        Name with the unit in which the quantity is wanted, such as `time_s`.
    factor
        Factor of a unit to that of `plain`.
    expected
        Columns that the table should have, for the message.
    axis
        What the column is an axis of; such titles go before others with a unit of the kind.

    Returns
    -------
    Place of the column, and the factor of its unit.

    Raises
    ------
    ConfigError
        One line: there is no such column or several, its unit is missing or not known, or it is there twice.
    """
    titled = list(zip(cells.titles, cells.units, strict=True))
    twice = repeated([title for title in cells.titles if title])
    if twice is not None:
        raise wrong_titles(cells, f"the column '{twice}' is there twice")
    found = {k: named for k, title in enumerate(titled) if (named := with_unit(*title, factor)) is not None}
    if plain in cells.titles:
        place = cells.titles.index(plain)
        found = {place: (plain, 1.0 if not cells.units[place] else found.get(place, ("", 0.0))[1])}
    if axis is not None:
        axes = [k for k, title in enumerate(titled) if read_title(*title).axis == axis]
        found = {k: found[k] for k in axes if k in found} or found
        if axes and not found:
            title, unit = titled[axes[0]]
            told = (
                f"the unit '{shorten(unit or read_title(title).unit)}'" if unit or read_title(title).unit else "no unit"
            )
            raise wrong_titles(cells, f"'{shorten(title)}' has {told}; {plain} is such a column with its unit")
    if len(found) != 1:
        titles = shorten(", ".join(" ".join(title).strip() for title in titled), 120)
        several = ", ".join(cells.titles[k] for k in found)
        told = f"; several may be {plain}: {shorten(several, 80)}" if found else ""
        raise wrong_titles(cells, f"needs the columns {expected}; got {titles}{told}")
    ((place, (_, value)),) = found.items()
    title, unit = titled[place]
    alone = (plain, 1.0) if title == plain else with_unit(title, "", factor)
    if alone is not None and alone[1] != value:
        raise wrong_titles(cells, f"'{shorten(title)}' and the unit '{shorten(unit)}' below it contradict each other")
    return place, value


def wrong_titles(cells: Table, text: str) -> ConfigError:
    """What is said of titles that do not fit."""
    return ConfigError(located(cells.path, text, line=cells.head))

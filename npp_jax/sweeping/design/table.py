"""Tables of candidates: one column a parameter, its unit in the name."""

import dataclasses
import difflib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from npp_jax.inference import Parameters
from npp_jax.physics.checks import expects
from npp_jax.sweeping.design.designs import BLOCK, AbstractDesign, DesignError
from npp_jax.text import table
from npp_jax.text.decode import read_text
from npp_jax.text.errors import TextError, shorten
from npp_jax.text.names import repeated


@dataclasses.dataclass(frozen=True, eq=False)
class Table(AbstractDesign):
    """Candidates that are given one by one.

    Raises
    ------
    DesignError
        Names and columns differ in number, a name is given twice, no candidates, or a value is not finite.
    """

    columns: tuple[str, ...]
    """Names of the parameters with their units."""
    values: Float64[np.ndarray, "candidate parameter"]
    """One row a candidate."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", np.asarray(self.values, np.float64))
        twice = repeated(self.columns)
        if twice is not None:
            raise DesignError(f"the column '{twice}' is there twice")
        if self.values.ndim != 2 or self.values.shape[1] != len(self.columns) or not self.values.size:
            raise DesignError(
                f"a table of shape {self.values.shape} does not fit the columns {', '.join(self.columns)}"
            )
        bad = np.argwhere(~np.isfinite(self.values))
        if len(bad):
            row, column = bad[0]
            raise DesignError(
                f"candidate {row}, {self.columns[column]} = {self.values[row, column]}: not a finite number"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.columns

    def over(self, parameters: Parameters) -> "Table":
        """The table with the columns of parameters, in their order."""
        names = tuple(parameter.name for parameter in parameters)
        _check_names(self.columns, names, names)
        return Table(names, self.values[:, [self.columns.index(name) for name in names]])

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.values)

    def block(self, number: int) -> Float64[np.ndarray, "candidate parameter"]:
        """Candidates of one block."""
        return self.values[number * BLOCK : (number + 1) * BLOCK]

    def identity(self) -> bytes:
        """Names and all values."""
        return repr((self.columns, self.values.shape)).encode() + self.values.astype("<f8").tobytes()


@expects(path=(str, Path), known=(list, tuple))
def read_table(path: str | Path, known: Sequence[str], required: Sequence[str] = ()) -> Table:
    """Read a table of candidates.

    Parameters
    ----------
    path
        Names above, then one row a candidate, with any separator, decimal mark and encoding. Lines that are empty or
        comments are skipped.
    known
        Names of the columns that may be there.
    required
        Names of the columns that must be there.

    Raises
    ------
    DesignError
        One line: file, line, column, what is wrong; for an unknown column the nearest known one.
    """
    expected = f"columns named {shorten(', '.join(known), 120)}"
    try:
        cells = table.read_table(read_text(path, expected), lambda titles: any(t in known for t in titles), expected, 1)
        _check_names(cells.titles, known, required)
        values = cells.numbers()
    except TextError as error:
        raise DesignError(str(error)) from None
    except DesignError as error:
        raise DesignError(f"{path}: {error}") from None
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = bad[0]
        told = f"{cells.titles[column]} = '{shorten(cells.rows[row][column].strip())}': not a finite number"
        raise DesignError(f"{path}: line {cells.lines[row]}: {told}")
    if any(cells.units):
        raise DesignError(f"{path}: a line of units below the names; leave it out, the names tell the units")
    if not len(values):
        raise DesignError(f"{path}: no candidates below the header")
    return Table(tuple(cells.titles), values)


def _check_names(names: Sequence[str], known: Sequence[str], required: Sequence[str]) -> None:
    twice = repeated(names)
    for name in names:
        if name == twice:
            raise DesignError(f"the column '{name}' is there twice")
        if name not in known:
            raise DesignError(f"unknown column '{name}'; {_suggestion(name, known)}")
    missing = [name for name in required if name not in names]
    if missing:
        raise DesignError(f"the column '{missing[0]}' is missing; there are {', '.join(names)}")


def _suggestion(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    # A name without its unit, or with another one.
    near = near or [other for other in known if other.split("_")[0] == name.split("_")[0]][:1]
    return f"did you mean '{near[0]}'?" if near else f"known columns: {', '.join(known)}"

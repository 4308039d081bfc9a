"""Tables of candidates: CSV with one column a parameter, its unit in the name."""

import array
import csv
import dataclasses
import difflib
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from npp_jax.sweeping.design.designs import BLOCK, AbstractDesign
from npp_jax.sweeping.design.space import DesignError


@dataclasses.dataclass(frozen=True, eq=False)
class Table(AbstractDesign):
    """Candidates that are given one by one.

    Raises
    ------
    DesignError
        Names and columns differ in number, a name is given twice, no candidates, or a value is not finite.
    """

    names: tuple[str, ...]
    """Names of the parameters with their units."""
    values: Float64[np.ndarray, "candidate parameter"]
    """One row a candidate."""

    def __post_init__(self) -> None:
        twice = [name for k, name in enumerate(self.names) if name in self.names[:k]]
        if twice:
            raise DesignError(f"the column '{twice[0]}' is there twice")
        if self.values.ndim != 2 or self.values.shape[1] != len(self.names) or not self.values.size:
            raise DesignError(f"a table of shape {self.values.shape} does not fit the columns {', '.join(self.names)}")
        bad = np.argwhere(~np.isfinite(self.values))
        if len(bad):
            row, column = bad[0]
            raise DesignError(
                f"candidate {row}, {self.names[column]} = {self.values[row, column]}: not a finite number"
            )

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.names

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.values)

    def block(self, number: int) -> Float64[np.ndarray, "candidate parameter"]:
        """Candidates of one block."""
        return self.values[number * BLOCK : (number + 1) * BLOCK]

    def identity(self) -> bytes:
        """Names and all values."""
        return repr((self.names, self.values.shape)).encode() + self.values.astype("<f8").tobytes()


def read_table(path: str | Path, known: Sequence[str], required: Sequence[str] = ()) -> Table:
    """Read a table of candidates.

    Parameters
    ----------
    path
        CSV with a header: names separated by commas, then one row a candidate. Empty lines are skipped.
    known
        Names of the columns that may be there.
    required
        Names of the columns that must be there.

    Raises
    ------
    DesignError
        One line: file, line, column, what is wrong; for an unknown column the nearest known one.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _parse(csv.reader(file, strict=True), known, required)
    except OSError as error:
        raise DesignError(f"{path}: {error.strerror}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise DesignError(f"{path}: not a CSV file: {error}") from None
    except DesignError as error:
        raise DesignError(f"{path}: {error}") from None


def _parse(reader, known: Sequence[str], required: Sequence[str]) -> Table:
    filled = (fields for fields in reader if any(field.strip() for field in fields))
    header = next(filled, None)
    if header is None:
        raise DesignError("the file is empty")
    names = tuple(name.strip() for name in header)
    _check_names(names, known, required)
    values = array.array("d")
    for fields in filled:
        if len(fields) != len(names):
            raise DesignError(f"line {reader.line_num}: {len(fields)} fields, the header has {len(names)}")
        try:
            values.extend(map(float, fields))
        except ValueError:
            raise DesignError(f"line {reader.line_num}: {_wrong_field(names, fields)}") from None
        if not all(map(math.isfinite, values[-len(names) :])):
            raise DesignError(f"line {reader.line_num}: {_wrong_field(names, fields)}")
    if not values:
        raise DesignError("no candidates below the header")
    return Table(names, np.frombuffer(values, np.float64).reshape(-1, len(names)))


def _wrong_field(names: Sequence[str], fields: Sequence[str]) -> str:
    """First field that is no finite number."""
    for name, field in zip(names, fields, strict=True):
        try:
            if math.isfinite(float(field)):
                continue
        except ValueError:
            pass
        return f"{name} = '{field.strip()}': not a finite number"
    return "not finite numbers"


def _check_names(names: Sequence[str], known: Sequence[str], required: Sequence[str]) -> None:
    for k, name in enumerate(names):
        if name in names[:k]:
            raise DesignError(f"the column '{name}' is there twice")
        if name not in known:
            if len(names) == 1 and (";" in name or "\t" in name):
                raise DesignError("separate the columns by commas, and write decimal points")
            raise DesignError(f"unknown column '{name}'; {_suggestion(name, known)}")
    missing = [name for name in required if name not in names]
    if missing:
        raise DesignError(f"the column '{missing[0]}' is missing; there are {', '.join(names)}")


def _suggestion(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    # A name without its unit, or with another one.
    near = near or [other for other in known if other.split("_")[0] == name.split("_")[0]][:1]
    return f"did you mean '{near[0]}'?" if near else f"known columns: {', '.join(known)}"

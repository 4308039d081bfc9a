"""A solution in words, as a table, and as labelled arrays."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import numpy as np
from jax.core import Tracer

from npp_jax.simulation.quantities import REPORT, SOLUTION, TRACE, Quantity
from npp_jax.simulation.status import STATUS_ADVICE, Status
from npp_jax.simulation.text_table import TextTable

if TYPE_CHECKING:
    import xarray

    from npp_jax.simulation.solution import Solution

_Column = tuple[str, str, float, str]
"""Heading, quantity, factor to the unit of the heading, format."""

_COLUMNS: tuple[_Column, ...] = (
    ("time / h", "time", 1.0 / 3600.0, ".4g"),
    ("charge / mC cm⁻²", "charge", 0.1, ".4g"),
    ("front / nm", "front_depth", 1e9, ".3f"),
    ("width / nm", "front_width", 1e9, ".3f"),
    ("plateau", "plateau", 1.0, ".4f"),
    ("j / nA cm⁻²", "current_density", 1e5, ".4g"),
    ("U / V", "surface_potential", 1.0, ".4g"),
    ("excess / ‰", "excess", 1e3, ".4g"),
    ("front error / nm", "front_error", 1e9, ".2g"),
    ("profile error", "profile_error", 1.0, ".1e"),
)

_ELECTRICAL = {"charge": 1e-9, "current_density": 1e-15, "surface_potential": 1e-12, "excess": 1e-12}
"""Quantities that a couple or a melt has not, and what in SI units is a rounding error of zero."""

_FAR = 1e-5
"""Depth of a front above which lengths are told in µm. [m]"""


def is_concrete(solution: "Solution") -> bool:
    """Whether all arrays have values: not so inside a compiled function, or in a tree of something else."""
    leaves = jax.tree.leaves(solution)
    return all(isinstance(leaf, jax.Array | np.ndarray) and not isinstance(leaf, Tracer) for leaf in leaves)


def line(solution: "Solution") -> str:
    """Species, model, outputs, depth of the front and status in one line."""
    solution = batch_last(solution)
    shape = solution.report.status.shape
    batch = f" of {' × '.join(map(str, shape))} candidates" if shape else ""
    count = len(solution.time)
    outputs = f"{count} output{'' if count == 1 else 's'} up to {_span(solution.time[-1] / 3600.0, '.3g')} h"
    factor, unit = _length(solution)
    front = f"front at {_span(solution.front_depth[-1] * factor, '.2f')} {unit}"
    return (
        f"Solution{batch}: {', '.join(solution.species)}; {solution.model}; {outputs}; {front}; "
        f"{'; '.join(_statuses(solution))}"
    )


def table(solution: "Solution") -> TextTable:
    """One row an output, then what the run cost and how it ended; of a batch the ranges over its candidates."""
    solution = batch_last(solution)
    report = solution.report
    shape = report.status.shape
    count = len(solution.time)
    # The value of largest modulus of each output, with its sign.
    excess = np.asarray(solution.excess_charge)
    extreme = np.take_along_axis(excess, np.abs(excess).argmax(axis=1)[:, None], axis=1)[:, 0]
    values = {
        **{name: np.asarray(getattr(solution, name)) for name in SOLUTION},
        "excess": extreme,
        "front_error": np.asarray(report.front_error),
        "profile_error": np.asarray(report.profile_error),
    }
    columns = _columns(solution, values)
    rows = tuple(
        tuple(_span(values[name][k] * factor, form) for _, name, factor, form in columns) for k in range(count)
    )
    batch = f", {' × '.join(map(str, shape))} candidates" if shape else ""
    return TextTable(
        f"{solution.model}: {', '.join(solution.species)}{batch}",
        tuple(heading for heading, *_ in columns),
        rows,
        (
            f"{report.cells} cells, {report.steps} steps, {_span(report.iterations, '.0f')} Newton iterations; "
            f"ion balance {_span(report.ion_balance, '.1e')}",
            *(f"status: {text}" for text in _statuses(solution)),
        ),
    )


def _length(solution: "Solution") -> tuple[float, str]:
    """Factor and unit in which the lengths of a solution are read best."""
    depths = np.asarray(solution.front_depth)
    deepest = np.max(depths, initial=0.0, where=np.isfinite(depths))
    return (1e6, "µm") if deepest > _FAR else (1e9, "nm")


def _columns(solution: "Solution", values: dict[str, np.ndarray]) -> list[_Column]:
    """Columns of the table, without those of electrical quantities that are zero throughout, in a unit that suits."""
    factor, unit = _length(solution)
    found = []
    for heading, name, own, form in _COLUMNS:
        if np.all(np.abs(values[name]) <= _ELECTRICAL.get(name, -1.0)):
            continue
        lengths = own == 1e9
        found.append((heading.replace("nm", unit), name, factor, form) if lengths else (heading, name, own, form))
    return found


def dataset(solution: "Solution") -> "xarray.Dataset":
    """All arrays with names for their axes, units and descriptions; see `Solution.to_xarray`."""
    import xarray

    solution = batch_last(solution)
    axes = len(solution.report.status.shape)
    batch = ("candidate",) if axes == 1 else tuple(f"candidate_{k}" for k in range(axes))

    def variables(
        kind: dict[str, Quantity], read: Callable[[str], object], prefix: str = ""
    ) -> dict[str, "xarray.Variable"]:
        found = {}
        for name, quantity in kind.items():
            values = np.asarray(read(name))
            # Cells and steps are the same for all candidates.
            dims = quantity.dims + (batch if values.ndim > len(quantity.dims) else ())
            attributes = {"units": quantity.units, "long_name": quantity.long_name}
            found[f"{prefix}{name}"] = xarray.Variable(dims, values, attributes)
        return found

    made = xarray.Dataset(
        variables(SOLUTION, lambda name: getattr(solution, name))
        | variables(TRACE, lambda name: getattr(solution.trace, name), "trace_")
        | variables(REPORT, lambda name: getattr(solution.report, name), "report_"),
        coords={"species": list(solution.species)},
        attrs={"title": "npp_jax simulation", "model": solution.model},
    )
    made["report_status"].attrs.update(
        flag_values=[int(s) for s in Status], flag_meanings=" ".join(s.name.lower() for s in Status)
    )
    return made.set_coords(["time", "depth", "faces", "trace_time"])


def batch_last(solution: "Solution") -> "Solution":
    """The solution with its batch axes last, where `jax.vmap` laid them first."""
    axes = len(solution.report.status.shape)
    shape = solution.fraction.shape
    own = (len(solution.species), solution.report.cells + 2)
    if not axes or shape[1:3] == own or shape[-2:] != own:
        return solution
    first = tuple(range(axes))
    moved = lambda leaf: np.moveaxis(np.asarray(leaf), first, tuple(k - axes for k in first))  # noqa: E731
    return jax.tree.map(moved, solution)


def _statuses(solution: "Solution") -> list[str]:
    """Each status that occurs in words; of a batch with how many candidates have it."""
    found = np.asarray(solution.report.status)
    values, counts = np.unique(found, return_counts=True)
    texts = [STATUS_ADVICE[Status(int(value))] for value in values]
    return texts if not found.ndim else [f"{count} {text}" for count, text in zip(counts, texts, strict=True)]


def _span(values: object, form: str) -> str:
    """A number, or the least and the greatest of several."""
    numbers = np.asarray(values, dtype=float)
    numbers = numbers[np.isfinite(numbers)]
    if not numbers.size:
        return "nan"
    ends = [f"{end:z{form}}" for end in (numbers.min(), numbers.max())]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} … {ends[1]}"

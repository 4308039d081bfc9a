"""Figures of a stored fit, from the arrays of its file."""

from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from npp_jax.figures.records import DrawnRecord, figure_records
from npp_jax.figures.stored import SeenFit, StoredLikelihood, figure_likelihoods, figure_matrix, figure_seen
from npp_jax.observe import RECORDED, Record
from npp_jax.sweeping.store.reading import Reader, reading

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIT = "npp_jax fit"
"""Title of such a file."""


def fit_figures(file: Path) -> dict[str, "Figure"]:
    """Profiles with residuals, correlation and profile likelihoods of a fit.

    Raises
    ------
    FileFault
        The file is damaged.
    """
    with reading(file, "a file of `npp-jax fit`") as reader:
        reader.check_title(FIT)
        groups = [name for name, part in reader.file.items() if isinstance(part, h5py.Group)]
        seen = [_seen(reader, name) for name in groups if f"{name}/fitted" in reader]
        names = reader.names("parameter", ("parameter",))
        theta = reader.array("theta", ("parameter",))
        units = reader.names("parameter_unit", ("parameter",))
        correlation = reader.array("correlation", ("parameter", "other_parameter"))
        profiled = reader.file.get("profile_likelihood")
        marks = [str(mark) for mark in profiled] if isinstance(profiled, h5py.Group) else []
        best = dict(zip(names, zip(theta.tolist(), units, strict=True), strict=True))
        likelihoods = [_likelihood(reader, mark, best) for mark in marks if mark in best]
        recorded = reader.file.get("records")
        places = [f"records/{mark}" for mark in recorded] if isinstance(recorded, h5py.Group) else []
        records = [one for place in places if (one := _record(reader, place)).has_panel]
    figures = {"profiles": figure_seen(file.stem, seen)} if seen else {}
    figures |= {"records": figure_records(file.stem, records)} if records else {}
    figures["correlation"] = figure_matrix(names, correlation)
    return figures | ({"profile_likelihood": figure_likelihoods(likelihoods)} if likelihoods else {})


def _seen(reader: Reader, group: str) -> SeenFit:
    axes = (f"{group} species", f"{group} depth")
    told = reader.file[group].attrs.get("name", group)
    return SeenFit(
        name=told if isinstance(told, str) else group,
        depth=reader.array(f"{group}/depth", axes[1:]),
        species=reader.names(f"{group}/species", axes[:1]),
        **{name: reader.array(f"{group}/{name}", axes) for name in ("measured", "sigma", "fitted")},
    )


def _record(reader: Reader, place: str) -> DrawnRecord:
    axes, told = (f"{place} at",), reader.file[place].attrs
    quantity = told.get("quantity")
    if quantity not in RECORDED:
        raise reader.fault(f"'{place}: quantity' is none of {', '.join(RECORDED)}")
    columns = ("at", "recorded", "sigma", "fitted", "fitted_half")
    at, value, sigma, *fit = (reader.array(f"{place}/{name}", axes, finite=True) for name in columns)
    try:
        record = Record(quantity, at, value, sigma)
    except ValueError as error:
        raise reader.fault(f"'{place}': {error}") from None
    return DrawnRecord(str(told.get("name", place)), record, *fit)


def _likelihood(reader: Reader, mark: str, best: dict[str, tuple[float, str]]) -> StoredLikelihood:
    place, axes = f"profile_likelihood/{mark}", (f"{mark} values",)
    values, height = (reader.array(f"{place}/{name}", axes) for name in ("values", "delta_chi2"))
    ends = reader.array(f"{place}/end_value", ("end",))
    return StoredLikelihood(mark, best[mark][1], best[mark][0], values, height, ends[np.isfinite(ends)])

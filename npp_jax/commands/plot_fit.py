"""Figures of a stored fit, from the arrays of its file."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from npp_jax.figures.fit import figure_law
from npp_jax.figures.landscape import Refined, figure_landscape
from npp_jax.figures.records import DrawnRecord, figure_records
from npp_jax.figures.stored import SeenFit, StoredLikelihood, figure_likelihoods, figure_matrix, figure_seen
from npp_jax.fitting import LawBands
from npp_jax.fitting.band import Band, SiteBands
from npp_jax.inference import Outcome, Parameter, ParameterError
from npp_jax.observe import RECORDED, Record
from npp_jax.store.reading import Reader, reading

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIT = "npp_jax fit"
"""Title of such a file."""


def fit_figures(file: Path) -> dict[str, "Figure"]:
    """Profiles with residuals, correlation, profile likelihoods, diffusivity with site energies, landscape of a fit.

    Files of earlier versions have neither of the last two.

    Raises
    ------
    FileFault
        The file is damaged.
    """
    with reading(file, "a file of `npp-jax fit`") as reader:
        reader.check_title(FIT)
        told = reader.attribute("name")
        title = told if isinstance(told, str) and told else file.stem
        seen = [_seen(reader, name) for name in reader.groups() if f"{name}/fitted" in reader]
        names = reader.names("parameter", ("parameter",))
        theta = reader.array("theta", ("parameter",), finite=True)
        units = reader.names("parameter_unit", ("parameter",))
        correlation = reader.array("correlation", ("parameter", "other_parameter"))
        scales = reader.names("parameter_scale", ("parameter",))
        best = dict(zip(names, zip(theta.tolist(), units, scales, strict=True), strict=True))
        likelihoods = [_likelihood(reader, mark, best) for mark in reader.groups("profile_likelihood")]
        likelihoods.sort(key=lambda one: names.index(one.name))
        places = [f"records/{mark}" for mark in reader.groups("records")]
        records = [one for place in places if (one := _record(reader, place)).has_panel]
        law = _law(reader) if "law" in reader else None
        seen_from = None
        if "landscape" in reader and len(names) > 1:
            axes = ("candidate",)
            theta_of = reader.array("landscape/theta", (*axes, "swept_parameter"), finite=True)
            seen_from = (theta_of, reader.array("landscape/chi2", axes), _refined(reader, names, theta))
    figures = {"profiles": figure_seen(title, seen)} if seen else {}
    if records:
        figures["records"] = figure_records(title, records)
    figures["correlation"] = figure_matrix(names, correlation)
    if likelihoods:
        figures["profile_likelihood"] = figure_likelihoods(likelihoods)
    if law is not None:
        figures["site_energies"] = figure_law(title, *law)
    if seen_from is not None and np.isfinite(seen_from[1]).any():
        figures["landscape"] = figure_landscape(*seen_from)
    return figures


def _law(reader: Reader) -> tuple[LawBands, tuple[float, float]]:
    """D and site energies with their bands, and the range of fractions that the data hold."""
    over, energies = ("law_fraction",), ("energy",)

    def band(name: str, axes: tuple[str, ...]) -> Band:
        return Band(*(reader.array(f"law/{name}{end}", axes) for end in ("", "_low", "_high")))

    energy = reader.array("law/energy", energies, finite=True) if "law/energy" in reader else None
    species = reader.attribute("species", of=reader.part("law"))
    low, high = reader.array("law/supported", ("end",), finite=True).tolist()
    bands = LawBands(
        species if isinstance(species, str) else "?",
        reader.array("law/law_fraction", over, finite=True),
        band("diffusivity", over),
        None if energy is None else SiteBands(band("activation", over), energy, band("density", energies)),
    )
    return bands, (low, high)


def _refined(reader: Reader, names: tuple[str, ...], theta: np.ndarray) -> Refined:
    along = ("parameter",)
    keys, scales = (reader.names(f"parameter_{part}", along) for part in ("key", "scale"))
    ends = reader.array("parameter_range", (*along, "end"))
    try:
        parameters = tuple(
            Parameter(name, (key,) if key else (), low, high, scale if scale in ("log", "logit") else "linear")
            for name, key, scale, (low, high) in zip(names, keys, scales, ends.tolist(), strict=True)
        )
    except ParameterError as error:
        raise reader.fault(str(error)) from None
    path = reader.array("path", ("trial", *along))
    return Refined(parameters, theta, path, reader.array("covariance_scaled", (*along, "other_parameter")))


def _seen(reader: Reader, group: str) -> SeenFit:
    axes = (f"{group} species", f"{group} depth")
    told = reader.attribute("name", of=reader.part(group))
    return SeenFit(
        name=told if isinstance(told, str) else group,
        depth=reader.array(f"{group}/depth", axes[1:], finite=True),
        species=reader.names(f"{group}/species", axes[:1]),
        **{name: reader.array(f"{group}/{name}", axes, finite=True) for name in ("measured", "sigma", "fitted")},
    )


def _record(reader: Reader, place: str) -> DrawnRecord:
    axes, part = (f"{place} at",), reader.part(place)
    quantity, name = (reader.attribute(told, of=part) for told in ("quantity", "name"))
    if quantity not in RECORDED:
        raise reader.fault(f"'{place}: quantity' is none of {', '.join(RECORDED)}")
    columns = ("at", "recorded", "sigma", "fitted", "fitted_half")
    at, value, sigma, *fit = (reader.array(f"{place}/{name}", axes, finite=True) for name in columns)
    try:
        record = Record(quantity, at, value, sigma)
    except ValueError as error:
        raise reader.fault(f"'{place}': {error}") from None
    return DrawnRecord(name if isinstance(name, str) else place, record, *fit)


def _likelihood(reader: Reader, mark: str, best: dict[str, tuple[float, str, str]]) -> StoredLikelihood:
    place, axes = f"profile_likelihood/{mark}", (f"{mark} values",)
    values, height = (reader.array(f"{place}/{name}", axes) for name in ("values", "delta_chi2"))
    # An end that is not closed is as far as the parameter was taken, and no end of an interval.
    closed = np.array(reader.names(f"{place}/end_outcome", ("end",))) == Outcome.CLOSED.name
    ends = reader.array(f"{place}/end_value", ("end",))[closed]
    name = reader.attribute("name", of=reader.part(place))
    told = name if isinstance(name, str) else mark
    if told not in best:
        raise reader.fault(f"'{place}' is of no parameter")
    value, unit, scale = best[told]
    scale = scale if scale in ("log", "logit") else "linear"
    return StoredLikelihood(told, unit, scale, value, values, height, ends[np.isfinite(ends)])

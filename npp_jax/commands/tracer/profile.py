"""`npp-jax tracer` for one isotope profile."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from npp_jax.commands.tracer.model_tables import FAR, FRACTIONS, KnownTable
from npp_jax.commands.tracer.report import (
    Line,
    TracerReport,
    chi2_lines,
    ending,
    no_fractions,
    relative_error,
    searched_row,
    vague,
)
from npp_jax.commands.tracer.stored import (
    CURVE_POINTS,
    HOUR,
    UM,
    profile_arrays,
    profile_figure,
    quantity,
    read_profile_of,
)
from npp_jax.commands.tracer.study import ProfileStudy
from npp_jax.figures.tracer import isotope_profiles, isotope_residuals
from npp_jax.files import ConfigError
from npp_jax.inference import (
    GOOD,
    REASON_ADVICE,
    ParameterError,
    Prior,
    information_criteria,
)
from npp_jax.store.arrays import Array
from npp_jax.tracer.profile_fit import Known, ProfileModel, Transport, fit_profile
from npp_jax.tracer.tracer_fit import OnEnds, OnIteration, TracerFit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOGARITHMS = {
    "D_m2_s": ("D", "m²/s"),
    "Dt_m2": ("Dt", "m²"),
    "k_m_s": ("k", "m/s"),
    "kt_m": ("kt", "m"),
    "fast_ratio": ("D_fast/D", "1"),
}
"""Parameters on a logarithmic scale: how they are called where they are printed, and their unit."""


_BEYOND_NOISE = 4.0
"""Standard errors of a point beyond 0 or 1 that are not its noise."""

_DECISIVE = 6.0
"""Difference of a criterion from which one model is told to be preferred: a likelihood ratio of 20."""


def _known(tables: list[KnownTable]) -> dict[str, Known]:
    """Ranges and priors by the names of the parameters."""
    found = dict[str, Known]()
    for table in tables:
        limits = None if table.low is None or table.high is None else (table.low, table.high)
        given = table.prior_mean is not None and table.prior_sigma is not None
        prior = Prior(table.prior_mean or 0.0, table.prior_sigma or 1.0) if given else None
        found[table.name] = Known(limits, prior)
    return found


def _within_fractions(known: dict[str, Known], fraction: np.ndarray, error: np.ndarray) -> dict[str, Known]:
    """Ranges of what no range is known of, where isotope fractions were measured: 0 to 1, or as far as the data go.

    An end that points lie beyond by more than their noise is far off: what is found is told then, and not held there.
    """
    fraction, noise = fraction[np.isfinite(fraction)], _BEYOND_NOISE * error[np.isfinite(fraction)]
    low = -FAR if np.any(fraction < -noise) else float(np.min(fraction, initial=0.0))
    high = FAR if np.any(fraction > 1.0 + noise) else float(np.max(fraction, initial=1.0))
    widest = low, high
    for name in FRACTIONS:
        limits, prior = known.get(name, Known())
        known = known | {name: Known(limits or widest, prior)}
    return known


def compared(rivals: Sequence[tuple[Transport, TracerFit]]) -> list[str]:
    """Rivals by χ², AIC and BIC, and which is preferred."""
    rows, criteria = list[str](), dict[str, tuple[float, float]]()
    for name, fit in rivals:
        found = information_criteria(fit.chi2, fit.points, len(fit.parameters))
        criteria[name] = found.aic, found.bic
        own = ", ".join(f"{key} {fit[key].value:.4g}" for key in fit.names if key not in ("surface", "base"))
        end = "" if fit.reason in GOOD else f"; {REASON_ADVICE[fit.reason]}"
        rows.append(f"{name}: χ² {fit.chi2:.1f}, AIC {found.aic:.1f}, BIC {found.bic:.1f}; {own}{end}")
    for place, criterion in enumerate(("AIC", "BIC")):
        best, second = sorted(criteria, key=lambda name: criteria[name][place])[:2]
        lead = criteria[second][place] - criteria[best][place]
        firm = "prefers" if lead >= _DECISIVE else "does not decide; least is that of"
        rows.append(f"{criterion} {firm} {best}, by {lead:.1f} over {second}")
    return rows


def _endless(fit: TracerFit, known: dict[str, Known]) -> list[str]:
    """What is told of an exchange that is as fast, or as slow, as one that is followed."""
    for name, side in zip(fit.names, np.asarray(fit.refined.at_bound)[0], strict=True):
        if name in ("k_m_s", "kt_m") and side and (name not in known or known[name].limits is None):
            seen = "at equilibrium at once" if side > 0 else "closed"
            return [f"To these data the surface is {seen}: {name} is at the end of what a fit follows."]
    return []


def _unseen(key: str, length: float, position: np.ndarray) -> list[str]:
    """Why a fit could not begin, where its points tell nothing of the length that it starts from [m]."""
    apart, along = float(np.median(np.diff(position))), float(np.ptp(position))
    if 0.5 * apart <= length <= 3.0 * along:
        return []
    return [
        f"{key}: the fit starts from a length 2√(Dt) of {length / UM:.3g} µm, of which points {apart / UM:.3g} µm "
        f"apart over {along / UM:.4g} µm show nothing; start from one in between."
    ]


def run_profile(
    study: ProfileStudy, folder: Path, on_iteration: OnIteration = None, on_ends: OnEnds = None
) -> TracerReport:
    """Fit one profile by a closed solution."""
    measured, table = read_profile_of(study.profile, folder), study.model
    duration = None if table.duration_h is None else table.duration_h * HOUR
    seconds = duration or 1.0
    start = table.start_D_m2_s or (0.5 * (table.start_length_um or 0.0) * UM) ** 2 / seconds
    # Without a duration, an exchange neither at equilibrium nor stopped is the start: k t of the order of √(D t).
    k = None if table.source != "surface-exchange" else (table.start_k_m_s or 2.0 * math.sqrt(start))
    width = None if table.source_um is None else table.source_um * UM
    thickness = None if table.thickness_um is None else table.thickness_um * UM
    origin = 0.0 if table.find_origin else None
    deepest = float(measured.position[-1])
    if thickness is not None and origin is None and deepest > thickness * (1.0 + 1e-6):
        raise ConfigError(
            f"model: the points go to {deepest / UM:g} µm, and a plate of thickness_um = {table.thickness_um:g} has "
            "none behind its back: is it the whole plate or half of it? last_um of the profile leaves points out"
        )
    known = _known(study.known)
    if study.profile.species is None and measured.counts is None:
        known = _within_fractions(known, np.asarray(measured.fraction), np.asarray(measured.error))

    def fitted(transport: Transport) -> TracerFit:
        main = transport == table.transport
        try:
            return fit_profile(
                measured, duration, start=start, source=table.source, transport=transport, known=known, k=k,
                source_width=width, thickness=thickness, base=table.base, origin=origin, on_iteration=on_iteration,
                on_ends=on_ends, **({} if main else {"profile_points": 0}),
            )  # fmt: skip
        except ParameterError as error:
            raise ConfigError(f"known: {error}") from None

    fit = fitted(table.transport)
    lines: list[Line] = []
    doubtful: dict[str, float] = {}
    arrays: dict[str, Array] = {}
    for key, (name, unit) in _LOGARITHMS.items():
        if key in fit.names:
            found = fit[key]
            lines.append(searched_row(name, found, unit, key=key))
            arrays |= quantity(name.replace("/", "_over_"), found.value, found.interval, unit)
            # What is held at an end of its range has no error; the status tells.
            if not np.asarray(fit.refined.at_bound)[0][fit.names.index(key)]:
                doubtful[name] = relative_error(found)
    first = fit[fit.names[0]]
    lines.append(searched_row("2√(Dt)", first, "µm", of=lambda value: 2e6 * math.sqrt(value * seconds)))
    fractions = {}
    for key, name in (("surface", "C of the source"), ("base", "C of the untouched sample")):
        if key in fit.names:
            found = fractions[name] = fit[key]
            lines.append(searched_row(name, found, "1", key=key))
            arrays[key] = Array(np.asarray(found.value), "1", name)
            arrays[f"{key}_error"] = Array(np.asarray(found.sigma), "1", f"standard error of {name}")
    for key, name in (
        ("fast_share", "share of the fast path"),
        ("D_slope", "ln D at the source less that of the untouched sample"),
    ):
        if key in fit.names:
            lines.append(searched_row(name, fit[key], "1", key=key))
            arrays |= quantity(key, fit[key].value, fit[key].interval, "1")
    if "origin_m" in fit.names:
        found = fit["origin_m"]
        lines.append(searched_row("position of the surface", found, "µm", of=lambda value: value / UM))
        arrays["origin"] = Array(np.asarray(found.value), "m", "position of the surface")
        arrays["origin_error"] = Array(np.asarray(found.sigma), "m", "standard error of it")
    position = jnp.linspace(measured.position[0], measured.position[-1], CURVE_POINTS)
    assert isinstance(fit.model, ProfileModel)
    curve = np.asarray(fit.model.at(fit.values(), position))

    def draw() -> "Figure":
        figure, (ax,), (below,) = profile_figure(1)
        label = "isotope fraction $C$" if study.profile.species is None else f"fraction of {study.profile.species}"
        isotope_profiles(ax, [measured], ["data"], position=position, fitted=jnp.asarray(curve)[None], quantity=label)
        isotope_residuals(below, [measured], position, jnp.asarray(curve)[None])
        return figure

    if duration is None:
        lines.append("D alone is not determined: without duration_h a profile gives Dt.")
    told, doubt = chi2_lines(fit)
    told += _endless(fit, known)
    if table.rivals:
        told += compared([(table.transport, fit), *((rival, fitted(rival)) for rival in table.rivals)])
    status, code = ending(fit)
    doubt += vague(list(doubtful), np.asarray(list(doubtful.values())))
    # Of one species the fraction may be that of any other level.
    doubt += [] if study.profile.species is not None else no_fractions(fractions.items())
    if code:
        key = "start_length_um" if table.start_D_m2_s is None else "start_D_m2_s"
        doubt += _unseen(key, 2.0 * math.sqrt(start * seconds), np.asarray(measured.position))
    return TracerReport(
        [*lines, *told],
        arrays | profile_arrays([("measured", measured)], np.asarray(position), curve[None]),
        draw,
        doubt,
        status,
        code,
        fit,
    )

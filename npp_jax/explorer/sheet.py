"""The picture on one sheet, for a paper: profiles with their data, residuals, logarithmic profiles, laws."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from npp_jax.explorer.charts import RESIDUALS
from npp_jax.explorer.common import FRACTION, LAW_FRACTION, colours_of
from npp_jax.explorer.picture import Law, Panel, Picture
from npp_jax.explorer.profile_figure import FLOOR
from npp_jax.explorer.subject import Subject
from npp_jax.figures.axes import depth_axis, headline
from npp_jax.figures.records import SHOWN, DrawnRecord, place, record_and_fit
from npp_jax.fitting import LawBands, Measurement
from npp_jax.inference import misfit
from npp_jax.simulation.status import Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BAND = "95 %"
_ALIKE = 0.05
"""Relative difference of one law in two tables."""


class Overlay(NamedTuple):
    """What is drawn over the profiles of an experiment."""

    frozen: tuple[tuple[np.ndarray, np.ndarray, str], ...] = ()
    """Depths [nm], fractions [1] and colour of curves that were kept."""
    half: Float[np.ndarray, "species depth"] | None = None
    """Half width of the 95 % bands about the signals of a fit [1]."""


def figure_of(
    subject: Subject, picture: Picture, overlays: Sequence[Overlay], laws: LawBands | None = None
) -> "Figure":
    """Figure of a picture, one column an experiment.

    Parameters
    ----------
    subject, picture
        What is drawn.
    overlays
        What is drawn over the profiles, of each experiment.
    laws
        Bands of 95 % of the diffusivity of the first ion with a distribution of site energies.
    """
    from matplotlib.figure import Figure

    measurements = subject.problem.measurements
    colours = colours_of(measurements)
    recorded = _quantities(picture)
    heights = [3.0, 1.2, 3.0, 2.6, *([2.2] * len(recorded))]
    figure = Figure(figsize=(max(3.6 * len(measurements), 5.0), 0.816 * sum(heights)), layout="constrained")
    grid = figure.subplots(len(heights), len(measurements), squeeze=False, gridspec_kw={"height_ratios": heights})
    for column, measurement, panel, over in zip(grid.T, measurements, picture.panels, overlays, strict=True):
        _profile(column[0], measurement, panel, colours, over)
        _profile(column[2], measurement, panel, colours, over)
        column[2].set(yscale="log", ylim=(FLOOR, 2.0))
        column[0].set(ylim=(-0.05, 1.15), title=_title(panel))
        column[0].legend(frameon=False, fontsize="small")
        _residuals(column[1], measurement, panel, colours)
        for ax in column[:3]:
            depth_axis(ax, named=ax is column[2])
        for law in panel.laws:
            column[3].semilogy(law.fraction, law.diffusivity, color=colours[law.species], label=law.species)
            if laws is not None:
                _law_band(column[3], law, laws, colours[law.species])
        column[3].set(xlabel=LAW_FRACTION, ylabel="$D$ / (m$^2$ s$^{-1}$)")
        column[3].legend(frameon=False, fontsize="small")
        for ax, quantity in zip(column[4:], recorded, strict=True):
            _record(ax, panel, quantity)
    if subject.title:
        headline(figure, subject.title)
    return figure


def _quantities(picture: Picture) -> list[str]:
    """What was recorded in the course of time or over the temperature in any experiment, at several points."""
    records = [one.record for panel in picture.panels for one in panel.records]
    return list(dict.fromkeys(r.quantity for r in records if r.quantity in SHOWN and r.at.size > 1))


def _record(ax: "Axes", panel: Panel, quantity: str) -> None:
    one = next((one for one in panel.records if one.record.quantity == quantity), None)
    if one is None:
        ax.set_axis_off()
        return
    nothing = np.zeros_like(one.signal)
    record_and_fit(ax, DrawnRecord("", one.record, one.signal, nothing), curve="model")
    ax.set(xlabel=place(one.record)[0])


def _title(panel: Panel) -> str:
    chi2 = f", χ² {misfit(panel.chi2)} for {panel.points} points" if panel.points else ""
    status = "" if panel.status is Status.DONE else f"\n{panel.status.name}"
    return f"{panel.name}{chi2}{status}"


def _law_band(ax: "Axes", law: Law, laws: LawBands, colour: str) -> None:
    """The band of a diffusivity, unless it is that of another law of the ion, as at another temperature."""
    band = laws.diffusivity
    inside = np.interp(laws.fraction, law.fraction, law.diffusivity)
    if law.species == laws.species and np.allclose(inside, band.best, rtol=_ALIKE):
        ax.fill_between(laws.fraction, band.low, band.high, color=colour, alpha=0.2, lw=0.0, label=_BAND)


def _profile(ax: "Axes", measurement: Measurement, panel: Panel, colours: dict[str, str], over: Overlay) -> None:
    profile = measurement.profile
    far = panel.far()
    for k, (x, y, colour) in enumerate(over.frozen):
        ax.plot(x, y, color=colour, ls="--", lw=0.9, alpha=0.8, label=None if k else "frozen")
    for k, ion in enumerate(panel.species):
        seen = profile is not None and ion in profile.species
        style: dict[str, Any] = {"ls": ":", "lw": 0.9} if seen else {"label": ion}
        ax.plot(panel.depth[-1], panel.fraction[-1, k], color=colours[ion], **style)
    if profile is not None and panel.signal is not None:
        depth = np.asarray(profile.depth)
        far = float(depth[-1])
        for k, ion in enumerate(profile.species):
            used = np.asarray(profile.weight[k]) > 0.0
            value, sigma = np.asarray(profile.fraction[k])[used], np.asarray(profile.sigma[k])[used]
            ax.errorbar(depth[used], value, sigma, fmt=".", ms=2.5, lw=0.5, alpha=0.5, color=colours[ion])
            ax.plot(depth, panel.signal[k], color=colours[ion], label=ion)
            if over.half is not None:
                ends = panel.signal[k] - over.half[k], panel.signal[k] + over.half[k]
                name = None if k else _BAND
                ax.fill_between(depth, *ends, color=colours[ion], alpha=0.25, lw=0.0, label=name)
    ax.set(xlim=(0.0, far if np.isfinite(far) else 1.0), ylabel=FRACTION)


def _residuals(ax: "Axes", measurement: Measurement, panel: Panel, colours: dict[str, str]) -> None:
    profile = measurement.profile
    if profile is None or panel.residual is None:
        ax.set_axis_off()
        return
    depth = np.asarray(profile.depth)
    ax.axhline(0.0, color="0.7", lw=0.8)
    for k, ion in enumerate(profile.species):
        rest = panel.residual[k]
        for chosen, marker in ((np.abs(rest) <= RESIDUALS, "."), (rest > RESIDUALS, "^"), (rest < -RESIDUALS, "v")):
            shown = np.clip(rest[chosen], -RESIDUALS, RESIDUALS)
            ax.plot(depth[chosen], shown, marker, ms=3, color=colours[ion], alpha=0.6)
    ax.set(xlim=(0.0, float(depth[-1])), ylim=(-RESIDUALS - 0.6, RESIDUALS + 0.6), ylabel="residual / σ")

"""Figures of a fit: functions that draw into an `ax` and return it."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from npp_jax.figures.axes import (
    BELOW,
    COLOURS,
    depth_axis,
    end_residuals,
    headline,
    ion_colours,
    legend_above,
    mark_beyond,
    reach,
)
from npp_jax.figures.parameter_axes import name_axis
from npp_jax.figures.stored import correlations, likelihood_curve
from npp_jax.fitting import FitResult, Measurement, signal_sigma
from npp_jax.fitting.band import Band, LawBands, SiteBands
from npp_jax.inference import NORMAL_95, Outcome, Posterior, Profile
from npp_jax.inference.profile import DELTA_CHI2_95
from npp_jax.observe import DepthProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_VISIBLE = 0.03
"""Share of an axis below which a shaded range cannot be seen."""

_DATA = {"marker": ".", "ms": 3.5, "ls": "none", "alpha": 0.6}


def data_and_fit(
    ax: "Axes",
    measurement: Measurement,
    result: FitResult,
    measured: int,
    *,
    logarithmic: bool = False,
    points: str = "data",
) -> "Axes":
    """Profile (points, which are called `data` or as given) and fit (lines) with its 95 % band."""
    profile = measurement.profile
    assert profile is not None
    depth = np.asarray(profile.depth)
    signal = np.asarray(result.expansion.signals[measured][0])
    half = NORMAL_95 * signal_sigma(result, measured)
    used = np.asarray(profile.weight) > 0.0
    limited = np.zeros_like(used) if profile.censored is None else np.asarray(profile.censored) > 0.0
    colours = ion_colours(profile.species)
    for k, name in enumerate(profile.species):
        colour = colours[name]
        values, below = np.asarray(profile.fraction)[k], used[k] & limited[k]
        told = used[k] & ~below
        ax.plot(depth[told], values[told], color=colour, label=f"{name} {points}", **_DATA)
        if below.any():
            ax.plot(depth[below], values[below], color=colour, label=f"{name} below its limit", **BELOW)
        ax.plot(depth, signal[k], color=colour, lw=1.2, label=f"{name} fit")
        ax.fill_between(depth, signal[k] - half[k], signal[k] + half[k], color=colour, alpha=0.3, lw=0)
    ax.set(ylabel="$n_i/N$", xlim=(0.0, reach(depth, signal)))
    if logarithmic:
        ax.set(yscale="log", ylim=(_floor(profile), 2.0))
    else:
        legend_above(ax, measurement.name)
    return ax


def _floor(profile: DepthProfile) -> float:
    """Least fraction on a logarithmic axis: what the noise of the data allows."""
    used = np.asarray(profile.weight) > 0.0
    return float(np.clip(0.5 * np.min(np.asarray(profile.sigma)[used], initial=1.0), 1e-6, 1e-2))


def residuals(ax: "Axes", measurement: Measurement, residual: Float[np.ndarray, " residual"]) -> "Axes":
    """Residuals of one experiment over their standard deviations: given as fit less data, drawn as data less fit."""
    profile = measurement.profile
    assert profile is not None
    depth, used = np.asarray(profile.depth), np.asarray(profile.weight) > 0.0
    table = -residual[: used.size].reshape(used.shape)
    colours = ion_colours(profile.species)
    beyond = sum(
        mark_beyond(ax, depth, table[k], used[k], colours[ion], **_DATA) for k, ion in enumerate(profile.species)
    )
    end_residuals(ax, beyond, float(np.max(np.abs(table[used]), initial=0.0)))
    return depth_axis(ax)


def _banded(ax: "Axes", x: np.ndarray, band: Band, colour: str, label: str) -> None:
    ax.plot(x, band.best, color=colour, label=label)
    ax.fill_between(x, band.low, band.high, color=colour, alpha=0.3, lw=0)


def diffusivity(ax: "Axes", bands: LawBands, supported: tuple[float, float]) -> "Axes":
    """D of the ion against its fraction; the compositions that the data hold are not shaded."""
    _banded(ax, bands.fraction, bands.diffusivity, COLOURS[0], f"{bands.species}, with its 95 % band")
    ion = bands.species
    ax.set(yscale="log", xlim=(0.0, 1.0), ylabel=f"$D$ of {ion} / (m$^2$ s$^{{-1}}$)")
    ax.set_xlabel(f"$n/n_{{\\mathrm{{bulk}}}}$ of {ion}" if bands.sites is not None else f"fraction of {ion}")
    ax.legend(frameon=False, fontsize="small")
    if supported[0] > _VISIBLE:
        ax.axvspan(0.0, supported[0], color="0.92", lw=0, zorder=0)
        ax.text(0.98, 0.05, "shaded: no data", ha="right", va="bottom", color="0.5", transform=ax.transAxes)
    return ax


def site_energies(ax: "Axes", bands: LawBands, sites: SiteBands, supported: tuple[float, float]) -> "Axes":
    """Density of sites, and which of them the experiment empties."""
    energy = sites.energy
    _banded(ax, energy, sites.density, "0.3", "sites")
    activation = np.interp(supported[0], bands.fraction, sites.activation.best)
    emptied = (energy <= 0.0) & (energy >= -activation)
    kept = energy <= -activation
    ax.fill_between(energy, sites.density.best, where=kept, color=COLOURS[5], alpha=0.5, lw=0, label="stay populated")
    ax.fill_between(energy, sites.density.best, where=emptied, color=COLOURS[1], alpha=0.5, lw=0, label="emptied")
    ax.set(xlabel="$E - E_{\\mathrm{F}}$(bulk) / eV", ylabel="density / eV$^{-1}$", ylim=(0.0, None))
    ax.set_title(f"sites of {bands.species}", fontsize="medium")
    ax.legend(frameon=False, fontsize="small")
    return ax


def figure_law(title: str, bands: LawBands, supported: tuple[float, float]) -> "Figure":
    """D of the ion against its fraction, and its sites, where it has some."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 4.0) if bands.sites is None else (8.4, 3.8), layout="constrained")
    left, *right = figure.subplots(1, 1 if bands.sites is None else 2, squeeze=False)[0]
    diffusivity(left, bands, supported)
    if bands.sites is not None:
        site_energies(right[0], bands, bands.sites, supported)
    headline(figure, title)
    return figure


def correlation(ax: "Axes", result: FitResult) -> "Axes":
    """Correlation matrix of the parameters."""
    return correlations(ax, result.names, np.asarray(result.covariance.correlation))


def profile_likelihood(ax: "Axes", profile: Profile, result: FitResult) -> "Axes":
    """Δχ² along one parameter, the 95 % threshold, and the parabola of the covariance; in words where there is none."""
    k = [bound.name for bound in result.parameters].index(profile.name)
    scale = result.parameters[k].scale
    s = {"log": np.log, "logit": lambda p: np.log(p / (1.0 - p)), "linear": np.asarray}[scale]
    error, best = float(result.covariance.standard_error_scaled[k]), float(s(result.theta[k]))
    known = np.isfinite(profile.delta_chi2)
    closed = [end.value for end in profile.ends if end.outcome is Outcome.CLOSED]
    # The curve goes through the minimum and the ends as well, where Δχ² is known.
    values = np.concatenate([profile.values[known], [result.theta[k]], closed])
    height = np.concatenate([profile.delta_chi2[known], [0.0], [DELTA_CHI2_95] * len(closed)])
    order = np.unique(values, return_index=True)[1]
    values, height = values[order], height[order]
    ax.set(ylabel="$\\Delta\\chi^2$", ylim=(0.0, 12.5))
    ax.axhline(DELTA_CHI2_95, color="0.7", lw=0.8, label="95 %")
    if len(values) > 1:
        x = np.linspace(values[0], values[-1], 200)
        if 0.0 < error < np.inf:
            ax.plot(x, ((s(x) - best) / error) ** 2, color="0.6", ls="--", label="covariance")
        ax.plot(*likelihood_curve(values, height, float(result.theta[k]), s), color=COLOURS[0], label="profile")
        ax.plot(profile.values, profile.delta_chi2, "o", color=COLOURS[0], ms=3.5)
    for j, end in enumerate(closed):
        ax.axvline(end, color=COLOURS[1], lw=0.8, label="ends of the interval" if j == 0 else None)
    if scale != "linear" and len(values) > 1:
        ax.set_xscale(scale)
    if len(values) > 1:
        legend_above(ax)
    name_axis(ax, result.parameters[k], "x")
    words = [end.label() for end in profile.ends]
    for place, word, end in zip((0.03, 0.97), words, profile.ends, strict=True):
        if end.outcome is not Outcome.CLOSED and len(values) > 1:
            side = "left" if place < 0.5 else "right"
            ax.text(place, 0.42, word, ha=side, color="0.4", fontsize="small", transform=ax.transAxes)
    if len(values) == 1:
        told = words[0] if words[0] == words[1] else " … ".join(words)
        ax.text(0.5, 0.6, told, ha="center", color="0.4", transform=ax.transAxes)
        ax.set_xticks([])
    return ax


_PAIRED = 8
"""Parameters in one pair plot; more do not fit on a page."""


def pair_plot(posterior: Posterior, result: FitResult) -> "Figure":
    """Draws of the posterior over each pair of parameters, with the best fit, and each parameter alone."""
    from matplotlib.figure import Figure

    bounds = result.parameters[:_PAIRED]
    count = len(bounds)
    draws = posterior.theta.reshape(-1, len(result.parameters))
    figure = Figure(figsize=(1.0 + 1.9 * count, 1.0 + 1.7 * count), layout="constrained")
    axes = figure.subplots(count, count, squeeze=False)
    edges = np.quantile(draws, [0.001, 0.999], axis=0)
    for row in range(count):
        for column in range(count):
            ax = axes[row, column]
            if column > row:
                ax.set_axis_off()
                continue
            if column == row:
                ax.hist(draws[:, row], bins=30, range=tuple(edges[:, row]), color=COLOURS[0], alpha=0.6)
                for end in posterior.interval[row]:
                    ax.axvline(end, color="0.5", lw=0.8, ls="--")
                ax.axvline(result.theta[row], color=COLOURS[1], lw=1.0)
                ax.set_yticks([])
            else:
                ax.plot(draws[:, column], draws[:, row], ".", ms=1.5, alpha=0.3, color=COLOURS[0], mew=0)
                ax.plot(result.theta[column], result.theta[row], "*", color=COLOURS[1], ms=9, mec="white", mew=0.5)
                ax.set_ylim(edges[:, row])
            ax.set_xlim(edges[:, column])
            ax.tick_params(labelsize="small")
            if bounds[column].scale == "log":
                ax.set_xscale("log")
            name_axis(ax, bounds[column], "x").tick_params(axis="x", rotation=50)
            if column < row:
                ax.set_yscale("log" if bounds[row].scale == "log" else "linear")
                name_axis(ax, bounds[row], "y")
            if row < count - 1:
                ax.tick_params(labelbottom=False)
                ax.set_xlabel("")
            if 0 < column < row:
                ax.tick_params(labelleft=False)
                ax.set_ylabel("")
    headline(figure, "draws of the posterior; star and line: best fit; dashed: 95 % of the draws")
    return figure

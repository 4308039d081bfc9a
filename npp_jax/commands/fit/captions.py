"""What is said of the figures of a fit: captions, alternative texts, and the numbers that are drawn."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from npp_jax.commands.fit.run import Fitted
from npp_jax.commands.fit.summary import measured_of
from npp_jax.commands.report.blocks import Shown
from npp_jax.commands.report.numbers import columns, matrix
from npp_jax.fitting import FitResult, LawBands, signal_sigma
from npp_jax.inference import NORMAL_95, Posterior, between
from npp_jax.simulation.text_table import TextTable
from npp_jax.sweeping import SweepResult, rank

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[[], "Figure | None"]

_CANDIDATES = 50
"""Candidates of a landscape in numbers."""


def profiles(draw: Draw, main: Fitted, *, synthetic: bool) -> Shown:
    """Measured profiles and the fit."""
    measured = measured_of(main)
    names = ", ".join(measurement.name for measurement in measured)
    data = "Synthetic" if synthetic else "Measured"
    agreement = "; ".join(f"{name}: χ² {value:.1f}" for name, value in main.result.chi2_of.items())
    return Shown(
        "profiles",
        draw,
        f"{data} profiles (points) and the fit as the instrument sees it (lines) with the 95 % band that the "
        "parameters leave; below, the residuals, data less fit, in standard deviations, which scatter about zero "
        "without a trend where the model is right.",
        f"{data} depth profiles of {names} with the fitted curves, and residuals below. {agreement}.",
        lambda: tuple(_profile_numbers(main)),
    )


def _profile_numbers(main: Fitted) -> Iterator[TextTable]:
    result, start = main.result, 0
    residual = np.asarray(result.expansion.residual[0])
    for k, measurement in enumerate(measured_of(main)):
        profile = measurement.profile
        assert profile is not None
        fraction, sigma = np.asarray(profile.fraction), np.asarray(profile.sigma)
        signal, half = np.asarray(result.expansion.signals[k][0]), NORMAL_95 * signal_sigma(result, k)
        away = residual[start : start + fraction.size].reshape(fraction.shape)
        start += fraction.size + (2 * len(profile.species) if measurement.solved else 0)
        named: dict[str, np.ndarray] = {"depth / nm": np.asarray(profile.depth)}
        for s, species in enumerate(profile.species):
            used = np.asarray(profile.weight[s]) > 0.0
            named |= {
                f"{species} data": np.where(used, fraction[s], np.nan),
                f"{species} σ": np.where(used, sigma[s], np.nan),
                f"{species} fit": signal[s],
                f"{species} ± 95 %": half[s],
                f"{species} residual / σ": np.where(used, away[s], np.nan),
            }
        yield columns(f"{measurement.name}: fractions, depth as measured", named)


def site_energies(name: str, draw: Draw, bands: Callable[[], LawBands | None], model: str) -> Shown:
    """The diffusivity law and the distribution of site energies."""

    def numbers() -> tuple[TextTable, ...]:
        found = bands()
        if found is None:
            return ()
        told = found.sites
        law = {"fraction / bulk": found.fraction}
        shown = [("D / m² s⁻¹", found.diffusivity), *([] if told is None else [("ΔE_act / eV", told.activation)])]
        for head, band in shown:
            law |= {head: band.best, f"{head}, low": band.low, f"{head}, high": band.high}
        if told is None:
            return (columns(f"D over the fraction of {found.species}", law),)
        of = told.density
        sites = {"E - E_F / eV": told.energy, "density / eV⁻¹": of.best, "low": of.low, "high": of.high}
        return (
            columns(f"D of {found.species}, and activation energy above that of the bulk", law),
            columns("Density of sites", sites),
        )

    return Shown(
        name,
        draw,
        f"{model}: left, the diffusion coefficient against the fraction of the ion over its bulk content; right, the "
        "distribution of site energies, with the sites that stay populated and those that the experiment empties. "
        "Bands hold 95 %; where compositions are shaded there are no data.",
        "Diffusion coefficient against composition on a logarithmic axis, and density of sites against energy, each "
        "with a 95 % band.",
        numbers,
    )


def correlation(draw: Draw, result: FitResult) -> Shown:
    """How the parameters follow each other."""
    table = np.asarray(result.covariance.correlation)
    apart = np.where(np.eye(len(table), dtype=bool) | ~np.isfinite(table), 0.0, table)
    words = "There is none between two of them."
    if np.any(apart != 0.0):
        i, j = np.unravel_index(np.argmax(np.abs(apart)), apart.shape)
        words = f"The strongest is {apart[i, j]:.2f}, between {result.names[i]} and {result.names[j]}."
    if not np.all(np.isfinite(table)):
        words += " Empty rows are of parameters that the data do not determine, as at an end of a range."
    return Shown(
        "correlation",
        draw,
        "Correlation of the parameters at the minimum: near 1 or -1 the data fix a combination of two parameters "
        f"better than each of them. {words}",
        f"Matrix of correlation coefficients of {len(table)} parameters. {words}",
        lambda: (matrix("Correlation", result.names, table),),
    )


def profile_likelihood(draw: Draw, result: FitResult) -> Shown:
    """Profile likelihoods."""
    intervals = "; ".join(f"{profile.name}: {between(profile.ends)}" for profile in result.profiles)
    return Shown(
        "profile_likelihood",
        draw,
        "Profile likelihoods: χ² above the lowest when one parameter is held and all others are fitted again. The 95 % "
        "interval ends where the curve passes 3.84 (horizontal line); where the curve follows the dashed parabola, the "
        "standard error tells the same.",
        f"χ² above its lowest value along each parameter. 95 % intervals: {intervals}.",
        lambda: tuple(
            columns(profile.name, {profile.name: profile.values, "Δχ²": profile.delta_chi2})
            for profile in result.profiles
            if len(profile.values)
        ),
    )


def posterior(draw: Draw, found: Posterior, result: FitResult) -> Shown:
    """Draws of the posterior."""

    def numbers() -> tuple[TextTable, ...]:
        shares = np.array([2.5, 16.0, 50.0, 84.0, 97.5])
        draws = found.theta.reshape(-1, len(result.names))
        quantiles = np.percentile(draws, shares, axis=0)
        named = {"parameter": result.names} | {f"{s:g} %": q for s, q in zip(shares, quantiles, strict=True)}
        return (columns("Quantiles of the draws", named),)

    return Shown(
        "posterior",
        draw,
        "Draws from the posterior over each pair of parameters, with the best fit (star); on the diagonal the "
        "distribution of each parameter with the ends of the central 95 % (dashed).",
        f"Scatter plots of {found.theta.shape[0] * found.theta.shape[1]} draws over pairs of parameters.",
        numbers,
    )


def landscape(draw: Draw, sweep: SweepResult, result: FitResult) -> Shown:
    """Candidates and the way from the best of them to the minimum."""
    first, second = sweep.names[:2]

    def numbers() -> tuple[TextTable, ...]:
        lowest = rank(sweep)[:_CANDIDATES]
        named = {"χ²": sweep.total[lowest]} | dict(zip(sweep.names, sweep.theta[lowest].T, strict=True))
        way = dict(zip(result.names, result.path.T, strict=True))
        title = f"The {len(lowest)} candidates of lowest χ², of {len(sweep.total)}"
        return columns(title, named), columns("Way of the best start", way)

    return Shown(
        "landscape",
        draw,
        f"Candidates of the sweep over {first} and {second} by their χ², with the way of the refinement from the best "
        "start to the minimum (star).",
        f"χ² of {len(sweep.total)} candidates over {first} and {second}, and the path of the refinement.",
        numbers,
    )

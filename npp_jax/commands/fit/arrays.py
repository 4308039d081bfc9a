"""The arrays of a fit, each with unit, meaning and axes, for its file."""

import numpy as np

from npp_jax.fitting import FitResult, LawBands, Measurement
from npp_jax.fitting.units import split_unit
from npp_jax.inference import Parameter, Posterior, Profile, Reason
from npp_jax.store.arrays import Array
from npp_jax.sweeping import SweepResult

_OWN = "unit of the parameter"
"""Unit of arrays that go over the parameters; `parameter_unit` has them."""

_ENDED = {
    "flag_values": [int(reason) for reason in Reason],
    "flag_meanings": " ".join(reason.name.lower() for reason in Reason),
}


def parameter_arrays(result: FitResult) -> dict[str, Array]:
    """What was found of the parameters, and the way there."""
    names, along, across = list(result.names), ("parameter",), ("parameter", "other_parameter")
    found = [result[name] for name in names]
    ends, refined = (*along, "end"), result.refined
    texts = np.array([[end.text() for end in estimate.ends] for estimate in found], dtype=object)
    sigma, interval = [estimate.sigma for estimate in found], [estimate.interval for estimate in found]
    return {
        "parameter": Array(names, "1", "name of a parameter", along),
        "other_parameter": Array(names, "1", "name of a parameter", ("other_parameter",)),
        "parameter_unit": Array([split_unit(p)[1] for p in result.parameters], "1", "unit of a parameter", along),
        "parameter_key": Array([(*p.keys, "")[0] for p in result.parameters], "1", "first key of a parameter", along),
        "parameter_scale": Array([p.scale for p in result.parameters], "1", "scale of a parameter", along),
        "parameter_range": Array(
            np.array([[p.low, p.high] for p in result.parameters], float), _OWN, "range of a parameter", ends
        ),
        "end": Array(("low", "high"), "1", "end of an interval", ("end",)),
        "theta": Array(result.theta, _OWN, "best parameters", along),
        "standard_error": Array(np.asarray(sigma), _OWN, "standard errors; NaN: not determined", along),
        "interval": Array(np.asarray(interval), _OWN, "95 % intervals; NaN: the data set no limit", ends),
        "interval_end": Array(texts, "1", "how each end was found", ends),
        "covariance_scaled": Array(
            np.asarray(result.covariance.scaled), "1", "covariance on the scales of the parameters", across
        ),
        "correlation": Array(np.asarray(result.covariance.correlation), "1", "correlation matrix", across),
        "start_theta": Array(np.asarray(refined.theta), _OWN, "where each start ended", ("start", *along)),
        "start_chi2": Array(2.0 * np.asarray(refined.cost), "1", "χ² there, priors included", ("start",)),
        "start_reason": Array(np.asarray(refined.reason), "1", "why it ended", ("start",), _ENDED),
        "path": Array(np.asarray(result.path), _OWN, "trial points of the best start", ("trial", *along)),
    }


def profile_arrays(measurement: Measurement, fitted: np.ndarray) -> dict[str, Array]:
    """A measured profile and the fitted one."""
    profile, axes = measurement.profile, ("species", "depth")
    assert profile is not None
    return {
        "depth": Array(np.asarray(profile.depth), "nm", "depth", axes[1:]),
        "species": Array(profile.species, "1", "name of a species", axes[:1]),
        "measured": Array(np.asarray(profile.fraction), "1", "measured profile", axes),
        "sigma": Array(np.asarray(profile.sigma), "1", "standard deviation of it", axes),
        "fitted": Array(fitted, "1", "fitted profile, as the instrument sees it", axes),
    }


def likelihood_arrays(profile: Profile, parameter: Parameter) -> dict[str, Array]:
    """The profile likelihood of a parameter, and the ends of its interval."""
    unit, along, end = split_unit(parameter)[1], ("values",), ("end",)
    ends = profile.ends
    value, delta = (np.array([getattr(e, name) for e in ends], float) for name in ("value", "delta_chi2"))
    return {
        "values": Array(np.asarray(profile.values), unit, f"value of {profile.name}", along),
        "delta_chi2": Array(np.asarray(profile.delta_chi2), "1", "χ² above the lowest", along),
        "theta": Array(np.asarray(profile.theta), _OWN, "parameters there", (*along, "parameter")),
        "reason": Array(np.asarray(profile.reason), "1", "why each point ended", along, _ENDED),
        "end_outcome": Array([e.outcome.name for e in ends], "1", "how each end was found", end),
        "end_text": Array([e.text() for e in ends], "1", "each end in words", end),
        "end_value": Array(value, unit, f"end of the interval of {profile.name}", end),
        "end_delta_chi2": Array(delta, "1", "χ² there above the lowest", end),
    }


_MOST = 20_000
"""Candidates of a landscape that are kept, the best ones."""


def landscape_arrays(sweep: SweepResult) -> dict[str, Array]:
    """Candidates of the sweep and their χ²."""
    along, kept = ("candidate",), np.sort(np.argsort(sweep.total)[:_MOST])
    # A fit has parameters that its sweep solves for: the scales of profiles that were imported.
    of = ("swept_parameter",)
    return {
        "swept_parameter": Array(list(sweep.names), "1", "name of a parameter of the sweep", of),
        "theta": Array(sweep.theta[kept], _OWN, "parameters of a candidate", (*along, *of)),
        "chi2": Array(sweep.total[kept], "1", "χ² there; infinite where the simulation failed", along),
    }


def law_arrays(bands: LawBands, supported: tuple[float, float]) -> dict[str, Array]:
    """D and site energies of an ion, with their bands."""
    of, over, energies = f"of {bands.species}", ("law_fraction",), ("energy",)
    sites = bands.sites
    found = {
        "law_fraction": Array(bands.fraction, "1", f"fraction {of} over its bulk content", over),
        "supported": Array(np.asarray(supported), "1", f"fractions {of} that the data hold", ("end",)),
    }
    told = [("diffusivity", bands.diffusivity, "m2 s-1", f"diffusion coefficient {of}", over)]
    if sites is not None:
        meaning = "energy of the sites, from the Fermi energy of the bulk"
        found["energy"] = Array(sites.energy, "eV", meaning, energies)
        told += [
            ("activation", sites.activation, "eV", "activation energy above that of the bulk", over),
            ("density", sites.density, "eV-1", "density of sites over the total", energies),
        ]
    for name, band, unit, meaning, axes in told:
        found[name] = Array(band.best, unit, meaning, axes)
        found[f"{name}_low"] = Array(band.low, unit, f"{meaning}, lower end of the 95 % band", axes)
        found[f"{name}_high"] = Array(band.high, unit, f"{meaning}, upper end of the 95 % band", axes)
    return found


def minimum_arrays(result: FitResult) -> dict[str, Array]:
    """The distinct minima."""
    along, minima = ("minimum",), result.minima
    theta = np.reshape([minimum.theta for minimum in minima], (-1, len(result.names)))
    return {
        "theta": Array(theta, _OWN, "parameters of a minimum", (*along, "parameter")),
        "chi2": Array(np.array([minimum.chi2 for minimum in minima], float), "1", "χ² there", along),
        "starts": Array(np.array([minimum.starts for minimum in minima], int), "1", "starts that ended there", along),
    }


def posterior_arrays(posterior: Posterior) -> dict[str, Array]:
    """Draws, and how well they stand for the posterior."""
    along, draw = ("parameter",), ("chain", "draw")
    return {
        "theta": Array(np.asarray(posterior.theta), _OWN, "draws", (*draw, *along)),
        "log_density": Array(
            np.asarray(posterior.log_density),
            "1",
            "ln density of each draw in the unbounded coordinate, up to a constant",
            draw,
        ),
        "r_hat": Array(np.asarray(posterior.r_hat), "1", "rank-normalised split R-hat", along),
        "ess_bulk": Array(np.asarray(posterior.ess_bulk), "1", "effective draws for the mean", along),
        "ess_tail": Array(np.asarray(posterior.ess_tail), "1", "effective draws for the 5 and 95 % quantiles", along),
    }

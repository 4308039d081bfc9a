"""Bands: what the uncertainty of the parameters means for profiles, diffusivities and site energies."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax._compile import jit_small
from npp_jax.constants import BOLTZMANN_EV
from npp_jax.fitting.fitting import FitResult
from npp_jax.fitting.problem import Measurement, Problem
from npp_jax.inference.transform import ranges_of, theta_slope, to_scaled, to_theta
from npp_jax.inference.uncertainty import NORMAL_95
from npp_jax.physics import ExponentialDiffusivity, SEDDiffusivity, SplineDiffusivity
from npp_jax.physics.checks import expects

SAMPLES = 400
"""Draws of the parameters, unless told otherwise."""


class Band(NamedTuple):
    """A curve and where it lies with a probability of 95 %."""

    best: Float[np.ndarray, " point"]
    low: Float[np.ndarray, " point"]
    high: Float[np.ndarray, " point"]


class LawBands(NamedTuple):
    """Diffusivity law of an ion whose D changes with composition, with bands."""

    species: str
    fraction: Float[np.ndarray, " point"]
    """Fraction of the ion over its bulk content [1]."""
    diffusivity: Band
    """D [m²/s]."""
    sites: "SiteBands | None"
    """None where the law has no site energies."""


class SiteBands(NamedTuple):
    """Site energies behind a law, with bands."""

    activation: Band
    """E_act(n) - E_act(bulk) [eV]."""
    energy: Float[np.ndarray, " energy"]
    """Energy of the sites, from the Fermi energy of the bulk [eV]."""
    density: Band
    """Density of sites over the total [1/eV]."""


def signal_sigma(result: FitResult, measured: int) -> Float[np.ndarray, "*data"]:
    """Standard deviation of a fitted signal from that of the parameters, to first order.

    Parameters
    ----------
    result
        The fit.
    measured
        Number of the profile or record, in the order of `Problem.data`.
    """
    slope = np.asarray(theta_slope(ranges_of(result.parameters), jnp.asarray(result.theta)))
    by_scaled = np.asarray(result.expansion.slopes[measured][0]) * slope
    return np.sqrt(np.einsum("...p,pq,...q->...", by_scaled, np.asarray(result.covariance.scaled), by_scaled))


def draw(result: FitResult, count: int = SAMPLES, *, seed: int = 0) -> Float[np.ndarray, "sample parameter"]:
    """Draws of the parameters from the normal distribution of their scaled coordinates, cut at their ranges."""
    ranges = ranges_of(result.parameters)
    centre = np.asarray(to_scaled(ranges, jnp.asarray(result.theta)))
    generator = np.random.default_rng(seed)
    moved = generator.multivariate_normal(centre, np.asarray(result.covariance.scaled), count, method="eigh")
    return np.asarray(to_theta(ranges, jnp.clip(jnp.asarray(moved), ranges.low, ranges.high)))


@expects(problem=Problem, measurement=Measurement, result=FitResult)
def law_bands(problem: Problem, measurement: Measurement, result: FitResult) -> LawBands | None:
    """Bands of the diffusivity, the activation energy and the site energies of one experiment.

    The covariance is propagated to first order: draws of many correlated parameters would leave the narrow region that
    the data allow. A profile depends on D₁(n) through the resistance D₂/D₁, which fades as D₁ grows: towards high D
    the band is linear in 1/D, and where it finds no limit D of the bulk is one, as D rises with the fraction.

    Returns
    -------
    None if D of no ion of the experiment changes with composition.
    """
    index = next(
        (k for k, s in enumerate(measurement.experiment.species) if isinstance(s.diffusivity, SEDDiffusivity)), None
    )
    if index is None:
        return _told_by_numbers(problem, measurement, result)
    fraction = jnp.linspace(1e-3, 1.0, 200)
    problem = dataclasses.replace(problem, parameters=result.parameters)

    def law_of(theta: Array) -> tuple[SEDDiffusivity, Array]:
        placed = problem.experiment(measurement, theta)
        law = placed.species[index].diffusivity
        assert isinstance(law, SEDDiffusivity)
        return law, jnp.asarray(placed.stages[0].temperature)

    def support(theta: Array) -> Array:
        law, temperature = law_of(theta)
        return jnp.stack(law.sed.support()) - law.fermi_energy(jnp.ones(1), temperature)[0]

    best = jnp.asarray(result.theta)
    low, high = np.asarray(jit_small(support)(best))
    energy = jnp.linspace(0.6 * low, min(0.6 * high, 0.25 * (high - low)), 300)

    def curves(scaled: Array) -> tuple[tuple[Array, Array, Array], tuple[Array, Array, Array, Array]]:
        law, temperature = law_of(to_theta(ranges, scaled))
        bulk = law.fermi_energy(jnp.ones(1), temperature)[0]
        found, activation = law.at(temperature)(fraction), law.activation_energy(fraction, temperature)
        drawn = jnp.log(found), activation, law.sed.density(energy + bulk)
        return drawn, (*drawn, BOLTZMANN_EV * temperature)

    ranges = ranges_of(result.parameters)
    scaled = to_scaled(ranges, best)
    slopes, values = jit_small(jax.jacfwd(curves, has_aux=True))(scaled)
    logarithm, activation, density, kt = (np.asarray(curve) for curve in values)
    matrix = np.asarray(result.covariance.scaled)
    half = [
        NORMAL_95 * np.sqrt(np.maximum(np.einsum("xp,pq,xq->x", g, matrix, g), 0.0))
        for g in (np.asarray(slope) for slope in slopes)
    ]
    lower, upper = _resistive(half[0])
    most = logarithm[-1] + half[0][-1]  # D rises with the fraction
    diffusivity = Band(
        np.exp(logarithm), np.exp(logarithm - lower), np.exp(np.maximum(np.minimum(logarithm + upper, most), logarithm))
    )
    lower, upper = _resistive(half[1] / kt)
    # The barrier of the bulk, zero, may round below it.
    least = np.minimum(activation, np.maximum(activation - kt * upper, 0.0))
    barrier = Band(activation, least, activation + kt * lower)
    sites = Band(density, np.maximum(density - half[2], 0.0), density + half[2])
    name = measurement.experiment.species[index].name
    return LawBands(name, np.asarray(fraction), diffusivity, SiteBands(barrier, np.asarray(energy), sites))


def _told_by_numbers(problem: Problem, measurement: Measurement, result: FitResult) -> LawBands | None:
    """Bands of the first law that is a polynomial or a curve, to first order in ln D."""
    kinds = ExponentialDiffusivity | SplineDiffusivity
    species = measurement.experiment.species
    index = next((k for k, s in enumerate(species) if isinstance(s.diffusivity, kinds)), None)
    if index is None:
        return None
    fraction = jnp.linspace(0.0, 1.0, 200)
    problem = dataclasses.replace(problem, parameters=result.parameters)
    ranges = ranges_of(result.parameters)

    def curve(scaled: Array) -> tuple[Array, Array]:
        placed = problem.experiment(measurement, to_theta(ranges, scaled))
        found = jnp.log(placed.species[index].diffusivity.at(jnp.asarray(placed.stages[0].temperature))(fraction))
        return found, found

    slope, value = jit_small(jax.jacfwd(curve, has_aux=True))(to_scaled(ranges, jnp.asarray(result.theta)))
    slope, value = np.asarray(slope), np.asarray(value)
    half = np.einsum("xp,pq,xq->x", slope, np.asarray(result.covariance.scaled), slope)
    half = NORMAL_95 * np.sqrt(np.maximum(half, 0.0))
    band = Band(np.exp(value), np.exp(value - half), np.exp(value + half))
    return LawBands(species[index].fraction_of or species[index].name, np.asarray(fraction), band, None)


def _resistive(half: Float[np.ndarray, " point"]) -> tuple[np.ndarray, np.ndarray]:
    """How far ln D may lie below and above, if its half width to first order is `half`; the latter from 1/D."""
    bounded = half < 1.0
    return half, np.where(bounded, -np.log1p(-np.where(bounded, half, 0.0)), np.inf)

"""Diffusion coefficients from measured isotope profiles: evolution in time, temperatures, single boundaries.

All are weighted least-squares fits. Diffusion coefficients and permeabilities are fitted as logarithms.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from npp_jax.constants import BOLTZMANN_EV
from npp_jax.physics.leaf import LeafLike, as_leaf, as_optional_leaf
from npp_jax.tracer.boundaries import chain_of_grains
from npp_jax.tracer.diffusion import DiffusionStage, diffuse, profile_at
from npp_jax.tracer.evolution import evolve_exchange_profile, evolve_measured_profile, exchange_profile, measured_start
from npp_jax.tracer.least_squares import TracerFit, least_squares
from npp_jax.tracer.transport import ArrheniusFit

Start: TypeAlias = Literal["exchange", "measured"]
"""What the first profile of a specimen is: an exchange of its immersed part, or a profile of any form."""


class MeasuredProfile(eqx.Module):
    """A measured isotope profile."""

    position: Float[Array, " point"] = eqx.field(converter=as_leaf)
    """Positions [m]."""
    fraction: Float[Array, " point"] = eqx.field(converter=as_leaf)
    """Isotope fractions [1]."""
    error: Float[Array, "*#point"] = eqx.field(converter=as_leaf)
    """Standard errors of the fractions [1]."""

    def residual(self, model: Float[Array, " point"]) -> Float[Array, " point"]:
        """(model - measured)/error."""
        return (model - self.fraction) / self.error


class Anneal(eqx.Module):
    """A time at one temperature in the closed sample, and the profile measured after it."""

    duration: Float[Array, ""] = eqx.field(converter=as_leaf)
    """Duration since the previous profile [s]."""
    temperature: Float[Array, ""] = eqx.field(converter=as_leaf)
    """Temperature [K]."""
    profile: MeasuredProfile
    """Profile after it."""


class Specimen(eqx.Module):
    """One sample: its profile after the exchange, then anneals in their order."""

    exchanged: MeasuredProfile
    """First profile, right after the exchange."""
    anneals: tuple[Anneal, ...]
    """What followed."""
    left: float = eqx.field(static=True, default=-1e-3)
    """Immersed end of the sample [m], negative: the level of the liquid is at zero."""
    right: float = eqx.field(static=True, default=6e-3)
    """Other end of the sample [m]."""


def fit_evolution(
    specimens: Sequence[Specimen],
    *,
    D: LeafLike,
    reference_temperature: LeafLike,
    energy: LeafLike | None = None,
    base: LeafLike | None = None,
    start: Start = "exchange",
    cells: int = 200,
    steps: int = 32,
) -> TracerFit:
    """Joint fit of profiles after several times and temperatures, with the Arrhenius law inside the fit.

    D(T) = D_ref exp[-(E_a/k)(1/T - 1/T_ref)]. The parameters are `log_D` = ln D_ref [ln m²/s], `energy` = E_a [eV]
    unless it is not wanted, and for each specimen the `log_area` of its exchange [ln m²], `surface` C₁ and, unless
    `base` is given, `base` C₀. From a measured start they are the fractions `initial` at the points of the first
    profile instead. The first profiles are data like the others, so that their errors enter that of D.

    Parameters
    ----------
    specimens
        Samples with their profiles.
    D
        D_ref to start from. [m²/s]
    reference_temperature
        T_ref: amid the temperatures, where ln D_ref and E_a are least correlated. [K]
    energy
        E_a to start from; None where all anneals are at T_ref. [eV]
    base
        Fraction C₀ of the untouched samples, if known. [1]
    start
        What the first profiles are: an `exchange` of the immersed part (eqn 4), or `measured`, of any form.
    cells, steps
        Finite volumes of a sample and time steps to each profile.
    """
    reference = as_leaf(reference_temperature)
    parameters: dict[str, Array] = {"log_D": jnp.log(as_leaf(D))}
    if energy is not None:
        parameters["energy"] = as_leaf(energy)
    if start == "measured":
        parameters |= {f"initial{k}": s.exchanged.fraction for k, s in enumerate(specimens)}
    else:
        parameters["surface"] = jnp.stack([jnp.max(s.exchanged.fraction) for s in specimens])
        parameters["log_area"] = jnp.stack([jnp.log(_first_area(s.exchanged)) for s in specimens])
    if base is None and start == "exchange":
        parameters["base"] = jnp.stack([jnp.min(s.exchanged.fraction) for s in specimens])
    model = EvolutionModel(tuple(specimens), reference, as_optional_leaf(base), energy is not None, start, cells, steps)
    return least_squares(model, strong(parameters))


class EvolutionModel(eqx.Module):
    """Profiles of the specimens, and their weighted residuals, as functions of the parameters of `fit_evolution`."""

    specimens: tuple[Specimen, ...]
    reference: Array
    """Reference temperature [K]."""
    base: Array | None
    """Fraction of the untouched samples, if known [1]."""
    activated: bool = eqx.field(static=True)
    """Whether D depends on temperature."""
    start: Start = eqx.field(static=True, default="exchange")
    """What the first profiles are."""
    cells: int = eqx.field(static=True, default=200)
    steps: int = eqx.field(static=True, default=32)

    def diffusivity(self, p: dict[str, Array], temperature: LeafLike) -> Array:
        """D at a temperature [m²/s]."""
        if not self.activated:
            return jnp.exp(p["log_D"])
        inverse = 1.0 / as_leaf(temperature) - 1.0 / self.reference
        return jnp.exp(p["log_D"] - p["energy"] / BOLTZMANN_EV * inverse)

    def profiles(self, p: dict[str, Array], k: int, position: Float[Array, " point"]) -> Float[Array, "profile point"]:
        """Fractions of specimen k after the exchange and after each anneal, at positions [m]."""
        specimen = self.specimens[k]
        areas = jnp.cumsum(jnp.stack([a.duration * self.diffusivity(p, a.temperature) for a in specimen.anneals]))
        ends = {"left": specimen.left, "right": specimen.right, "cells": self.cells, "steps": self.steps}
        if self.start == "measured":
            knots, values = specimen.exchanged.position, p[f"initial{k}"]
            evolved = evolve_measured_profile(position, knots, values, areas, **ends)
            return jnp.concatenate([measured_start(position, knots, values)[None], evolved])
        low = p["base"][k] if self.base is None else self.base
        area = jnp.exp(p["log_area"][k])
        evolved = evolve_exchange_profile(position, area, areas, **ends)
        shapes = jnp.concatenate([exchange_profile(position, area)[None], evolved])
        return low + (p["surface"][k] - low) * shapes

    def __call__(self, p: dict[str, Array]) -> Array:
        """Weighted residuals of all profiles [1]."""
        parts = []
        for k, specimen in enumerate(self.specimens):
            measured = (specimen.exchanged, *(a.profile for a in specimen.anneals))
            everywhere = self.profiles(p, k, jnp.concatenate([m.position for m in measured]))
            begin = 0
            for m, fraction in zip(measured, everywhere, strict=True):
                count = m.position.shape[0]
                parts.append(m.residual(fraction[begin : begin + count]))
                begin += count
        return jnp.concatenate(parts)


def activation(fit: TracerFit, reference_temperature: LeafLike) -> ArrheniusFit:
    """Arrhenius law of an evolution with an energy: ln D₀ = ln D_ref + E_a/(k T_ref), with the covariance of both.

    Parameters
    ----------
    fit
        Result of `fit_evolution`.
    reference_temperature
        T_ref of it. [K]
    """
    values, unravel = ravel_pytree(fit.parameters)

    def law(vector: Array) -> Array:
        p = unravel(vector)
        return jnp.stack([p["log_D"] + p["energy"] / (BOLTZMANN_EV * as_leaf(reference_temperature)), p["energy"]])

    slope, (log_prefactor, energy) = jax.jacfwd(law)(values), law(values)
    covariance = slope @ fit.covariance @ slope.T
    return ArrheniusFit(log_prefactor, energy, covariance, fit.chi2, fit.degrees_of_freedom)


def strong(parameters: dict[str, Array]) -> dict[str, Array]:
    """Parameters of one type, none of them weakly typed."""
    dtype = jnp.result_type(*parameters.values(), float)
    return {name: leaf.astype(dtype) for name, leaf in parameters.items()}


def _first_area(profile: MeasuredProfile) -> Array:
    """Rough A = Dt of an exchange: ∫(C - C₀)dx/(C₁ - C₀) over x > 0 is 2√(A/π)."""
    low, high = jnp.min(profile.fraction), jnp.max(profile.fraction)
    shape = jnp.where(profile.position > 0.0, (profile.fraction - low) / (high - low), 0.0)
    return jnp.pi / 4.0 * jnp.trapezoid(shape, profile.position) ** 2


def fit_boundaries(
    sizes: LeafLike,
    initial: LeafLike,
    stages: Sequence[DiffusionStage],
    profiles: Sequence[MeasuredProfile | None],
    *,
    D_bulk: LeafLike,
    permeability: LeafLike,
    fit_bulk: bool = False,
    start: LeafLike = 0.0,
    cells: int = 8,
    steps: int = 32,
) -> TracerFit:
    """D_gb/δ of each boundary of a chain of grains from profiles that resolve the steps.

    The parameters are `log_permeability` [ln m/s], shape [boundary], and `log_D` [ln m²/s] if `fit_bulk`. Profiles fix
    only the ratio of the two where the duration of the exchange does not matter, at long times.

    Parameters
    ----------
    sizes
        Lengths of the grains, shape [grain]. [m]
    initial
        Fraction before the first stage, one number or shape [grain]. [1]
    stages
        Exchange and anneals, with their ends.
    profiles
        Profile at the end of each stage, None where none was measured.
    D_bulk
        Diffusion coefficient in the grains, known or to start from. [m²/s]
    permeability
        D_gb/δ to start from, one number or one for each boundary. [m/s]
    fit_bulk
        Whether D_bulk is fitted too.
    start
        Position of the first face. [m]
    cells, steps
        Finite volumes of a grain and time steps of a stage.
    """
    sizes = as_leaf(sizes)
    first = jnp.broadcast_to(jnp.log(as_leaf(permeability)), (sizes.shape[0] - 1,))
    parameters = {"log_permeability": first.astype(sizes.dtype)}
    if fit_bulk:
        parameters["log_D"] = jnp.log(as_leaf(D_bulk)).astype(sizes.dtype)
    fraction = jnp.repeat(jnp.broadcast_to(as_leaf(initial), sizes.shape), cells)
    model = _ChainResidual(
        sizes, fraction, tuple(stages), tuple(profiles), as_leaf(D_bulk), as_leaf(start), cells, steps
    )
    return least_squares(model, parameters)


class _ChainResidual(eqx.Module):
    sizes: Array
    initial: Array
    stages: tuple[DiffusionStage, ...]
    profiles: tuple[MeasuredProfile | None, ...]
    D_bulk: Array
    start: Array
    cells: int = eqx.field(static=True)
    steps: int = eqx.field(static=True)

    def __call__(self, p: dict[str, Array]) -> Array:
        D = jnp.exp(p["log_D"]) if "log_D" in p else self.D_bulk
        chain = chain_of_grains(self.sizes, jnp.exp(p["log_permeability"]), D, cells=self.cells, start=self.start)
        solution = diffuse(chain, self.initial, self.stages, steps=self.steps)
        return jnp.concatenate(
            [
                profile.residual(profile_at(chain, values, profile.position))
                for profile, values in zip(self.profiles, solution.fraction, strict=True)
                if profile is not None
            ]
        )

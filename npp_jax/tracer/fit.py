"""Diffusion coefficients from measured isotope profiles: evolution in time, temperatures, single boundaries.

Diffusion coefficients and permeabilities vary on a logarithmic scale; data of counts are fitted by their likelihood.
"""

import dataclasses
from collections.abc import Sequence
from typing import Literal, TypeAlias

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax.constants import BOLTZMANN_EV
from npp_jax.physics.checks import (
    FINITE,
    NOT_NEGATIVE,
    POSITIVE,
    Several,
    expect,
    expect_numbers,
    expect_several,
    expects,
    optional,
)
from npp_jax.physics.leaf import LeafLike, as_leaf, as_optional_leaf
from npp_jax.tracer.evolution import evolve_exchange_profile, evolve_measured_profile, exchange_profile, measured_start
from npp_jax.tracer.fractions import AbstractFractions
from npp_jax.tracer.measured import MeasuredProfile
from npp_jax.tracer.model import AbstractTracerModel
from npp_jax.tracer.tracer_fit import OnIteration, TracerFit, fit_tracer
from npp_jax.tracer.transport import ArrheniusFit
from npp_jax.tracer.unknowns import Unknown

Start: TypeAlias = Literal["exchange", "measured"]
"""What the first profile of a specimen is: an exchange of its immersed part, or a profile of any form."""


class Anneal(eqx.Module):
    """A time at one temperature in the closed sample, and the profile measured after it."""

    duration: Float[Array, ""] = eqx.field(converter=as_leaf)
    """Duration since the previous profile [s]."""
    temperature: Float[Array, ""] = eqx.field(converter=as_leaf)
    """Temperature [K]."""
    profile: MeasuredProfile
    """Profile after it."""

    def __check_init__(self) -> None:
        """Duration and temperature are those of an anneal."""
        expect_numbers(self.duration, NOT_NEGATIVE, "duration")
        expect_numbers(self.temperature, POSITIVE, "temperature")
        expect(self.profile, MeasuredProfile, "profile", placeholders=False)


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

    def __check_init__(self) -> None:
        """The sample has a first profile, and what followed."""
        expect(self.exchanged, MeasuredProfile, "exchanged", placeholders=False)
        expect_several(self.anneals, Several(Anneal), "anneals")


@expects(
    specimens=Several(Specimen),
    D=POSITIVE,
    reference_temperature=POSITIVE,
    energy=optional(FINITE),
    base=optional(FINITE),
    cells=POSITIVE,
    steps=POSITIVE,
)
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
    on_iteration: OnIteration = None,
) -> TracerFit:
    """Joint fit of profiles after several times and temperatures, with the Arrhenius law inside the fit.

    D(T) = D_ref exp[-(E_a/k)(1/T - 1/T_ref)]. The parameters are `D_m2_s` = D_ref, `energy_eV` = E_a unless it is not
    wanted, and for each specimen the area Dt of its exchange `area_m2`, `surface` C₁ and, unless `base` is given,
    `base` C₀. From a measured start they are the fractions `initial` at the points of its first profile instead. The
    first profiles are data like the others, so that their errors enter that of D.

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
    on_iteration
        Is told after each iteration how far it is.
    """
    firsts = [specimen.exchanged for specimen in specimens]
    unknowns = [Unknown("D_m2_s", as_leaf(D), "log")]
    if energy is not None:
        unknowns.append(Unknown("energy_eV", as_leaf(energy)))
    if start == "measured":
        unknowns += [
            Unknown(f"initial_{k + 1}", first.inside(first.fraction), limits=first.data.limits)
            for k, first in enumerate(firsts)
        ]
    else:
        limits = (min(f.data.limits[0] for f in firsts), max(f.data.limits[1] for f in firsts))
        unknowns.append(Unknown("area_m2", jnp.stack([_first_area(first) for first in firsts]), "log"))
        unknowns.append(Unknown("surface", jnp.stack([_extremes(first)[1] for first in firsts]), limits=limits))
        if base is None:
            unknowns.append(Unknown("base", jnp.stack([_extremes(first)[0] for first in firsts]), limits=limits))
    model = EvolutionModel(
        tuple(specimens),
        as_leaf(reference_temperature),
        as_optional_leaf(base),
        energy is not None,
        start,
        cells,
        steps,
    )
    return fit_tracer(model, tuple(unknowns), on_iteration=on_iteration)


class EvolutionModel(AbstractTracerModel):
    """Profiles of the specimens as functions of the parameters of `fit_evolution`."""

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

    def finer(self) -> "EvolutionModel":
        """Twice as many cells and steps."""
        return dataclasses.replace(self, cells=2 * self.cells, steps=2 * self.steps)

    def diffusivity(self, p: dict[str, Array], temperature: LeafLike) -> Array:
        """D at a temperature [m²/s]."""
        if not self.activated:
            return p["D_m2_s"]
        inverse = 1.0 / as_leaf(temperature) - 1.0 / self.reference
        return p["D_m2_s"] * jnp.exp(-p["energy_eV"] / BOLTZMANN_EV * inverse)

    def profiles(self, p: dict[str, Array], k: int, position: Float[Array, " point"]) -> Float[Array, "profile point"]:
        """Fractions of specimen k after the exchange and after each anneal, at positions [m]."""
        specimen = self.specimens[k]
        areas = jnp.cumsum(jnp.stack([a.duration * self.diffusivity(p, a.temperature) for a in specimen.anneals]))
        ends = {"left": specimen.left, "right": specimen.right, "cells": self.cells, "steps": self.steps}
        if self.start == "measured":
            knots, values = specimen.exchanged.position, p[f"initial_{k + 1}"]
            evolved = evolve_measured_profile(position, knots, values, areas, **ends)
            return jnp.concatenate([measured_start(position, knots, values)[None], evolved])
        low = p["base"][k] if self.base is None else self.base
        area = p["area_m2"][k]
        evolved = evolve_exchange_profile(position, area, areas, **ends)
        shapes = jnp.concatenate([exchange_profile(position, area)[None], evolved])
        return low + (p["surface"][k] - low) * shapes

    def measured(self, k: int) -> tuple[MeasuredProfile, ...]:
        """Profiles of specimen k, in their order."""
        specimen = self.specimens[k]
        return (specimen.exchanged, *(anneal.profile for anneal in specimen.anneals))

    @property
    def data(self) -> tuple[AbstractFractions, ...]:
        """All profiles, one specimen after the other."""
        return tuple(m.data for k in range(len(self.specimens)) for m in self.measured(k))

    def fractions(self, p: dict[str, Array]) -> tuple[Array, ...]:
        """Fractions at the points of all profiles [1]."""
        parts = []
        for k in range(len(self.specimens)):
            measured = self.measured(k)
            everywhere = self.profiles(p, k, jnp.concatenate([m.position for m in measured]))
            begin = 0
            for m, fraction in zip(measured, everywhere, strict=True):
                count = m.position.shape[0]
                parts.append(fraction[begin : begin + count])
                begin += count
        return tuple(parts)


@expects(fit=TracerFit, reference_temperature=POSITIVE)
def activation(fit: TracerFit, reference_temperature: LeafLike) -> ArrheniusFit:
    """Arrhenius law of an evolution with an energy: ln D₀ = ln D_ref + E_a/(k T_ref), with the covariance of both.

    Parameters
    ----------
    fit
        Result of `fit_evolution`.
    reference_temperature
        T_ref of it. [K]
    """
    places = [fit.names.index(name) for name in ("D_m2_s", "energy_eV")]
    log_D, energy = jnp.log(fit.theta[places[0]]), jnp.asarray(fit.theta[places[1]])
    slope = jnp.asarray([[1.0, 1.0 / (BOLTZMANN_EV * as_leaf(reference_temperature))], [0.0, 1.0]])
    # On the scale of D the covariance is that of ln D.
    covariance = slope @ fit.covariance.scaled[np.ix_(places, places)] @ slope.T
    return ArrheniusFit(log_D + slope[0, 1] * energy, energy, covariance, jnp.asarray(fit.chi2), fit.degrees_of_freedom)


def _extremes(profile: MeasuredProfile) -> tuple[Array, Array]:
    """Least and greatest fraction, to start from: of counts those of its ends, where chance makes no extremes."""
    if profile.counts is None:
        return jnp.min(profile.fraction), jnp.max(profile.fraction)
    ends = jnp.stack(profile.ends())
    return jnp.min(ends), jnp.max(ends)


def _first_area(profile: MeasuredProfile) -> Array:
    """Rough A = Dt of an exchange: ∫(C - C₀)dx/(C₁ - C₀) over x > 0 is 2√(A/π)."""
    low, high = _extremes(profile)
    shape = jnp.where(profile.position > 0.0, (profile.fraction - low) / (high - low), 0.0)
    return jnp.pi / 4.0 * jnp.trapezoid(shape, profile.position) ** 2

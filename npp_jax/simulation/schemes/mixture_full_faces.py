"""Derivatives of the Nernst–Planck–Poisson mixture, written out at the faces."""

import functools
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.simulation.material import Mixture, Unknowns
from npp_jax.simulation.schemes.mixture_faces import Way, drift, relative, steepness
from npp_jax.simulation.schemes.mixture_neutral_faces import argument_change, laws_at, replacement


class Linear(NamedTuple):
    """Fluxes of the carried species and the charge that all carry, at faces, with derivatives.

    `left` and `right` are the carried fractions on either side, `before`, `here` and `after` the fields at the face to
    the left, at the face and at the face to the right.
    """

    flux: Unknowns
    by_left: tuple[tuple[Array | None, ...], ...]
    """[i][j] is that of flux i by species j, None where it does not depend on it."""
    by_right: tuple[tuple[Array | None, ...], ...]
    by_here: Unknowns
    by_tempo: Unknowns
    charge: Array
    """Σ z_i J_i relative to the face, per unit of the clock."""
    charge_by_left: Unknowns
    charge_by_right: Unknowns
    charge_by_before: Array
    charge_by_here: Array
    charge_by_after: Array
    charge_by_tempo: Array


def linear_faces(
    medium: Mixture,
    left: Unknowns,
    right: Unknowns,
    here: Array,
    gauss: tuple[Array, Array],
    dt: Array,
    way: Way,
) -> Linear:
    """What `mixture_full.through_faces` gives, linearised with the steepening held.

    The flux of a species depends on its own fractions and the field. That of the species which is not carried follows
    from those of the others and from the excess charge in the cells on either side, and so from the next fields.

    Parameters
    ----------
    medium
        Material.
    left, right
        Fractions of all species on either side, shape [face, *batch].
    here
        Field at the faces [kT/(e nm)].
    gauss
        ∂(excess charge)/∂(difference of the fields at the two faces) of the cells on either side.
    dt
        Tempo dt/ds.
    way
        Where the faces are.
    """
    z, each, rest = medium.charges, range(len(medium.charges)), medium.dependent_species
    mean = [0.5 * (a + b) for a, b in zip(left, right, strict=True)]
    D, D_slope = laws_at(medium, mean)
    flux, by_tempo, by_left, by_right, by_here, by_others = [], [], [], [], [], []
    for k in each:
        steep = steepness(medium, z[k], here, D[k], dt, way)
        moved = drift(z[k], mean[k], here, steep * (right[k] - left[k]))
        by_law = 0.5 * dt * D_slope[k] * moved
        by_mean = 0.5 * (dt * D[k] * z[k] * here - way.velocity)
        alone = medium.seen[k] == (k,)
        if alone:
            by_mean = by_mean + by_law
        by_step = dt * D[k] * steep
        by_tempo.append(D[k] * moved)
        flux.append(relative(dt, D[k], moved, way, mean[k]))
        by_left.append(by_mean + by_step)
        by_right.append(by_mean - by_step)
        by_here.append(dt * D[k] * z[k] * mean[k])
        by_others.append(None if alone else by_law)

    def charge(parts: list) -> Array:
        terms = [z[k] * part for k, part in enumerate(parts) if part is not None]
        return functools.reduce(jnp.add, terms, jnp.zeros_like(here))

    # A carried ion takes the place of `ratio` ions of the species that is not carried.
    ratio = {j: replacement(medium, j) for j in medium.carried}

    def through_law(i: int, j: int) -> Array | None:
        """Of the flux of species i by the carried species j, through a law that takes not its own fraction alone."""
        change, by_law = argument_change(medium, i, j), by_others[i]
        return None if change is None or by_law is None else change * by_law

    def of_flux(i: int, j: int, own: list) -> Array | None:
        """Of the flux of species i by species j; what excess charge adds to the sum of all is neglected."""
        through = through_law(i, j)
        if i != j:
            return through
        return own[i] if through is None else own[i] + through

    def of_charge(j: int, own: list) -> Array:
        return z[j] * own[j] + ratio[j] * z[rest] * own[rest] + charge([through_law(i, j) for i in each])

    by_excess = charge([by_law if rest in medium.seen[k] else None for k, by_law in enumerate(by_others)]) / z[rest]
    excess_left, excess_right = (own[rest] + by_excess for own in (by_left, by_right))
    before, after = gauss[0] * excess_left, gauss[1] * excess_right
    carried = medium.carried
    return Linear(
        flux=tuple(flux[k] for k in carried),
        by_left=tuple(tuple(of_flux(i, j, by_left) for j in carried) for i in carried),
        by_right=tuple(tuple(of_flux(i, j, by_right) for j in carried) for i in carried),
        by_here=tuple(by_here[k] for k in carried),
        by_tempo=tuple(by_tempo[k] for k in carried),
        charge=charge(flux),
        charge_by_left=tuple(of_charge(j, by_left) for j in carried),
        charge_by_right=tuple(of_charge(j, by_right) for j in carried),
        charge_by_before=-before,
        charge_by_here=charge(by_here) + before - after,
        charge_by_after=after,
        charge_by_tempo=charge(by_tempo),
    )

"""Schemes of two ions: derivatives written out, equilibrium, conservation, Ohm's law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import base

from npp_jax.simulation.material import Medium
from npp_jax.simulation.mesh.geometry import Geometry, geometry
from npp_jax.simulation.schemes import PAIR, AbstractScheme, PairFull, PairNeutral
from npp_jax.simulation.units import medium_of
from npp_jax.solver.block_tridiagonal import probe

CELLS = 14
SCHEMES = pytest.mark.parametrize("scheme", PAIR.values(), ids=PAIR)
V = jnp.asarray(1e-3)


def medium() -> Medium:
    experiment = jax.tree.map(jnp.asarray, base())
    return medium_of(experiment, experiment.stages[0])


def mesh(rng: np.random.Generator, of: Medium, *, moving: bool = True) -> Geometry:
    faces = jnp.asarray(np.concatenate([[0.0], np.cumsum(rng.uniform(1.0, 3.0, CELLS))]))
    velocity = jnp.asarray(0.1 * rng.normal(size=CELLS + 1)).at[0].set(0.0)
    return geometry(faces, velocity if moving else jnp.zeros_like(faces), of.thickness)


def unknowns(scheme: AbstractScheme, of: Medium, u: jax.Array, here: Geometry) -> tuple[jax.Array, ...]:
    return scheme.start(of, (u,), V, 1.0 / V, here)


def per_charge(v: jax.Array) -> jax.Array:
    return 1.0 / v


def in_time(v: jax.Array) -> jax.Array:
    return jnp.ones_like(v)


@SCHEMES
@pytest.mark.parametrize("tempo", [per_charge, in_time])
def test_written_out_derivatives_are_those_of_the_rates(
    scheme: AbstractScheme, tempo, rng: np.random.Generator
) -> None:
    """With the stabilising factor held, as in an iteration: nothing of the native ions counts as mobile."""
    held = medium()._replace(immobile=jnp.asarray(2.0))
    here = mesh(rng, held)
    y = unknowns(scheme, held, jnp.asarray(rng.uniform(0.1, 0.9, CELLS)), here)

    @jax.jit
    def both() -> tuple:
        rates = lambda y, v: scheme.rates(held, y, v, tempo, here)  # noqa: E731
        matrix = probe(jax.linearize(lambda y: rates(y, V).rate, y)[1], y)
        row = jax.grad(lambda y: rates(y, V).drop)(y)
        by_current = jax.grad(lambda v: rates(y, v).drop)(V)
        mass = jax.grad(lambda y: sum(jnp.sum(part) for part in scheme.amounts(held, y, here.width)))(y)
        return scheme.linearise(held, y, V, tempo, here), rates(y, V), matrix, row, by_current, mass

    found, value, matrix, row, by_current, mass = both()

    def agree(ours: object, theirs: object) -> None:
        for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
            scale = max(float(jnp.max(jnp.abs(other))), 1e-300)
            np.testing.assert_allclose(one, other, rtol=0.0, atol=1e-11 * scale)

    agree((found.rate, found.drop), (value.rate, value.drop))
    for ours, theirs, part in zip(
        (found.lower, found.diagonal, found.upper), matrix, (slice(1, None), slice(None), slice(None, -1)), strict=True
    ):
        full = jax.tree.map(lambda a: jnp.zeros(CELLS) if a is None else a, ours, is_leaf=lambda a: a is None)
        agree(*jax.tree.map(lambda a, part=part: a[part], (full, theirs)))
    agree(scheme.masses(held, here.width), mass)
    if found.response is None:
        # The neutral field hangs on the composition as well, which an iteration neglects.
        agree(found.drop_by_current, by_current)
    else:
        agree(found.drop_by_unknown, row)
        followed = sum(jnp.vdot(r, s) for r, s in zip(row, found.response, strict=True))
        agree(found.drop_by_current, by_current + followed)


@SCHEMES
def test_an_untouched_sample_at_rest_stays_as_it_is(scheme: AbstractScheme, rng: np.random.Generator) -> None:
    """No current: no flux, no field; a mesh that moves through it changes the amounts by what its cells gain."""
    bulk, none = medium(), jnp.asarray(0.0)
    for moving in (False, True):
        here = mesh(rng, bulk, moving=moving)
        y = (jnp.ones(CELLS),) + (jnp.zeros(CELLS),) * (scheme.poisson)
        found = scheme.rates(bulk, y, none, in_time, here)
        swept = jnp.diff(jnp.concatenate([jnp.zeros(1), here.velocity, here.outer_velocity[None]]))
        np.testing.assert_allclose(found.rate[0], swept, atol=1e-15)
        for other in found.rate[1:]:
            np.testing.assert_array_equal(other, 0.0)
        assert float(found.drop) == 0.0


@SCHEMES
def test_a_uniform_sample_that_exchanges_nothing_has_no_flux(scheme: AbstractScheme, rng: np.random.Generator) -> None:
    """Equal fractions everywhere, no current: equilibrium, whatever the composition."""
    some, none = medium(), jnp.asarray(0.0)
    here = mesh(rng, some, moving=False)
    y = (jnp.full(CELLS, 0.4),) + (jnp.zeros(CELLS),) * (scheme.poisson)
    for part in scheme.rates(some, y, none, in_time, here).rate:
        np.testing.assert_allclose(part, 0.0, atol=1e-14)


@SCHEMES
def test_native_ions_leave_by_the_far_end_alone(scheme: AbstractScheme, rng: np.random.Generator) -> None:
    """Their number changes by the charge passed and by what the last face sweeps in, to round-off."""
    some = medium()
    here = mesh(rng, some)
    y = unknowns(scheme, some, jnp.asarray(rng.uniform(0.1, 0.9, CELLS)), here)
    rate = scheme.rates(some, y, V, per_charge, here).rate[0]
    assert float(jnp.sum(rate)) == pytest.approx(float(here.outer_velocity) - 1.0, abs=1e-11)


@SCHEMES
def test_the_untouched_sample_is_an_ohmic_resistor(scheme: AbstractScheme, rng: np.random.Generator) -> None:
    bulk = medium()
    here = mesh(rng, bulk, moving=False)
    y = unknowns(scheme, bulk, jnp.ones(CELLS), here)
    found = scheme.rates(bulk, y, V, per_charge, here)
    assert float(found.drop) == pytest.approx(float(V * bulk.thickness / bulk.bulk), rel=1e-12)
    # What the current drives out comes from the first cell, into which no native ion follows.
    np.testing.assert_allclose(found.rate[0], -jnp.zeros(CELLS).at[0].set(1.0), atol=1e-12)


def test_the_full_scheme_tends_to_the_neutral_one(rng: np.random.Generator) -> None:
    """With the field of the neutral model the native fluxes are the same as long as λ² ∂E/∂x is nothing."""
    small = medium()._replace(debye_squared=jnp.asarray(1e-14))
    here = mesh(rng, small)
    u = jnp.asarray(rng.uniform(0.2, 0.8, CELLS))
    neutral = PairNeutral().rates(small, (u,), V, per_charge, here)
    full = PairFull().rates(small, PairFull().start(small, (u,), V, 1.0 / V, here), V, per_charge, here)
    np.testing.assert_allclose(full.rate[0], neutral.rate[0], rtol=1e-6, atol=1e-9)
    assert float(full.drop) == pytest.approx(float(neutral.drop), rel=1e-12)
    # All current is carried by ions: what is left for the displacement is round-off of it.
    np.testing.assert_allclose(full.rate[1], 0.0, atol=1e-6)


@SCHEMES
def test_limits_keep_a_correction_within_its_bounds(scheme: AbstractScheme) -> None:
    some = medium()._replace(immobile=jnp.asarray(0.1))
    u = jnp.asarray([0.5, 0.5, 0.2, 0.99])
    step = jnp.asarray([0.01, -5.0, 5.0, 5.0])
    y, d = ((u, jnp.zeros(4)), (step, jnp.ones(4))) if scheme.poisson else ((u,), (step,))
    limited = scheme.limit(some, y, d)
    assert float(limited[0][0]) == pytest.approx(0.51)
    assert bool(jnp.all((limited[0] > 0.1) & (limited[0] <= 1.0021)))
    assert float(scheme.change(some, y, d)) == 5.0
    for free in limited[1:]:
        np.testing.assert_array_equal(free, 1.0)

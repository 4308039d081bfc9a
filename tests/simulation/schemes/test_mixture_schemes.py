"""Schemes of mixtures: derivatives written out are those of the rates."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import four_ions

from npp_jax.files import load_experiment
from npp_jax.simulation.mesh.geometry import geometry
from npp_jax.simulation.schemes import MIXTURE, AbstractMixtureScheme
from npp_jax.simulation.units import mixture_of
from npp_jax.solver.block_tridiagonal import probe

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "study", "stage", "seen"),
    [
        pytest.param(model, *case, id=f"{name}-{case[0].replace(' ', '_')}-{case[-1]}")
        for name, model in MIXTURE.items()
        for case in [
            ("double_cait_rubidium_caesium", 1, "own"),
            ("double_cait_rubidium_caesium", 1, "intermixed"),
            ("two_step_exchange", 0, "own"),
            ("thermal_poling", 0, "own"),
            ("four ions", 0, "own"),
            ("four ions", 1, "intermixed"),
            ("four ions", 1, "another"),
        ]
        if model.poisson or case[0] != "thermal_poling"
    ],
)
def test_written_out_derivatives_are_those_of_the_rates(
    model: AbstractMixtureScheme, study: str, stage: int, seen: str, rng: np.random.Generator
) -> None:
    experiment = four_ions() if study == "four ions" else load_experiment(ROOT / "sweeps" / f"{study}.toml")
    experiment = jax.tree.map(jnp.asarray, experiment)
    medium = mixture_of(experiment, experiment.stages[stage], 0.0)
    assert model.written_out(medium)
    if seen != "own":
        ions = tuple(range(len(medium.laws)))
        of = (ions,) * len(ions) if seen == "intermixed" else tuple((k,) for k in (*ions[1:], 0))
        # Without excess charge: what it adds to the fractions of others is neglected.
        medium = medium._replace(seen=of, debye_squared=jnp.asarray(0.0))
    cells = 12
    faces = jnp.asarray(np.cumsum(np.concatenate([[0.0], rng.uniform(1.0, 3.0, cells)]))).at[-1].set(medium.thickness)
    velocity = jnp.asarray(0.1 * rng.normal(size=cells + 1)).at[0].set(0.0)
    here = geometry(faces, velocity, medium.thickness)
    y = tuple(jnp.asarray(rng.uniform(0.1, 0.4, cells)) for _ in medium.carried)
    if model.poisson:
        y = (*y, jnp.asarray(1e-2 * rng.normal(size=cells)))
    charge_clock = medium.beam is not None
    v = jnp.asarray(3e-4 if charge_clock or medium.blocking else 0.0)

    def tempo(v: jax.Array) -> jax.Array:
        return 1.0 / v if charge_clock else jnp.ones_like(v)

    @jax.jit
    def both() -> tuple:
        found = model.linearise(medium, y, v, tempo, here)
        rates = lambda y, v: model.rates(medium, y, v, tempo, here)  # noqa: E731
        matrix = probe(jax.linearize(lambda y: rates(y, v).rate, y)[1], y)
        by_current = jax.jvp(lambda v: rates(y, v), (v,), (jnp.ones_like(v),))[1]
        mass = jax.grad(lambda y: sum(jnp.sum(part) for part in model.amounts(medium, y, here.width)))(y)
        return found, matrix, rates(y, v), by_current, jax.grad(lambda y: rates(y, v).drop)(y), mass

    found, (lower, diagonal, upper), value, by_current, row, mass = both()

    def agree(ours: object, theirs: object) -> None:
        for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
            np.testing.assert_allclose(one, other, rtol=0.0, atol=1e-11 * max(float(jnp.max(jnp.abs(other))), 1e-300))

    def block(ours: object, theirs: object, part: slice) -> None:
        """An entry left out is zero."""
        full = jax.tree.map(lambda a: jnp.zeros(cells) if a is None else a, ours, is_leaf=lambda a: a is None)
        agree(*jax.tree.map(lambda a: a[part], (full, theirs)))

    agree((found.rate, found.drop), (value.rate, value.drop))
    # What the first cell has to its left and the last to its right is never used.
    block(found.lower, lower, slice(1, None))
    block(found.diagonal, diagonal, slice(None))
    block(found.upper, upper, slice(None, -1))
    agree(model.masses(medium, here.width), mass)
    if medium.beam is not None or medium.blocking:
        agree((found.rate_by_current, found.drop_by_current), (by_current.rate, by_current.drop))
        agree(found.drop_by_unknown, row)


SCHEMES = pytest.mark.parametrize("model", MIXTURE.values(), ids=MIXTURE)
CELLS = 12


def state(
    model: AbstractMixtureScheme, stage: int, fractions: tuple, current: jax.Array, rng: np.random.Generator
) -> tuple:
    """Material of a stage of the four ions, a mesh that moves within the ends, and unknowns for some fractions."""
    experiment = jax.tree.map(jnp.asarray, four_ions())
    medium = mixture_of(experiment, experiment.stages[stage], 0.0)
    faces = jnp.asarray(np.concatenate([[0.0], np.cumsum(rng.uniform(1.0, 3.0, CELLS))])).at[-1].set(medium.thickness)
    velocity = jnp.asarray(0.1 * rng.normal(size=CELLS + 1)).at[0].set(0.0).at[-1].set(0.0)
    here = geometry(faces, velocity, medium.thickness)
    y = tuple(jnp.asarray(fractions[k]) * jnp.ones(CELLS) for k in medium.carried)
    tempo = jnp.ones(()) if medium.beam is None else 1.0 / current
    return medium, here, model.start(medium, y, current, tempo, here)


def swept(here) -> jax.Array:
    """What the cells gain of a fraction one by the motion of their faces."""
    edge = jnp.zeros(1)
    return jnp.diff(jnp.concatenate([edge, here.velocity, edge]))


@SCHEMES
def test_at_rest_every_ion_is_kept(model: AbstractMixtureScheme, rng: np.random.Generator) -> None:
    """Whatever the composition and however the mesh moves between the ends."""
    none = jnp.asarray(0.0)
    cells = tuple(rng.uniform(0.1, 0.3, (4, CELLS)))
    medium, here, y = state(model, 2, cells, none, rng)
    found = model.rates(medium, y, none, jnp.ones_like, here)
    for rate in found.rate[: len(medium.carried)]:
        scale = float(jnp.max(jnp.abs(rate)))
        assert scale > 0.0
        assert abs(float(jnp.sum(rate))) < 1e-13 * scale * CELLS
    if model.poisson:
        # No current: what flows of all ions together only moves the field.
        medium, here, y = state(model, 2, (0.7, 0.2, 0.1, 0.0), none, rng)
        np.testing.assert_allclose(model.rates(medium, y, none, jnp.ones_like, here).rate[-1], 0.0, atol=1e-14)


@SCHEMES
@pytest.mark.parametrize("fractions", [(0.7, 0.2, 0.1, 0.0), (0.1, 0.2, 0.2, 0.4)])
def test_a_uniform_sample_at_rest_is_in_equilibrium(
    model: AbstractMixtureScheme, fractions: tuple, rng: np.random.Generator
) -> None:
    """No flux, no field; moving faces sweep in what they pass."""
    none = jnp.asarray(0.0)
    medium, here, y = state(model, 2, fractions, none, rng)
    found = model.rates(medium, y, none, jnp.ones_like, here)
    for k, rate in zip(medium.carried, found.rate, strict=False):
        np.testing.assert_allclose(rate, fractions[k] * swept(here), atol=1e-15)
    assert float(found.drop) == 0.0


@SCHEMES
def test_untouched_ions_carry_a_beam_by_their_transport_numbers(
    model: AbstractMixtureScheme, rng: np.random.Generator
) -> None:
    """The bulk is an ohmic resistor: in it nothing changes, and what leaves by the back is missing at the surface."""
    current, bulk = jnp.asarray(3e-4), (0.7, 0.2, 0.1, 0.0)
    medium, here, y = state(model, 1, bulk, current, rng)
    found = model.rates(medium, y, current, lambda v: 1.0 / v, here)
    D = np.asarray([float(law(jnp.asarray([c]))[0]) for law, c in zip(medium.laws, bulk, strict=True)])
    z, c = np.asarray(medium.charges), np.asarray(bulk)
    conductance = np.sum(z * z * D * c)
    assert float(found.drop) == pytest.approx(float(current * medium.thickness) / conductance, rel=1e-9)
    for k, rate in zip(medium.carried, found.rate, strict=False):
        share = z[k] * D[k] * c[k] / conductance
        np.testing.assert_allclose(rate, c[k] * np.asarray(swept(here)) - share * (np.arange(CELLS) == 0), atol=1e-12)

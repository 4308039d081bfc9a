"""The engine against closed forms and limits."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import BASE, NM, PLAIN, SMALL, base, ion, simulated

from npp_jax.files import parse_experiment
from npp_jax.simulation.simulate import simulate
from npp_jax.simulation.status import Status


def test_constant_current_front_follows_theory() -> None:
    """High field: the front moves with the speed of the quasi-neutral theory."""
    experiment = base(potential_V=None, current_density_A_m2=2e-3)
    solution = simulated()(experiment)
    charge = 200.0 / (1.602176634e-19 * 1.4e28)
    assert float(solution.front_depth[0]) / charge == pytest.approx(1.115, rel=0.01)
    assert float(solution.time[0]) == pytest.approx(200.0 / 2e-3, rel=1e-9)


def test_full_tends_to_electroneutral() -> None:
    """The difference of the two models vanishes with the square of the Debye length.

    At equal uptake the excess charge -ε(E(0) - E(d))/eN of the exchanged layer is missing native ions, so that the
    front of the full model lies deeper by so much.
    """
    depth = jnp.linspace(1.0, 150.0, 200) * NM

    def compare(permittivity: float) -> tuple[float, float]:
        experiment = parse_experiment({**BASE, "sample": {**BASE["sample"], "permittivity": permittivity}})
        neutral, full = (simulated(PLAIN, model)(experiment) for model in ("electroneutral", "full"))
        difference = jnp.max(jnp.abs(neutral.profile(depth)[0] - full.profile(depth)[0]))
        shift = 8.8541878128e-12 * permittivity * full.field[0, 0] / (1.602176634e-19 * 1.4e28)
        slope = jnp.max(jnp.abs(jnp.diff(full.profile(depth)[0]) / jnp.diff(depth)))
        return float(difference), float(shift * slope)

    (coarse, expected), (fine, _) = compare(90.0), compare(9.0)
    assert coarse < 1.5 * expected
    assert fine < 0.15 * coarse


@pytest.mark.slow
def test_a_front_that_diffuses_far_ahead_of_its_charge() -> None:
    """With a third ion that is not there: the front that the model of two ions finds on a mesh known in closed form."""
    sed = {"law": "sed", "D_bulk_m2_s": 1e-18, "sed_fwhm_eV": 0.298, "vacancy_fraction": 0.08}
    constant = {"law": "constant", "D_m2_s": 8.17e-21}
    ions = [
        {"name": "Li", "charge": 1, "bulk_fraction": 1.0, "diffusivity": sed},
        {"name": "K", "charge": 1, "bulk_fraction": 0.0, "diffusivity": constant},
        {"name": "Cs", "charge": 1, "bulk_fraction": 0.0, "diffusivity": constant},
    ]
    table = {
        "schema_version": 1,
        "sample": {"thickness_um": 568.0, "permittivity": 9.0, "bulk_density_m3": 1.4e28},
        "stages": [
            {"front": "ion-beam", "beam": "K", "temperature_K": 396.0, "charge_C_m2": 64.6, "potential_V": 4.86}
        ],
    }
    depth = jnp.linspace(0.0, 300e-9, 200)
    two, three = (simulated()(parse_experiment({**table, "species": ions[:count]})) for count in (2, 3))
    assert int(three.report.status) == Status.DONE
    assert float(jnp.abs(three.front_depth - two.front_depth)[-1]) < 0.1 * NM
    np.testing.assert_allclose(three.profile(depth)[:2], two.profile(depth), atol=1e-3)


@pytest.mark.slow
def test_exchange_of_equal_ions_and_its_derivative() -> None:
    """Equal coefficients: ordinary diffusion without a potential, from a surface that is held or exchanges at a rate.

    J. Crank, The Mathematics of Diffusion (1975), eqns (3.13) and (3.35). Derivatives forward, reverse, by differences.
    """
    held = {"Na": 0.25, "K": 0.75}
    stage = {"front": "reservoir", "temperature_K": 350.0, "duration_s": 1e4, "reservoir_fraction": held}
    experiment = parse_experiment(
        {
            "schema_version": 1,
            "sample": {"thickness_um": 100.0, "permittivity": 7.0, "bulk_density_m3": 1e28},
            "species": [ion("Na", 1.0, 1e-16), ion("K", 0.0, 1e-16)],
            "stages": [{**stage, "exchange_rate_m_s": 1e-10}],
        }
    )
    depth = jnp.linspace(0.0, 5e-6, 60)
    controls = replace(SMALL, steps=14)
    front = experiment.stages[0].front

    def outputs(factor: jax.Array, rate: jax.Array) -> jax.Array:
        law = experiment.species[1].diffusivity
        foreign = replace(experiment.species[1], diffusivity=replace(law, D=law.D * factor))
        stages = (replace(experiment.stages[0], front=replace(front, exchange_rate=rate)),)
        solution = simulate(replace(experiment, species=(experiment.species[0], foreign), stages=stages), controls)
        return jnp.concatenate([solution.profile(depth)[1], solution.surface_potential])

    @jax.jit
    @jax.vmap
    def all_ways(factor: jax.Array, rate: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        value, tangent = jax.linearize(lambda f: outputs(f, rate), factor)
        weights = jnp.cos(jnp.arange(len(value)))
        (reverse,) = jax.linear_transpose(tangent, factor)(weights)
        forward = tangent(jnp.ones_like(factor))
        return value, forward, weights @ forward - reverse

    # A rate far above D over a cell holds the surface.
    fast, slow = 1e-2, 2e-10
    value, forward, mismatch = all_ways(jnp.asarray([1.0, 1.01, 0.99, 1.0]), jnp.asarray([fast, fast, fast, slow]))
    length = np.sqrt(1e-16 * 1e4)
    erfc = jax.scipy.special.erfc
    surface = erfc(depth / (2.0 * length))
    np.testing.assert_allclose(value[0, :-1], 0.75 * surface, atol=1e-3)
    share = slow / 1e-16
    lag = jnp.exp(share * depth + (share * length) ** 2) * erfc(depth / (2.0 * length) + share * length)
    np.testing.assert_allclose(value[3, :-1], 0.75 * (surface - lag), atol=1e-3)
    assert float(value[3, 0]) < 0.6
    assert abs(float(value[0, -1])) < 1e-12
    np.testing.assert_allclose(mismatch, 0.0, atol=1e-9)
    difference = (value[1] - value[2]) / 0.02
    assert float(jnp.max(jnp.abs(difference))) > 0.02
    np.testing.assert_allclose(forward[0], difference, atol=0.03 * float(jnp.max(jnp.abs(difference))))

"""Populations that intermix in time: current through a uniform sample, limits, derivatives, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import SMALL, simulated
from scipy import stats

import npp_jax as npp
from npp_jax.constants import BOLTZMANN_EV, ELEMENTARY_CHARGE, FWHM_PER_SIGMA
from npp_jax.files import ConfigError, parse_experiment

SECONDS, VOLTS, THICKNESS, KT = 3000.0, 10.0, 10e-6, BOLTZMANN_EV * 350.0
D_OWN, D_OTHER, FWHM, V = 1e-18, 1e-20, 0.1, 0.1
RUN = simulated(SMALL)


def half_exchanged(mixing_time: jax.Array) -> npp.Experiment:
    """Half of the native ions replaced everywhere; the beam brings more of them, which opens the surface."""
    law = npp.SEDDiffusivity(D_OWN, npp.GaussianSED(FWHM), V, populations="intermixed", mixing_time=mixing_time)
    return npp.Experiment(
        npp.Sample(THICKNESS, 9.0, 1.4e28),
        (npp.Species("Li", law, bulk_fraction=1.0), npp.Species("Rb", npp.ConstantDiffusivity(D_OTHER))),
        (npp.Stage(npp.IonBeamPotential("Li", VOLTS), 350.0, duration=SECONDS, outputs=(0.1, 0.4, 1.0)),),
        initial={"Li": npp.InitialStep(position=0.0, surface_fraction=0.5, deep_fraction=0.5)},
    )


def resistances(solution: npp.Solution) -> jax.Array:
    """U/j over that of the bulk, at the steps."""
    bulk = THICKNESS * KT / (ELEMENTARY_CHARGE * 1.4e28 * D_OWN)
    return VOLTS / solution.trace.current_density / bulk


@pytest.mark.slow
def test_current_of_a_uniform_sample_follows_what_has_intermixed() -> None:
    """Li at half of its fraction conducts by D(x), x = 1/2 + w/2, w = 1 - exp(-t/τ): at once, in time, and never."""
    tau = np.array([1e-3, 1500.0, 1e11])
    found = RUN(half_exchanged(jnp.asarray(tau)))
    assert np.asarray(found.report.status).max() == 0
    time = np.asarray(found.trace.time)
    x = 0.5 + 0.5 * -np.expm1(-time / tau)
    steepness = FWHM / FWHM_PER_SIGMA / KT
    D = D_OWN * np.exp(steepness * (stats.norm.ppf((1.0 - V) * x) - stats.norm.ppf(1.0 - V)))
    # Half of the ions are slow ones; what the beam opens and the back closes is a hundredth of the sample.
    np.testing.assert_allclose(resistances(found), D_OWN / (0.5 * (D + D_OTHER)), rtol=0.01)
    spread = np.ptp(np.asarray(resistances(found)), axis=0)
    assert spread[1] > 10.0 * max(spread[0], spread[2])


@pytest.mark.slow
def test_derivative_by_the_mixing_time() -> None:
    """Forward, reverse and central differences, of the charge that passes."""

    def charge(tau: jax.Array) -> jax.Array:
        return npp.simulate(half_exchanged(tau), npp.FAST).trace.charge[-1]

    @jax.jit
    def both(tau: jax.Array) -> tuple[jax.Array, jax.Array]:
        one = jnp.ones_like(tau)
        _, along = jax.linearize(charge, tau)
        return along(one), jax.linear_transpose(along, tau)(one)[0]

    at, step = 1500.0, 15.0
    forward, reverse = both(jnp.asarray(at))
    less, more = jax.jit(jax.vmap(charge))(jnp.asarray([at - step, at + step]))
    assert float(forward) == pytest.approx(float(reverse), rel=1e-8)
    assert float(forward) == pytest.approx(float(more - less) / (2.0 * step), rel=0.002)


def test_mixing_time_where_it_does_not_belong() -> None:
    with pytest.raises(ValueError, match="separate"):
        npp.SEDDiffusivity(D_OWN, npp.GaussianSED(FWHM), V, mixing_time=1.0)
    law = {"law": "sed", "D_bulk_m2_s": 1e-18, "sed_fwhm_eV": 0.1, "vacancy_fraction": 0.1, "mixing_time_s": 1.0}
    stage = {"front": "ion-beam", "beam": "K", "temperature_K": 350.0, "charge_C_m2": 1.0, "potential_V": 1.0}
    table = {
        "schema_version": 1,
        "sample": {"thickness_um": 1.0, "permittivity": 9.0, "bulk_density_m3": 1.4e28},
        "species": [
            {"name": "Li", "bulk_fraction": 1.0, "diffusivity": law},
            {"name": "K", "bulk_fraction": 0.0, "diffusivity": {"law": "constant", "D_m2_s": 1e-21}},
        ],
        "stages": [stage],
    }
    with pytest.raises(ConfigError, match="mixing_time_s is the time"):
        parse_experiment(table)

"""One experiment written in two ways gives one result."""

import copy
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import BASE, SMALL, simulated
from scipy import stats

from npp_jax.constants import FWHM_PER_SIGMA
from npp_jax.files import parse_experiment
from npp_jax.fitting import Measurement, Objective, Problem
from npp_jax.inference import Parameter
from npp_jax.observe import DepthProfile
from npp_jax.physics import Experiment
from npp_jax.simulation.solution import Solution

DEPTH = jnp.linspace(0.0, 160e-9, 60)
Z = np.linspace(-4.5, 3.5, 33)
SEDS = {
    "mixture of one": {"kind": "mixture", "energy_eV": [0.07], "fwhm_eV": [0.25], "weight": [3.0]},
    "mixture of two alike": {
        "kind": "mixture", "energy_eV": [0.07, 0.07], "fwhm_eV": [0.25, 0.25], "weight": [1.0, 2.0],
    },
    "table": {
        "kind": "table",
        "occupied": stats.norm.cdf(Z).tolist(),
        "energy_eV": (0.25 / FWHM_PER_SIGMA * Z).tolist(),
    },
}  # fmt: skip


def with_sed(sed: dict | None, filling: str = "sharp", **sample: float) -> Experiment:
    table = copy.deepcopy(BASE)
    law = table["species"][0]["diffusivity"]
    law["filling"] = filling
    if sed is not None:
        del law["sed_fwhm_eV"]
        law["sed"] = sed
    table["sample"] |= sample
    return parse_experiment(table)


def same(one: Solution, other: Solution, tolerance: float) -> None:
    np.testing.assert_allclose(one.profile(DEPTH), other.profile(DEPTH), atol=tolerance)
    assert float(one.time[-1]) == pytest.approx(float(other.time[-1]), rel=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("sed", SEDS.values(), ids=SEDS)
def test_a_gaussian_however_it_is_written(sed: dict):
    """Without candidates no array has an axis of them."""
    one = simulated(SMALL)(with_sed(None))
    other = simulated(SMALL)(with_sed(sed))
    assert other.fraction.shape == one.fraction.shape and other.front_depth.shape == (1,)
    same(one, other, 2e-6)


@pytest.mark.slow
def test_filling_of_a_gaussian_and_of_a_mixture_of_one():
    one, other = (simulated(SMALL)(with_sed(sed, "fermi-dirac")) for sed in (None, SEDS["mixture of one"]))
    same(one, other, 2e-6)


@pytest.mark.slow
def test_candidates_are_the_last_axis_of_a_mixture():
    experiment = with_sed(SEDS["mixture of two alike"])
    widths = jnp.asarray([0.2, 0.25])
    several = eqx.tree_at(lambda e: e.species[0].diffusivity.sed.sed_fwhm, experiment, jnp.stack([widths, widths]))
    batch = simulated(SMALL)(several)
    assert batch.front_depth.shape == (1, 2)
    alone = simulated(SMALL)(experiment)
    np.testing.assert_allclose(batch.front_depth[:, 1], alone.front_depth, rtol=1e-9)


def test_the_order_of_the_ions():
    turned = {**BASE, "species": BASE["species"][::-1]}
    one, other = simulated(SMALL)(parse_experiment(BASE)), simulated(SMALL)(parse_experiment(turned))
    assert other.species == one.species[::-1]
    np.testing.assert_allclose(other.profile(DEPTH)[::-1], one.profile(DEPTH), atol=1e-12)


@pytest.mark.slow
def test_the_order_of_three_ions():
    def exchanged(order: tuple[int, ...]) -> Solution:
        law = lambda D: {"law": "constant", "D_m2_s": D}  # noqa: E731
        ions = [
            {"name": "Na", "bulk_fraction": 0.6, "diffusivity": law(1e-18)},
            {"name": "K", "bulk_fraction": 0.4, "diffusivity": law(4e-19)},
            {"name": "Cs", "bulk_fraction": 0.0, "diffusivity": law(2e-21)},
        ]
        stage = {"front": "ion-beam", "beam": "Cs", "temperature_K": 350.0, "potential_V": 5.0, "charge_C_m2": 60.0}
        table = {**BASE, "species": [ions[k] for k in order], "stages": [stage]}
        return simulated(SMALL)(parse_experiment(table))

    one, other = exchanged((0, 1, 2)), exchanged((1, 0, 2))
    np.testing.assert_allclose(other.profile(DEPTH)[np.array([1, 0, 2])], one.profile(DEPTH), atol=1e-7)


def test_hours_and_seconds_millicoulombs_and_coulombs():
    def stage(**end: float) -> Experiment:
        first = {k: v for k, v in BASE["stages"][0].items() if k != "charge_C_m2"}
        return parse_experiment({**BASE, "stages": [{**first, **end}]})

    assert eqx.tree_equal(stage(duration_h=2.5), stage(duration_s=9000.0))
    assert eqx.tree_equal(stage(charge_mC_cm2=20.0), stage(charge_C_m2=200.0))


def test_a_charge_and_the_duration_that_it_takes():
    by_charge = simulated(SMALL)(parse_experiment(BASE))
    first = {k: v for k, v in BASE["stages"][0].items() if k != "charge_C_m2"}
    by_time = simulated(SMALL)(
        parse_experiment({**BASE, "stages": [{**first, "duration_s": float(by_charge.time[-1])}]})
    )
    same(by_charge, by_time, 3e-4)


def test_a_study_in_another_order():
    """Parameters and experiments in another order: χ² of a candidate is the same."""
    rng = np.random.default_rng(1)
    depth = np.linspace(2.0, 150.0, 30)
    experiment = parse_experiment(BASE)
    step = 1.0 / (1.0 + np.exp((depth - 98.0) / 3.0))

    def measured(name: str, level: float) -> Measurement:
        native = 1.0 - level * step + 0.01 * rng.normal(size=depth.size)
        profile = DepthProfile(depth, ("Li", "K"), np.stack([native, 1.0 - native]), np.full((2, depth.size), 0.01))
        return Measurement(name, experiment, profile)

    one, two = measured("one", 0.8), measured("two", 0.85)
    width = Parameter("width", ("Li.sed_fwhm_eV",), 0.15, 0.4)
    D = Parameter("D", ("K.D_m2_s",), 3e-22, 3e-21, "log", experiments=("two",))
    controls = replace(SMALL, trace=False)
    theta = jnp.asarray([[0.24, 8e-22]])
    first = Objective(Problem((one, two), (width, D)), controls)
    second = Objective(Problem((two, one), (D, width)), controls)
    by_first = jax.jit(first.evaluate)(theta).chi2
    by_second = jax.jit(second.evaluate)(theta[:, ::-1]).chi2
    np.testing.assert_allclose(np.sort(np.ravel(by_first)), np.sort(np.ravel(by_second)), rtol=1e-9)

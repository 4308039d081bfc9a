"""The engine: batches, undershoots, landings, and what is refused."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import BASE, SMALL, base, ion, simulated

from npp_jax.files import parse_experiment
from npp_jax.physics import Experiment
from npp_jax.simulation.simulate import FAST, simulate
from npp_jax.simulation.status import Status
from npp_jax.simulation.supported import Unsupported, check_supported


def test_batch_equals_loop_and_failures_stay_alone() -> None:
    """Trailing batch axes give bitwise the same numbers whatever the neighbours are."""
    potentials = jnp.asarray([5.0, 10.0, 20.0])

    def with_potential(value: jax.Array) -> Experiment:
        experiment = base()
        front = experiment.stages[0].front
        drive = replace(front.potential, value=value[None])
        return replace(experiment, stages=(replace(experiment.stages[0], front=replace(front, potential=drive)),))

    run = jax.jit(lambda v: simulate(with_potential(v), replace(FAST, companion=False)))
    batch = run(potentials)
    broken = run(potentials.at[1].set(jnp.nan))
    for k in (0, 2):
        np.testing.assert_array_equal(batch.fraction[..., k], broken.fraction[..., k])
    assert int(broken.report.status[1]) == Status.NOT_FINITE
    mapped = jax.jit(jax.vmap(lambda v: simulate(with_potential(v), replace(FAST, companion=False))))(potentials)
    np.testing.assert_allclose(mapped.front_depth[:, 0], batch.front_depth[0], rtol=1e-10)


def test_nothing_undershoots_behind_a_thin_front() -> None:
    """A front far thinner than its depth, with next to nothing left behind it, from the first steps on."""
    law = {"law": "sed", "D_bulk_m2_s": 1e-18, "sed_fwhm_eV": 0.3, "vacancy_fraction": 0.27}
    native = {**BASE["species"][0], "diffusivity": law}
    foreign = {**BASE["species"][1], "diffusivity": {"law": "constant", "D_m2_s": 7.6e-24}}
    stage = {**BASE["stages"][0], "temperature_K": 373.0, "potential_V": 19.2, "charge_C_m2": 59.0}
    thin = parse_experiment({**BASE, "species": [native, foreign], "stages": [stage]})
    solution = simulated(replace(FAST, companion=False))(thin)
    assert int(solution.report.status) != Status.NOT_CONVERGED
    assert float(solution.fraction.min()) > -1e-6


def test_lands_on_time_with_a_ramp() -> None:
    """A stage that ends at a time does so, also when the potential changes meanwhile."""
    experiment = base(charge_C_m2=None, duration_s=1e5, potential_end_V=20.0, output_times_s=[4e4, 1e5])
    solution = simulated()(experiment)
    np.testing.assert_allclose(solution.time, [4e4, 1e5], rtol=1e-8)
    np.testing.assert_allclose(solution.surface_potential, [14.0, 20.0], rtol=1e-6)


def test_charged_or_incomplete_reservoir_is_refused() -> None:
    sample = {"thickness_um": 1.0, "permittivity": 9.0, "bulk_density_m3": 1.4e28}
    stage = {"front": "reservoir", "temperature_K": 350.0, "duration_s": 1e4}
    for fractions, words in (({"Na": 0.5, "K": 0.4}, "charge of the bulk"), ({"K": 1.0}, "missing: Na")):
        experiment = parse_experiment(
            {
                "schema_version": 1,
                "sample": sample,
                "species": [ion("Na", 1.0, 1e-19), ion("K", 0.0, 1e-20)],
                "stages": [{**stage, "reservoir_fraction": fractions}],
            }
        )
        with pytest.raises(Unsupported, match=words):
            simulate(experiment)


def test_no_more_charge_than_the_sample_holds() -> None:
    """The lithium of 500 µm carries 1.12e6 C/m²."""
    current = {"potential_V": None, "charge_C_m2": None, "current_density_A_m2": 2.0, "duration_s": 1e6}
    for keys in ({"charge_C_m2": 2e6}, current):
        with pytest.raises(Unsupported, match=r"2e\+06 C/m² are passed, .* carry 1.122e\+06 C/m² \(bulk_density_m3"):
            simulate(base(**keys))
    assert check_supported(base(**{**current, "duration_s": 1e5})) is None


@pytest.mark.parametrize("third", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_what_never_moves_is_at_the_surface_as_well(third: bool) -> None:
    """Two ions and three have schemes of their own, and values at the surface that are continued from the cells."""
    native, foreign = BASE["species"]
    native = {**native, "diffusivity": {**native["diffusivity"], "immobile_fraction": 0.15}}
    species = [native, foreign, ion("Rb", 0.0, 1e-21)] if third else [native, foreign]
    solution = simulated(SMALL)(parse_experiment({**BASE, "species": species}))
    left = np.asarray(solution.fraction)[0, 0]
    assert left[0] >= min(0.15, left[1]) - 1e-12 and left[1] == pytest.approx(0.15, abs=1e-3)

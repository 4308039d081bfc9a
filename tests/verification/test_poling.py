"""Thermal poling: a blocking electrode depletes the surface, against a reference and against theory."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from npp_jax.constants import BOLTZMANN, ELEMENTARY_CHARGE, VACUUM_PERMITTIVITY
from npp_jax.files import parse_experiment
from npp_jax.fitting import Measurement, Objective, Problem
from npp_jax.inference import Parameter
from npp_jax.observe import DepthProfile, GaussianResponse, Observation
from npp_jax.physics import Blocking, Drive, Experiment
from npp_jax.simulation.simulate import FAST, simulate
from npp_jax.simulation.status import Status
from npp_jax.simulation.supported import Unsupported

NM = 1e-9
CONTROLS = replace(FAST, cells_behind=120, cells_ahead=40, iterations=20, tolerance=1e-9, companion=False)


def poling(density: float = 1e26, temperature: float = 473.0, D: float = 1e-17) -> Experiment:
    """The case p6 of the reference solutions."""
    law = {"law": "constant", "D_m2_s": D}
    stage = {"front": "blocking", "temperature_K": temperature, "duration_s": 1000.0, "potential_V": 100.0}
    return parse_experiment(
        {
            "schema_version": 1,
            "sample": {"thickness_um": 100.0, "permittivity": 9.0, "bulk_density_m3": density},
            "species": [{"name": "Na", "charge": 1, "bulk_fraction": 1.0, "diffusivity": law}],
            "stages": [{**stage, "output_times_s": [30.0, 100.0, 1000.0]}],
        }
    )


@jax.jit
def run(experiment: Experiment, potential: jax.Array):
    """Solution, and the derivatives of charge and surface field by the potential."""

    def results(potential: jax.Array):
        stage = replace(experiment.stages[0], front=Blocking(Drive.constant(potential)))
        solution = simulate(replace(experiment, stages=(stage,)), CONTROLS, model="full")
        return (solution.charge[-1], solution.field[-1, 0]), solution

    return jax.jvp(results, (potential,), (jnp.ones_like(potential),), has_aux=True)


@pytest.mark.slow
def test_reference_of_poling(reference: Callable[[str], Path]) -> None:
    """Edge, profile and charge while the layer grows; field and potential at its end."""
    folder = reference("p6")
    _, _, solution = run(poling(), jnp.asarray(100.0))
    assert int(solution.report.status) == Status.DONE
    for k, expected in enumerate(json.loads((folder / "summary.json").read_text())["outputs"]):
        table = np.genfromtxt(folder / expected["file"], delimiter=",", names=True)
        near = table["depth_nm"] < 1.5 * expected["front_depth_nm"]
        depth = table["depth_nm"][near]
        ours = np.asarray(solution.profile(jnp.asarray(depth * NM), k))[0]
        assert np.sqrt(np.trapezoid((ours - table["Na"][near]) ** 2, depth) / depth[-1]) < 1e-3
        assert float(solution.front_depth[k]) / NM == pytest.approx(expected["front_depth_nm"], abs=0.02)
        assert float(solution.charge[k]) == pytest.approx(expected["charge_C_m2"], rel=2e-4)
        field = jnp.interp(depth * NM, solution.depth[k], solution.field[k])
        np.testing.assert_allclose(field, table["field_V_m"][near], atol=2e-3 * table["field_V_m"][0])
        if k < 2:
            assert float(solution.current_density[k]) == pytest.approx(expected["current_density_A_m2"], rel=2e-3)


@pytest.mark.parametrize(("density", "temperature", "U"), [(1e26, 473.0, 100.0), (5e26, 600.0, 20.0)])
def test_depleted_layer_at_the_end(density: float, temperature: float, U: float) -> None:
    """Saturated: eN x = √(2εeN(U - kT/e)) exactly, the field eNx/ε at the surface, the edge at x less a part of λ."""
    (charge, field), (charge_by_U, field_by_U), solution = run(poling(density, temperature, 1e-16), jnp.asarray(U))
    permittivity = 9.0 * VACUUM_PERMITTIVITY
    carried = U - BOLTZMANN * temperature / ELEMENTARY_CHARGE
    exact = np.sqrt(2.0 * permittivity * ELEMENTARY_CHARGE * density * carried)
    assert float(charge) == pytest.approx(exact, rel=1e-4)
    assert float(field) == pytest.approx(exact / permittivity, rel=1e-4)
    assert float(charge_by_U) == pytest.approx(0.5 * exact / carried, rel=2e-3)
    assert float(field_by_U) == pytest.approx(0.5 * exact / permittivity / carried, rel=2e-3)
    debye = np.sqrt(permittivity * BOLTZMANN * temperature / (ELEMENTARY_CHARGE**2 * density))
    width = exact / (ELEMENTARY_CHARGE * density)
    assert float(solution.front_depth[-1]) == pytest.approx(width, abs=0.3 * debye)
    # The excess charge is that of the bare network in the layer and vanishes in the bulk.
    depth, excess = np.asarray(solution.depth[-1]), np.asarray(solution.excess_charge[-1])
    np.testing.assert_allclose(excess[depth < width - 6.0 * debye], -1.0, atol=1e-6)
    np.testing.assert_allclose(excess[depth > width + 30.0 * debye], 0.0, atol=1e-6)


def test_electroneutral_model_refuses_a_blocking_front() -> None:
    with pytest.raises(Unsupported, match=r"stages\[0\]: a blocking front .* model = 'full'"):
        simulate(poling())


@pytest.mark.slow
def test_objective_of_a_poling_experiment() -> None:
    """Candidates of the potential against the step of a depleted layer (synthetic): charge by theory, the true one fits
    best; the electroneutral model is refused here as in a simulation."""
    experiment, truth = poling(D=1e-16), 100.0
    potentials = np.array([truth, 80.0, 120.0])
    carried = potentials - BOLTZMANN * 473.0 / ELEMENTARY_CHARGE
    exact = np.sqrt(2.0 * 9.0 * VACUUM_PERMITTIVITY * ELEMENTARY_CHARGE * 1e26 * carried)
    depth = np.linspace(1.0, 60.0, 60)
    step = (depth > exact[0] / (ELEMENTARY_CHARGE * 1e26) / NM).astype(float)[None]
    seen = Observation(GaussianResponse(0.5), np.ones(1), np.zeros(1))
    measured = Measurement("poled", experiment, DepthProfile(depth, ("Na",), step, 0.1), seen)
    problem = Problem((measured,), (Parameter("U_V", ("stages.0.potential_V",), 1.0, 2000.0),))
    objective = Objective(problem, CONTROLS, "full")
    found = jax.jit(objective.evaluate)(jnp.asarray(potentials)[:, None])
    assert found.status.tolist() == [[Status.DONE]] * 3
    np.testing.assert_allclose(found.charge[:, 0], exact, rtol=1e-4)
    assert float(found.chi2[0, 0]) < 0.5 * float(jnp.min(found.chi2[1:, 0]))
    with pytest.raises(Unsupported, match="model = 'full'"):
        Objective(problem, CONTROLS)

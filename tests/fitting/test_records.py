"""Records of current, potential, charge and conductivity beside profiles: predictions, gains, Jacobian, sentences."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import npp_jax as npp
from npp_jax.constants import BOLTZMANN, ELEMENTARY_CHARGE
from npp_jax.fitting import LinearModel, Objective, phrases
from npp_jax.fitting.recorded import predicted
from npp_jax.inference import identifiability
from npp_jax.physics.bulk import bulk_conductivity
from npp_jax.simulation.history import history

SMALL = dataclasses.replace(npp.FAST, companion=False, observables=False, iterations=8, tolerance=1e-9)
DENSITY, THICKNESS, TEMPERATURE = 1.4e28, 500e-6, 350.0
D_FOREIGN = 1e-21


def glass(front: npp.IonBeamPotential | npp.IonBeamCurrent, native: float = 1e-18, **stage) -> npp.Experiment:
    """K in a glass of constant diffusivities, activated for Li."""
    law = npp.ConstantDiffusivity(native, npp.Arrhenius(0.7, TEMPERATURE))
    return npp.Experiment(
        npp.Sample(THICKNESS, 9.0, DENSITY),
        (npp.Species("Li", law, bulk_fraction=1.0), npp.Species("K", npp.ConstantDiffusivity(D_FOREIGN))),
        (npp.Stage(front, TEMPERATURE, **stage),),
    )


def conductivity(diffusivity: float, temperature: float = TEMPERATURE) -> float:
    """Nernst and Einstein's."""
    return DENSITY * ELEMENTARY_CHARGE**2 * diffusivity / (BOLTZMANN * temperature)


def resistance(charge: np.ndarray) -> np.ndarray:
    """Of an exchanged layer of constant conductivity and the untouched rest, in series [Ω m²]."""
    layer = charge / (ELEMENTARY_CHARGE * DENSITY)
    return layer / conductivity(D_FOREIGN) + (THICKNESS - layer) / conductivity(1e-18)


@pytest.fixture(scope="module")
def potential_driven() -> npp.Solution:
    beam = glass(npp.IonBeamPotential("K", 10.0), charge=200.0)
    return npp.simulate(beam, dataclasses.replace(SMALL, trace=True))


def test_the_course_is_that_of_two_layers_in_series(potential_driven: npp.Solution):
    course = history(potential_driven.trace)
    charge = np.linspace(50.0, 200.0, 40)
    # dt = R dq/U, integrated; R is linear in q.
    time = jnp.asarray(charge * (resistance(0.0 * charge) + resistance(charge)) / 2.0 / 10.0)
    assert np.asarray(course.charge_at(time)) == pytest.approx(charge, rel=5e-4)
    assert np.asarray(course.current_at(time)) == pytest.approx(10.0 / resistance(charge), rel=6e-4)
    # Summed over the cells, which `fast` has few of.
    assert np.asarray(course.potential_at(time)) == pytest.approx(np.full(40, 10.0), rel=1e-3)


def test_current_is_the_derivative_of_the_charge(potential_driven: npp.Solution):
    course = history(potential_driven.trace)
    time = jnp.linspace(0.0, 1.2, 60) * course.end[-1]
    step = 1e-4 * course.end[-1]
    ahead, behind = (course.charge_at(time[1:] + sign * step) for sign in (1.0, -1.0))
    by_time = np.asarray((ahead - behind) / (2.0 * step))
    assert np.asarray(course.current_at(time[1:])) == pytest.approx(by_time, rel=1e-5)
    assert float(course.charge_at(time[:1])[0]) == pytest.approx(0.0, abs=1e-9)


def test_under_a_ramp_the_current_is_right_from_the_first_second():
    """Ions of one D: the resistance stays, and the current is the potential over it."""
    ramp = npp.IonBeamPotential("K", npp.Drive.trace([0.0, 3600.0], [2.0, 8.0]))
    solution = npp.simulate(glass(ramp, D_FOREIGN, duration=3600.0), dataclasses.replace(SMALL, trace=True))
    time = jnp.asarray([1.0, 10.0, 30.0, 60.0, 200.0, 3000.0])
    volts = 2.0 + 6.0 * np.asarray(time) / 3600.0
    found = np.asarray(history(solution.trace).current_at(time))
    assert found == pytest.approx(volts / resistance(0.0 * volts) * D_FOREIGN / 1e-18, rel=3e-4)
    spans = npp.Record("current", time, 1.0, 0.1, span=jnp.where(time > 50.0, 20.0, 0.0))
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf)[..., None], solution)
    assert np.asarray(predicted(spans, one)[0]) == pytest.approx(found, rel=2e-5)


def test_stages_and_rests_keep_apart():
    # Steps of a beam of constant resistance, of a rest, and of a weaker beam: the current jumps between them.
    start = np.array([0.0, 0.0, 0.0, 4.0, 4.0, 6.0, 6.0, 6.0])
    time = np.array([0.5, 2.0, 4.0, 5.0, 6.0, 6.5, 8.0, 10.0])
    current = np.array([2.0, 2.0, 2.0, 0.0, 0.0, 0.5, 0.5, 0.5])
    charge = np.array([1.0, 4.0, 8.0, 8.0, 8.0, 8.25, 9.0, 10.0])
    potential = np.where(current > 0.0, 10.0 * current, 0.1)
    columns = (jnp.asarray(column) for column in (time, charge, current, potential, 0.0 * time, start))
    course, at = history(npp.Trace(*columns)), jnp.asarray([0.1, 3.9, 4.1, 5.9, 6.1, 9.9, 11.0])
    assert np.asarray(course.current_at(at)) == pytest.approx([2.0, 2.0, 0.0, 0.0, 0.5, 0.5, 0.5], abs=1e-12)
    assert np.asarray(course.charge_at(at)) == pytest.approx([0.2, 7.8, 8.0, 8.0, 8.05, 9.95, 10.5])
    assert np.asarray(course.potential_at(at)) == pytest.approx([20.0, 20.0, 0.1, 0.1, 5.0, 5.0, 5.0])


def test_potential_under_a_given_current():
    experiment = glass(npp.IonBeamCurrent("K", 1e-3), charge=200.0)
    record = npp.Record("potential", [5e4, 1e5, 1.5e5], 1.0, 0.1, span=2e3)
    solution = npp.simulate(experiment, dataclasses.replace(SMALL, trace=True))
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf)[..., None], solution)
    seen = predicted(record, one)[0]
    assert np.asarray(seen) == pytest.approx(1e-3 * resistance(np.array([50.0, 100.0, 150.0])), rel=3e-4)
    with pytest.raises(ValueError, match="the current of every stage is given"):
        npp.Measurement("K", experiment, records=(npp.Record("current", [1.0], 1e-3, 1e-5),))


@pytest.fixture(scope="module")
def joint(potential_driven: npp.Solution) -> LinearModel:
    """Profile, current with a gain, charge at the end, conductivities and activation energy of one experiment."""
    experiment = glass(npp.IonBeamPotential("K", 10.0), charge=200.0)
    time = np.linspace(2e3, 1.4e5, 30)
    current = np.asarray(history(potential_driven.trace).current_at(jnp.asarray(time)))
    depth = np.arange(2.0, 120.0, 4.0)
    native = np.asarray(potential_driven.profile(jnp.asarray(depth * 1e-9)))[0]
    warm = np.array([330.0, 350.0, 370.0])
    sigma = [conductivity(1e-18 * np.exp(-0.7 / 8.617333262e-5 * (1.0 / T - 1.0 / 350.0)), T) for T in warm]
    records = (
        npp.Record("current", time, 1.01 * current, 0.01 * current, gain_sigma=0.02),
        npp.Record("charge", 0.0, 200.0, 1.0, output=-1),
        npp.Record("conductivity", warm, sigma, 0.05 * np.array(sigma)),
        npp.Record("activation_energy", 0.0, 0.7, 0.02),
    )
    profile = npp.DepthProfile(depth, ["Li"], native[None], 0.01)
    parameters = (
        npp.Parameter("D_Li", ("Li.D_m2_s",), 1e-19, 1e-17, "log"),
        npp.Parameter("D_K", ("K.D_m2_s",), 1e-22, 1e-20, "log"),
        npp.Parameter("E", ("Li.activation_energy_eV",), 0.3, 1.2),
    )
    problem = npp.Problem((npp.Measurement("K", experiment, profile, records=records),), parameters)
    return LinearModel(Objective(problem, SMALL), chunk=8)


AT = np.array([1e-18, D_FOREIGN, 0.7])


@pytest.mark.slow
def test_residuals_of_the_truth_are_small_and_the_gain_is_found(joint: LinearModel):
    found, data = joint.expand(jnp.asarray(AT[None])), joint.objective.problem.data
    parts = np.split(np.asarray(found.residual[0]), np.cumsum([part.size for part in data])[:-1])
    assert [part.name for part in data] == [
        "K",
        "K, current density",
        "K, charge passed",
        "K, conductivity",
        "K, activation energy",
    ]
    profile, current, *rest = parts
    assert np.abs(profile).max() < 0.1 and all(np.abs(part).max() < 1e-6 for part in rest)
    # 1 % too much at thirty points of 1 % each, against 2 %: g - 1 = 0.01/(1 + 0.01²/(30 · 0.02²)).
    gain = 1.0 + 0.01 * 30 / (30 + 0.25)
    assert current[-1] == pytest.approx((gain - 1.0) / 0.02, rel=1e-3)
    assert current[:-1] == pytest.approx(np.full(30, (gain - 1.01) / 0.01), abs=2e-3)


@pytest.mark.slow
def test_jacobian_is_that_of_differences_and_of_the_reverse_mode(joint: LinearModel):
    step = 1e-3
    rows = np.array([AT, *(AT * (1.0 + sign * step * unit) for unit in np.eye(3) for sign in (1, -1))])
    found = joint.expand(jnp.asarray(rows))
    # Those of the profile are the business of other tests.
    own = slice(joint.objective.problem.data[0].size, None)
    residual, jacobian = np.asarray(found.residual)[:, own], np.asarray(found.jacobian[0])[own]
    for k, value in enumerate(AT):
        numerical = (residual[2 * k + 1] - residual[2 * k + 2]) / (2.0 * step)
        assert jacobian[:, k] * value == pytest.approx(numerical, abs=2e-3 * np.abs(numerical).max())
    moved = AT * np.array([1.02, 0.98, 1.01])
    _, gradient, _ = joint.cost_and_gradient(jnp.asarray(moved[None]))
    there = joint.expand(jnp.asarray(moved[None]))
    assert np.asarray(gradient[0] * moved) == pytest.approx(np.asarray(there.residual[0] @ there.jacobian[0]) * moved)


def test_what_the_records_determine_and_a_profile_alone_does_not(joint: LinearModel):
    problem, found = joint.objective.problem, joint.expand(jnp.asarray(AT[None]))
    size, names = problem.data[0].size, phrases(problem.parameters)
    jacobian = np.asarray(found.jacobian[0])
    together = identifiability(jacobian, AT, problem.parameters)
    assert [k for k, _ in together.alone] and len(together.alone) == 3
    alone = " ".join(identifiability(jacobian[:size], AT, problem.parameters).lines(names))
    assert "the ratio of" in alone and "each alone is not" in alone


def test_conductivity_is_converted_as_in_the_file():
    experiment = glass(npp.IonBeamPotential("K", 10.0), charge=200.0)
    found = bulk_conductivity(experiment, jnp.asarray([350.0, 380.0]))
    warmer = 1e-18 * np.exp(-0.7 / 8.617333262e-5 * (1.0 / 380.0 - 1.0 / 350.0))
    assert np.asarray(found) == pytest.approx([conductivity(1e-18), conductivity(warmer, 380.0)], rel=1e-6)
    cold = eqx.tree_at(lambda e: e.species[0].diffusivity, experiment, npp.ConstantDiffusivity(1e-18))
    with pytest.raises(ValueError, match="Li has no activation_energy_eV"):
        npp.Measurement("K", cold, records=(npp.Record("conductivity", 380.0, 1e-8, 1e-9),))


def test_a_gain_may_be_a_parameter():
    experiment = glass(npp.IonBeamPotential("K", 10.0), charge=200.0)
    gain = npp.Parameter("gain", ("observation.current.gain",), 0.9, 1.1, prior=npp.Prior(1.0, 0.02))
    plain, free = (npp.Record("current", [1e4], 2e-3, 1e-5, gain_sigma=sigma) for sigma in (0.0, 0.02))
    problem = npp.Problem((npp.Measurement("K", experiment, records=(plain,)),), (gain,))
    (record,) = problem.records(problem.measurements[0], jnp.asarray([1.05]))
    assert float(record.gain) == pytest.approx(1.05)
    with pytest.raises(npp.ParameterError, match="solved for by its gain_sigma"):
        npp.Problem((npp.Measurement("K", experiment, records=(free,)),), (gain,))
    with pytest.raises(npp.ParameterError, match="no current was recorded; there are no records"):
        npp.Problem((npp.Measurement("K", experiment),), (gain,))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("current", [-1.0], 1.0, 1.0), "at of the current, point 0, is -1: it must be not negative"),
        (("current", [1.0, 2.0], 1.0, [1.0, 0.0]), "sigma of the current, point 1, is 0: it must be positive"),
        (("potential", [1.0], np.nan, 1.0), "value of the potential, point 0, is nan"),
    ],
)
def test_records_that_cannot_be(arguments: tuple, told: str):
    with pytest.raises(ValueError, match=told):
        npp.Record(*arguments)


def test_a_sweep_keeps_records_before_gains_that_are_solved_for(joint: LinearModel, tmp_path):
    problem = joint.objective.problem
    (measurement,) = problem.measurements
    npp.sweep(problem, npp.Uniform(3), SMALL, store=tmp_path / "s.h5", profiles=npp.KeptProfiles())
    data = npp.training_data(tmp_path / "s.h5", problem)
    assert [block.name for block in data.noise.blocks] == [part.name for part in problem.data]
    for signal, chi2 in zip(data.signal.astype(float), data.result.chi2[:, 0], strict=True):
        profile, *recorded = [jnp.asarray(signal[block.part]) for block in data.noise.blocks]
        parts = [measurement.likelihood.residuals(profile[None], measurement.profile).ravel()]
        parts += [record.residuals(own)[0] for record, own in zip(measurement.records, recorded, strict=True)]
        assert float(jnp.sum(jnp.concatenate(parts) ** 2)) == pytest.approx(chi2, rel=1e-4)
    draws = data.noise.draw(
        np.random.default_rng(0), np.broadcast_to(data.noise.measured, (4000, data.signal.shape[1]))
    )
    gain = draws[:, data.noise.blocks[1].part] / data.noise.measured[data.noise.blocks[1].part]
    assert gain.mean(axis=1).std() == pytest.approx(np.hypot(0.02, 0.01 / np.sqrt(30.0)), rel=0.05)

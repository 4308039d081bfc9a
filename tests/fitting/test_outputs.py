"""Profiles of several output points of one experiment."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import npp_jax as npp
from npp_jax.fitting import Objective

SMALL = dataclasses.replace(npp.FAST, companion=False, trace=False)


def problem(*measurements: npp.Measurement) -> npp.Problem:
    foreign = npp.Parameter("D_K_m2_s", ("K.D_m2_s",), 3e-22, 3e-21, "log")
    return npp.Problem(measurements, (foreign,))


def profile(end: float) -> npp.DepthProfile:
    depth = np.arange(2.0, 120.0, 4.0)
    native = 1.0 - 0.9 / (1.0 + np.exp((depth - end) / 2.0))
    return npp.DepthProfile(depth, ["Li", "K"], np.stack([native, 1.0 - native]), 0.02)


@pytest.fixture(scope="module")
def experiments(request: pytest.FixtureRequest) -> tuple[npp.Experiment, npp.Experiment]:
    """One that is looked at half-way and at its end, and one that ends half-way."""
    whole = npp.load_experiment(request.config.rootpath / "sweeps" / "lithium_borate_K.toml")
    (stage,) = whole.stages
    twice = dataclasses.replace(whole, stages=(dataclasses.replace(stage, outputs=(0.5, 1.0)),))
    half = dataclasses.replace(whole, stages=(dataclasses.replace(stage, charge=0.5 * stage.charge),))
    return twice, half


@pytest.mark.slow
def test_a_profile_of_an_output_is_that_of_the_experiment_which_ends_there(experiments):
    twice, half = experiments
    of = problem(
        npp.Measurement("half-way", twice, profile(48.0), output=0),
        npp.Measurement("end", twice, profile(97.0)),
        npp.Measurement("ends there", half, profile(48.0)),
    )
    theta = jnp.asarray([[9.7e-22]])
    found = Objective(of, SMALL).evaluate(theta)
    front = np.asarray(found.front_depth[0]) * 1e9
    assert front[0] == pytest.approx(front[2], abs=0.25) and front[1] == pytest.approx(2.0 * front[0], rel=0.02)
    charge = np.asarray(found.charge[0])
    assert charge == pytest.approx(np.array([0.5, 1.0, 0.5]) * charge[1])
    # The residuals are differences over 0.02 of profiles that agree to the error of `fast`.
    half_way, _, ends_there = Objective(of, SMALL).residuals(theta).residuals
    assert float(jnp.sqrt(jnp.mean((half_way - ends_there) ** 2))) < 0.2


@pytest.mark.slow
def test_profiles_of_one_experiment_cost_one_simulation(experiments, monkeypatch: pytest.MonkeyPatch):
    twice, half = experiments
    batches = []

    def counted(experiment: npp.Experiment, *arguments, **options):
        batches.append(experiment.sample.thickness.shape)
        return npp.simulate(experiment, *arguments, **options)

    monkeypatch.setattr("npp_jax.fitting.objective.simulate", counted)
    one = [npp.Measurement(str(k), twice, profile(48.0), output=k) for k in (0, 1)]
    Objective(problem(*one), SMALL).solve(jnp.full((3, 1), 9.7e-22))
    assert batches == [(3,)]
    own = dataclasses.replace(problem(*one).parameters[0], experiments=("0",))
    of = npp.Problem((*one, npp.Measurement("half", half)), (own,))
    Objective(of, SMALL).solve(jnp.full((3, 1), 9.7e-22))
    # Two outputs and one are two forms; a parameter of one of them alone makes two of the former.
    assert sorted(batches[1:]) == [(3,), (6,)]


def test_depths_are_judged_by_the_charge_at_the_output(experiments):
    twice, _ = experiments
    assert npp.data_warnings(problem(npp.Measurement("half-way", twice, profile(48.0), output=0))) == []
    # An exchanged zone ten times as deep as the charge allows.
    depth = 10.0 * profile(48.0).depth
    deep = npp.DepthProfile(depth, ["Li", "K"], profile(48.0).fraction, 0.02)
    (told,) = npp.data_warnings(problem(npp.Measurement("half-way", twice, deep, output=0)))
    # 100.5 C/m² over e times 1.4e28 per m³.
    assert "the charge passed is enough for 44.8 nm" in told


@pytest.mark.parametrize("output", [2, -3])
def test_an_output_that_is_not_there_is_refused(output: int, experiments):
    with pytest.raises(ValueError, match=rf"half: output = {output}: the experiment has 2, numbered from 0"):
        npp.Measurement("half", experiments[0], profile(48.0), output=output)


def test_a_synthetic_profile_is_what_a_fit_sees(experiments):
    seen = npp.Observation(npp.GaussianResponse(2.0), sputter_ratio=1.2)
    data = profile(97.0)
    of = problem(npp.Measurement("end", experiments[0], data, observation=seen))
    theta = jnp.asarray([[9.7e-22]])
    objective = Objective(of, SMALL, sampled=False)
    solutions = objective.solve(theta)
    (signal,) = objective.signals(solutions, theta)
    assert signal is not None
    one = jax.tree.map(lambda leaf: leaf[..., 0], solutions[0])
    made = npp.synthetic_profile(one, seen, data.depth, 2000.0, seed=None, native=("Li",))
    # Without the response prepared at the depths they are one function.
    np.testing.assert_allclose(made.fraction, signal[0], atol=1e-12)
    # Material that sputters faster is seen less deep.
    slow = npp.synthetic_profile(one, npp.Observation(npp.GaussianResponse(2.0)), data.depth, 2000.0, seed=None)
    assert np.interp(0.5, made.fraction[0], data.depth) < 0.9 * np.interp(0.5, slow.fraction[0], data.depth)
    with pytest.raises(ValueError, match=r"sputter_ratio = 1.2 needs the native ions: native = \('Li',\)"):
        npp.synthetic_profile(one, seen, data.depth, 2000.0)


@pytest.mark.parametrize(("sigma_nm", "prepared"), [(2.0, True), (0.5, True), (0.1, False)])
def test_a_response_that_is_narrow_beside_the_distance_of_the_points_is_seen_as_exactly(
    sigma_nm: float, prepared: bool, experiments
):
    """Points 4 nm apart: four intervals for each leave errors of 3e-4 and 1.5e-3 to the narrow two."""
    seen = npp.Observation(npp.GaussianResponse(sigma_nm))
    of = problem(npp.Measurement("half", experiments[1], profile(48.0), observation=seen))
    theta = jnp.asarray([[9.7e-22]])
    ready, exact = (Objective(of, SMALL, sampled=sampled) for sampled in (True, False))
    assert (ready._responses[0] is not None) == prepared
    (found,), (expected,) = (objective.signals(objective.solve(theta), theta) for objective in (ready, exact))
    np.testing.assert_allclose(found, expected, atol=1e-4)

"""Draws of the data of a problem: their order, their mean and covariance, and what is refused."""

import dataclasses

import numpy as np
import pytest

import npp_jax as npp

DEPTH = np.linspace(2.0, 40.0, 6)
WEIGHT = np.array([0.0, 1.0, 1.0, 1.0, 1.0, 0.0])
TIME = np.array([100.0, 200.0, 300.0])


def experiment() -> npp.Experiment:
    law = npp.ConstantDiffusivity(1e-18, npp.Arrhenius(0.7, 350.0))
    return npp.Experiment(
        npp.Sample(500e-6, 9.0, 1.4e28),
        (npp.Species("Li", law, bulk_fraction=1.0), npp.Species("K", npp.ConstantDiffusivity(1e-21))),
        (npp.Stage(npp.IonBeamPotential("K", 10.0), 350.0, charge=200.0),),
    )


def measured(name: str, **changes) -> npp.Measurement:
    profile = npp.DepthProfile(
        DEPTH,
        ("K", "Li"),
        np.stack([np.linspace(0.9, 0.1, 6), np.linspace(0.1, 0.9, 6)]),
        0.02,
        weight=changes.pop("weight", WEIGHT),
    )
    return npp.Measurement(name, experiment(), profile, **changes)


def problem(*measurements: npp.Measurement) -> npp.Problem:
    return npp.Problem(measurements, (npp.Parameter("D_K_m2_s", ("K.D_m2_s",), 1e-22, 1e-20, "log"),))


SOLVED = npp.NuisancePrior(1.0, [0.05, 0.1], 0.0, [0.01, 0.0])
CURRENT = npp.Record("current", TIME, [3.0, 2.0, 1.0], 0.01, gain_sigma=0.1)


@pytest.fixture(scope="module")
def noise() -> npp.NoiseModel:
    return npp.NoiseModel(problem(measured("a", records=(CURRENT,)), measured("b", nuisance=SOLVED)))


def test_the_vector_has_all_points_that_count_profile_by_profile(noise: npp.NoiseModel):
    assert [(block.name, block.part) for block in noise.blocks] == [
        ("a", slice(0, 8)),
        ("b", slice(8, 16)),
        ("a, current density", slice(16, 19)),
    ]
    fractions = np.linspace(0.9, 0.1, 6)[1:-1]
    profile = np.concatenate([fractions, 1.0 - fractions])
    assert noise.measured == pytest.approx(np.concatenate([profile, profile, [3.0, 2.0, 1.0]]))
    assert noise.sigma == pytest.approx(np.repeat([0.02, 0.01], [16, 3]))
    assert noise.blocks[0].at == pytest.approx(DEPTH) and noise.blocks[2].at == pytest.approx(TIME)


def test_covariance_of_the_draws_is_that_of_noise_and_calibration(noise: npp.NoiseModel):
    signal = np.concatenate([np.linspace(0.2, 0.9, 16), [3.0, 2.0, 1.0]])
    count = 40_000
    found = noise.draw(np.random.default_rng(1), np.broadcast_to(signal, (count, 19)))
    expected = np.diag(noise.sigma**2)
    for part, sensitivity, background in (
        (slice(8, 12), 0.05, 0.01),
        (slice(12, 16), 0.1, 0.0),
        (slice(16, 19), 0.1, 0),
    ):
        own = signal[part]
        expected[part, part] += sensitivity**2 * np.outer(own, own) + background**2
    error = np.sqrt((np.outer(np.diag(expected), np.diag(expected)) + expected**2) / count)
    assert np.all(np.abs(np.cov(found.T) - expected) < 5.0 * error)
    assert np.all(np.abs(found.mean(axis=0) - signal) < 5.0 * np.sqrt(np.diag(expected) / count))


def test_one_signal_is_drawn_as_many_are_and_a_seed_repeats_it(noise: npp.NoiseModel):
    draws = [noise.draw(np.random.default_rng(2), noise.measured) for _ in range(2)]
    assert draws[0].shape == (19,)
    np.testing.assert_array_equal(*draws)
    assert noise.draw(np.random.default_rng(2), np.zeros((2, 3, 19), np.float32)).dtype == np.float32
    with pytest.raises(ValueError, match="the data have 19 points"):
        noise.draw(np.random.default_rng(2), np.zeros(18))


def test_bounds_hold_what_is_drawn():
    prior = dataclasses.replace(SOLVED, sensitivity_sigma=0.5, sensitivity_bounds=(0.9, 1.2))
    found = npp.NoiseModel(problem(measured("a", nuisance=prior))).draw(
        np.random.default_rng(0), np.broadcast_to(np.full(8, 10.0), (2000, 8))
    )
    own = found[:, 4:].mean(axis=1)  # Li, of which the background is known
    assert 9.0 - 0.05 < own.min() < 9.1 and 11.9 < own.max() < 12.0 + 0.05


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"weight": 0.5 * WEIGHT}, "a: points have weights other than 0 and 1"),
        ({"nuisance": npp.NuisancePrior(background_sigma=0.1)}, "a: nothing is known of the sensitivity"),
    ],
)
def test_what_has_no_noise_is_refused(wrong, message: str):
    with pytest.raises(ValueError, match=message):
        npp.NoiseModel(problem(measured("a", **wrong)))


def test_a_problem_without_data_is_refused():
    with pytest.raises(ValueError, match="no experiment has a profile or a record"):
        npp.NoiseModel(problem(npp.Measurement("a", experiment())))

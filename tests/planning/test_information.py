"""Fisher information, contrast of models and ranking, against brute force on small linear problems."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from cases import base
from scipy import optimize

from npp_jax.inference import Parameter, Prior
from npp_jax.observe import GaussianLikelihood, NuisancePrior, PoissonLikelihood, StudentLikelihood
from npp_jax.planning import (
    Proposal,
    choose,
    evaluate,
    expected_delta_chi2,
    information,
    proposed,
    rank,
    with_data,
)
from npp_jax.planning.information import Information

DEPTH = np.linspace(1.0, 60.0, 6)
NUMBERS = np.random.default_rng(1)
SIGNAL, SLOPE = NUMBERS.uniform(0.1, 1.0, (2, 6)), NUMBERS.normal(size=(2, 6, 3))


def measured(**options):
    return proposed("next", base(), DEPTH, **options)


def test_information_of_normal_noise_is_that_of_the_residuals():
    found = information(measured(sigma=0.02, likelihood=GaussianLikelihood(relative_sigma=0.1)), SIGNAL, SLOPE)
    weight = 1.0 / (0.02**2 + (0.1 * SIGNAL) ** 2)
    expected = np.einsum("sdp,sd,sdq->pq", SLOPE, weight, SLOPE)
    np.testing.assert_allclose(found.matrix, expected, rtol=1e-12)


def test_information_of_counts_is_the_curvature_of_the_expected_deviance():
    measurement = measured(counts_per_fraction=500.0, likelihood=PoissonLikelihood(relative_sigma=0.05))
    found = information(measurement, SIGNAL, SLOPE)

    def residuals(x: np.ndarray) -> np.ndarray:
        # The data are what is expected; the residuals are those of a fit.
        profile = measurement.profile
        assert profile is not None
        told = type(profile)(profile.depth, profile.species, SIGNAL, 1.0, 500.0 * SIGNAL, profile.counts_per_fraction)
        return np.asarray(measurement.likelihood.residuals(jnp.asarray(SIGNAL + SLOPE @ x), told)).ravel()

    jacobian = np.asarray(optimize.approx_fprime(np.zeros(3), residuals, 1e-7))
    np.testing.assert_allclose(found.matrix, jacobian.T @ jacobian, rtol=1e-4)


def test_information_of_student_noise_is_that_of_its_score(rng: np.random.Generator):
    measurement = measured(sigma=0.02, likelihood=StudentLikelihood(degrees=5.0))
    found = information(measurement, SIGNAL, SLOPE)
    normal = information(measured(sigma=0.02), SIGNAL, SLOPE)
    t = rng.standard_t(5.0, 400_000)
    score = 6.0 * t / (5.0 + t * t)
    np.testing.assert_allclose(found.matrix / normal.matrix, np.mean(score**2), rtol=0.01)


def test_unknown_sensitivities_and_backgrounds_take_information_away():
    prior = NuisancePrior(sensitivity_sigma=0.1, background_sigma=0.05)
    found = information(measured(sigma=0.02, nuisance=prior), SIGNAL, SLOPE)
    # All unknowns together: three parameters, two sensitivities, two backgrounds.
    whole = np.zeros((12, 7))
    whole[:, :3] = SLOPE.reshape(12, 3)
    for k in range(2):
        whole[6 * k : 6 * k + 6, 3 + k], whole[6 * k : 6 * k + 6, 5 + k] = SIGNAL[k], 1.0
    matrix = whole.T @ whole / 0.02**2 + np.diag([0, 0, 0, *[1 / 0.1**2] * 2, *[1 / 0.05**2] * 2])
    covariance = np.linalg.inv(matrix)[:3, :3]
    np.testing.assert_allclose(np.linalg.inv(found.matrix), covariance, rtol=1e-8)


def test_points_of_no_weight_tell_nothing():
    measurement = measured(sigma=0.02, species=["K"])
    found = information(measurement, SIGNAL[:1], SLOPE[:1])
    assert measurement.profile is not None
    assert found.matrix == pytest.approx(np.einsum("dp,dq->pq", SLOPE[0], SLOPE[0]) / 0.02**2)


@pytest.mark.slow
def test_a_plan_takes_signals_before_sensitivities_are_fitted_to_them():
    prior = NuisancePrior(1.0, 0.3, 0.0, 0.0)
    proposals = [
        Proposal(dataclasses.replace(measured(sigma=0.02, nuisance=known), name=name))
        for name, known in (("known", None), ("unknown", prior))
    ]
    foreign = Parameter("D", ("K.D_m2_s",), 1e-22, 1e-20, "log")
    width = Parameter("w", ("Li.sed_fwhm_eV",), 0.15, 0.4)
    known, unknown = evaluate(proposals, (width, foreign), np.array([[0.25, 1e-21]])).found
    np.testing.assert_allclose(unknown[0].signal, known[0].signal, rtol=1e-12)
    np.testing.assert_allclose(unknown[0].slope, known[0].slope, rtol=1e-12)
    # What is not known takes information away, in every direction.
    lost = np.linalg.eigvalsh(known[0].matrix - unknown[0].matrix)
    assert lost[0] > -1e-9 * lost[-1] and lost[-1] > 0.0


def told(signal: np.ndarray, slope: np.ndarray) -> Information:
    return Information(np.zeros((2, 2)), signal, np.full(len(signal), 10.0), slope, np.zeros((len(signal), 0)))


def test_expected_delta_chi2_is_that_of_a_refit(rng: np.random.Generator):
    true, wrong = told(rng.normal(size=9), rng.normal(size=(9, 2))), told(rng.normal(size=9), rng.normal(size=(9, 2)))
    known = np.array([[30.0, 5.0], [5.0, 60.0]])
    root = np.linalg.cholesky(known).T

    def residuals(x: np.ndarray) -> np.ndarray:
        return np.concatenate([10.0 * (wrong.signal + wrong.slope @ x - true.signal), root @ x])

    found = optimize.least_squares(residuals, np.zeros(2), xtol=1e-14, ftol=1e-14, gtol=1e-14)
    assert expected_delta_chi2(true, wrong, known) == pytest.approx(2.0 * found.cost, rel=1e-9)
    assert expected_delta_chi2(true, true, known) == 0.0


def test_ranges_and_priors_are_what_is_known_before():
    parameters = (
        Parameter("a", ("K.D_m2_s",), 1e-22, 1e-20, "log", prior=Prior(1e-21, 0.5)),
        Parameter("b", ("Li.vacancy_fraction",), 0.0, 0.4),
    )
    known = with_data(parameters, np.array([1e-21, 0.1]), None)
    np.testing.assert_allclose(known, np.diag([12.0 + (np.log(100.0) / 0.5) ** 2, 12.0]))
    jacobian = np.array([[1e21, 0.0], [0.0, 5.0]])
    more = with_data(parameters, np.array([1e-21, 0.1]), jacobian)
    # ∂θ/∂u is θ ln 100 on the logarithmic scale, and 0.4.
    np.testing.assert_allclose(more - known, np.diag([np.log(100.0) ** 2, 4.0]), rtol=1e-12)


KNOWN = np.array([np.diag([10.0, 10.0, 1.0])])
GAINED = np.array([[np.diag([30.0, 0.0, 0.0])], [np.diag([0.0, 10.0, 0.0])], [np.diag([0.0, 0.0, 1e6])]])


@pytest.mark.parametrize(
    ("goal", "order", "gain"),
    [
        ("D", [0, 1, 2], 1.0),  # the variance of one falls to a quarter: one halving of its error
        (1, [1, 0, 2], 0.5),
        (0, [0, 1, 2], 1.0),
        ("A", [0, 1, 2], -0.5 * np.log2(0.625)),
    ],
)
def test_ranking(goal, order, gain):
    # The third parameter is that of a proposal, which nobody asks for.
    rows = rank(goal, KNOWN, GAINED, [1.0, 1.0, 1.0], of=2)
    assert [row.proposal for row in rows][: 1 if goal in (0, 1) else 3] == order[: 1 if goal in (0, 1) else 3]
    assert rows[0].gain == pytest.approx(gain)


def test_the_worst_direction_falls_when_both_are_measured():
    chosen = choose("E", KNOWN, GAINED, [1.0, 1.0, 1.0], 2, of=2)
    assert sum(row.gain for row in chosen) == pytest.approx(0.5)
    assert {row.proposal for row in chosen} == {0, 1}


def test_gains_of_several_add_up_and_none_is_taken_twice():
    chosen = choose("D", KNOWN, GAINED, [1.0, 1.0, 1.0], 9, of=2)
    assert [row.proposal for row in chosen] == [0, 1, 2]
    assert sum(row.gain for row in chosen) == pytest.approx(1.5)


def test_by_hour_the_cheap_one_wins():
    rows = rank("D", KNOWN, GAINED, [10.0, 1.0, 1.0], of=2, by_hour=True)
    assert rows[0].proposal == 1 and rows[0].rate == pytest.approx(0.5)

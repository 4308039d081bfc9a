"""Intervals of a surface exchange that may be fast or slow: the ends are those of free refits, by another program."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import least_squares, minimize
from scipy.special import erfc, erfcx

from npp_jax.inference import DELTA_CHI2_95, Outcome
from npp_jax.tracer.closed_forms import plate_surface_exchange, surface_exchange
from npp_jax.tracer.measured import MeasuredProfile
from npp_jax.tracer.profile_fit import Known, fit_profile

TIME = 14400.0
DEPTH = np.linspace(0.5e-6, 60e-6, 60)


def fraction(log_D: float, log_k: float, surface: float, base: float) -> np.ndarray:
    D, k = np.exp(log_D), np.exp(min(log_k, 0.0))
    z, b = DEPTH / (2.0 * np.sqrt(D * TIME)), k * np.sqrt(TIME / D)
    return base + (surface - base) * np.exp(-z * z) * (erfcx(z) - erfcx(z + b))


def test_the_ends_of_a_slow_exchange_are_those_of_free_refits():
    rng = np.random.default_rng(3)
    true = (np.log(1e-14), np.log(2e-9), 0.05, 0.92)
    total = rng.poisson(300.0, 60)
    counted = rng.binomial(total, fraction(*true))
    measured = MeasuredProfile.of_counts(DEPTH, counted, total - counted)
    fit = fit_profile(measured, TIME, start=3e-14, source="surface-exchange", k=1e-9)
    low, high = fit["D_m2_s"].ends
    assert (low.outcome, high.outcome) == (Outcome.CLOSED, Outcome.CLOSED)
    assert fit["k_m_s"].ends[0].outcome is Outcome.CLOSED
    assert fit["surface"].ends[1].outcome is Outcome.CLOSED

    def deviance(values: np.ndarray) -> float:
        if not (0.0 <= values[2] <= 1.0 and 0.0 <= values[3] <= 1.0):
            return 1e9
        expected = fraction(*values)
        parts = (counted, total * expected), (total - counted, total * (1.0 - expected))
        return float(2.0 * sum(np.sum(np.where(n > 0, n * np.log(np.maximum(n, 1) / m), 0.0)) for n, m in parts))

    def refitted(**held: float) -> float:
        names = ("D", "k", "surface", "base")
        free = [i for i, name in enumerate(names) if name not in held]
        found = []
        for log_k in (-21.0, -20.0, -17.0, -5.0):
            for surface in (0.02, 0.25):
                start = np.array([true[0], log_k, surface, 0.92])
                for name, value in held.items():
                    start[names.index(name)] = value

                def of(part: np.ndarray, start: np.ndarray = start) -> float:
                    whole = start.copy()
                    whole[free] = part
                    return deviance(whole)

                options = {"maxiter": 4000, "xatol": 1e-7, "fatol": 1e-7, "adaptive": True}
                found.append(minimize(of, start[free], method="Nelder-Mead", options=options).fun)
        return min(found)

    best = refitted()
    assert fit.chi2 == pytest.approx(best, abs=1e-3)
    for held in ({"D": np.log(low.value)}, {"D": np.log(high.value)}, {"surface": fit["surface"].ends[1].value}):
        assert refitted(**held) - best == pytest.approx(DELTA_CHI2_95, abs=0.1)


def test_an_exchange_however_fast_is_a_constant_surface():
    for k in (1e3, 1e90):
        found = surface_exchange(DEPTH, TIME, 1e-14, k)
        np.testing.assert_allclose(found, erfc(DEPTH / (2.0 * np.sqrt(1e-14 * TIME))), rtol=1e-9)
        assert np.isfinite(np.asarray(plate_surface_exchange(DEPTH, TIME, jnp.asarray(1e-12), k, 60e-6))).all()


@pytest.mark.parametrize("seed", [9, 20])
def test_an_end_where_the_exchange_becomes_fast_is_found(seed: int):
    """Refits that start from a k without effect stay there; one from beside the minimum finds the way."""
    depth, D, k, sigma = np.linspace(0.0, 536e-6, 50), 8e-13, 3e-8, 0.01

    def law(log_D: float, log_k: float, surface: float, base: float) -> np.ndarray:
        z, b = depth / (2.0 * np.sqrt(np.exp(log_D) * TIME)), np.exp(min(log_k, 0.0)) * np.sqrt(TIME / np.exp(log_D))
        return base + (surface - base) * np.exp(-z * z) * (erfcx(z) - erfcx(z + b))

    measured = law(np.log(D), np.log(k), 0.95, 0.0759) + sigma * np.random.default_rng(seed).normal(size=50)
    profile = MeasuredProfile(depth, measured, np.full(50, sigma))
    fit = fit_profile(profile, TIME, start=D, source="surface-exchange", k=k)
    end = fit["surface"].ends[0]
    assert end.outcome is Outcome.CLOSED

    def residual(part: np.ndarray) -> np.ndarray:
        return (law(part[0], part[1], end.value, part[2]) - measured) / sigma

    starts = [(np.log(D), log_k, 0.08) for log_k in (np.log(k), -14.0, -9.0)]
    refitted = min(2.0 * least_squares(residual, start, x_scale=(0.1, 1.0, 0.01)).cost for start in starts)
    assert refitted - fit.chi2 == pytest.approx(DELTA_CHI2_95, abs=0.02)


LENGTH = 100e-6
PLATE = np.linspace(1e-6, 99e-6, 60)


def in_a_plate(log_D: float, log_k: float, surface: float, base: float) -> np.ndarray:
    """J. Crank, The Mathematics of Diffusion (1975), eqn 4.50, with the roots of its eqn 4.51 by bisection."""
    ratio = np.clip(np.exp(log_k - log_D) * LENGTH, 1e-8, 1e10)
    low = np.arange(12.0) * np.pi
    high = low + 0.5 * np.pi
    for _ in range(45):
        middle = 0.5 * (low + high)
        # q sin q - L cos q has one root in each interval, and changes sign with every other of them.
        beyond = (middle * np.sin(middle) - ratio * np.cos(middle)) * np.cos(0.5 * (low + high) // np.pi * np.pi) > 0.0
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    q = low[:, None]
    terms = 2.0 * ratio * np.cos(q * (1.0 - PLATE / LENGTH)) / ((q * q + ratio * ratio + ratio) * np.cos(q))
    shape = 1.0 - np.sum(terms * np.exp(-q * q * np.exp(log_D) * TIME / LENGTH**2), axis=0)
    return base + (surface - base) * shape


@pytest.mark.parametrize("start", [pytest.param(1e-12, marks=pytest.mark.slow), 1e-14])
def test_an_exchange_without_effect_at_the_minimum_hides_no_other_fit(start: float):
    """The best exchange has no end; a slow one, with a quarter of the fraction deep inside, is as good."""
    sigma = 0.006
    measured = in_a_plate(np.log(3e-13), np.log(2e-8), 0.95, 0.0759)
    measured = measured + sigma * np.random.default_rng(9).normal(size=60)
    profile = MeasuredProfile(PLATE, measured, np.full(60, sigma))
    known = {name: Known((0.0, 1.0)) for name in ("surface", "base")}
    fit = fit_profile(profile, TIME, start=start, k=1e-9, source="surface-exchange", thickness=LENGTH, known=known)

    def refitted(held: int, value: float) -> float:
        free = [n for n in range(4) if n != held]
        low, high = np.array([-40.0, -25.0, 0.0, 0.0]), np.array([-20.0, 0.0, 1.0, 1.0])
        found = []
        for row in ((-29.6, -2.3, 0.85, 0.35), (-28.9, -17.4, 0.92, 0.1), (-28.7, -18.0, 0.99, 0.02)):
            whole = np.array(row)
            whole[held] = value

            def residual(part: np.ndarray, whole: np.ndarray = whole) -> np.ndarray:
                whole[free] = part
                return (in_a_plate(*whole) - measured) / sigma

            options = {"x_scale": np.array([0.1, 1.0, 0.01, 0.01])[free], "diff_step": 1e-4}
            found.append(2.0 * least_squares(residual, whole[free], bounds=(low[free], high[free]), **options).cost)
        return min(found)

    assert fit.chi2 == pytest.approx(refitted(1, 0.0), abs=2e-3)
    D, k_ends, surface, base = (fit[name].ends for name in ("D_m2_s", "k_m_s", "surface", "base"))
    assert k_ends[0].outcome is Outcome.CLOSED and k_ends[1].outcome is not Outcome.CLOSED
    assert base[0].outcome is Outcome.RANGE and refitted(3, 0.0) - fit.chi2 < DELTA_CHI2_95
    ends = [(0, D[0]), (0, D[1]), (1, k_ends[0]), (2, surface[0]), (2, surface[1]), (3, base[1])]
    for place, end in ends:
        assert end.outcome is Outcome.CLOSED
        value = np.log(end.value) if place < 2 else end.value
        assert refitted(place, value) - fit.chi2 == pytest.approx(DELTA_CHI2_95, abs=0.05)

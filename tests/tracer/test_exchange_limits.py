"""Intervals of a surface exchange that may be fast or slow: the ends are those of free refits, by another program."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import erfc, erfcx

from npp_jax.inference import DELTA_CHI2_95, Outcome
from npp_jax.tracer.closed_forms import plate_surface_exchange, surface_exchange
from npp_jax.tracer.measured import MeasuredProfile
from npp_jax.tracer.profile_fit import fit_profile

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

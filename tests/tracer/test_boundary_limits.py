"""A boundary without a step has a lower limit of D_gb/δ, one without a flux an upper one: those of free refits."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import solve_banded
from scipy.optimize import brentq, least_squares, minimize_scalar
from scipy.special import xlogy

from npp_jax.inference import DELTA_CHI2_95, Outcome, Reason
from npp_jax.tracer.chain_fit import fit_boundaries
from npp_jax.tracer.counts import IsotopeCounts
from npp_jax.tracer.diffusion import ConstantSurface, DiffusionStage
from npp_jax.tracer.grain_fit import fit_permeability
from npp_jax.tracer.grain_map import grain_map
from npp_jax.tracer.isotope_map import MapStage, simulate_map
from npp_jax.tracer.measured import MeasuredProfile

SIZES, D, TIME, SOURCE, START = (16e-6, 22e-6, 14e-6), 2.6e-12, 1800.0, 0.95, 0.0759
CELLS, STEPS = 80, 200
WIDTH = np.repeat(np.array(SIZES) / CELLS, CELLS)
PLACES = np.arange(0.25, 52.0, 0.5) * 1e-6


def chain(permeability: np.ndarray) -> np.ndarray:
    """Finite volumes with the resistances of boundaries in series, and steps backward in time of second order."""
    resistance = np.concatenate([[WIDTH[0] / (2.0 * D)], (WIDTH[1:] + WIDTH[:-1]) / (2.0 * D)])
    resistance[CELLS : 2 * CELLS + 1 : CELLS] += 1.0 / permeability
    flow, step = 1.0 / resistance, TIME / STEPS
    bands = np.zeros((3, len(WIDTH)))
    bands[0, 1:], bands[2, :-1] = -flow[1:], -flow[1:]
    diagonal = flow + np.append(flow[1:], 0.0)
    before = now = np.full(len(WIDTH), START)
    for n in range(STEPS):
        rate = WIDTH / step * (1.5 if n else 1.0)
        bands[1] = rate + diagonal
        known = WIDTH / step * ((2.0 * now - 0.5 * before) if n else now)
        known[0] += flow[0] * SOURCE
        before, now = now, solve_banded((1, 1), bands, known)
    centres = np.cumsum(WIDTH) - 0.5 * WIDTH
    grain = np.searchsorted(np.cumsum(SIZES), PLACES)
    found = np.empty(len(PLACES))
    for k in range(len(SIZES)):
        part = slice(k * CELLS, (k + 1) * CELLS)
        found[grain == k] = np.interp(PLACES[grain == k], centres[part], now[part])
    return found


@pytest.mark.parametrize(
    ("true", "seed", "place", "side", "reason"),
    [
        pytest.param((1.4e-8, 2e-4), 2, 1, 0, Reason.CONVERGED, id="no step that errors let tell"),
        pytest.param((1.4e-8, 2e-4), 3, 1, 0, Reason.AT_BOUND, id="no step"),
        pytest.param((1e-13, 2e-8), 2, 0, 1, Reason.AT_BOUND, id="no flux"),
    ],
)
def test_it_is_that_of_free_refits(true: tuple[float, float], seed: int, place: int, side: int, reason: Reason):
    sigma = 0.005
    measured = chain(np.array(true)) + sigma * np.random.default_rng(seed).normal(size=len(PLACES))
    profile = MeasuredProfile(PLACES, measured, np.full(len(PLACES), sigma))
    stage = DiffusionStage(TIME, left=ConstantSurface(SOURCE))
    fit = fit_boundaries(jnp.array(SIZES), START, [stage], [profile], D_bulk=D, permeability=2e-8, cells=16, steps=64)
    ends = fit[f"permeability_m_s[{place + 1}]"].ends
    assert fit.reason is reason
    assert ends[side].outcome is Outcome.CLOSED and ends[1 - side].outcome in (Outcome.HELD, Outcome.RANGE)
    limit = ends[side].value

    def refitted(value: float) -> float:
        logs = np.log(np.array(true))

        def residual(other: np.ndarray) -> np.ndarray:
            logs[1 - place], logs[place] = other[0], np.log(value)
            return (chain(np.exp(logs)) - measured) / sigma

        return 2.0 * least_squares(residual, logs[[1 - place]], diff_step=1e-4).cost

    tried = true[place] * np.geomspace(1e-3, 1e3, 25)
    assert refitted(limit) - min(map(refitted, tried)) == pytest.approx(DELTA_CHI2_95, rel=0.05)


@pytest.mark.parametrize("true", [pytest.param(1e-6, marks=pytest.mark.slow), 1e-12])
def test_that_of_a_map_is_where_the_likelihood_ends(true: float):
    """Few counts a pixel, of which the binomial likelihood is far from a parabola; searched here by itself."""
    grains = grain_map(np.repeat(np.arange(3), 10)[None] * np.ones((12, 1), int), 1e-6)
    stages = (MapStage(600.0, SOURCE, steps=32),)
    simulate = eqx.filter_jit(simulate_map)

    def modelled(log_permeability: float) -> np.ndarray:
        permeability = jnp.exp(jnp.asarray(log_permeability))
        return np.asarray(simulate(grains, jnp.asarray(D), permeability, jnp.asarray(START), stages).fraction[-1])

    light = np.random.default_rng(1).binomial(6, modelled(float(np.log(true)))).astype(float)
    fit = fit_permeability(
        grains, IsotopeCounts(light, 6.0 - light), D_bulk=D, initial=START, stages=stages, guess=3e-8
    )

    def deviance(log_permeability: float) -> float:
        C = modelled(log_permeability)
        return float(-2.0 * np.sum(xlogy(light, C) + xlogy(6.0 - light, 1.0 - C)))

    bounds = np.log(1e-15), np.log(1e-2)
    best = minimize_scalar(deviance, bounds=bounds, method="bounded", options={"xatol": 1e-3})
    for end, far in zip(fit["permeability_m_s[1]"].ends, bounds, strict=True):
        rise = lambda x: deviance(x) - best.fun - DELTA_CHI2_95  # noqa: E731
        assert (end.outcome is Outcome.CLOSED) == (rise(far) > 0.0)
        if end.outcome is Outcome.CLOSED:
            assert np.log(end.value) == pytest.approx(brentq(rise, *sorted((best.x, far))), abs=0.03)

"""What is compared with a measurement is the profile of the solution, at perfect depth resolution and at any other."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erfc, ndtr
from scipy.stats import norm

from npp_jax.fitting.comparison import Comparison, over_intervals, sputtered
from npp_jax.observe import (
    AbstractResponse,
    DepthProfile,
    GaussianLikelihood,
    GaussianResponse,
    NoResponse,
    NuisancePrior,
    Observation,
    convolve,
    sample_response,
)
from npp_jax.simulation.observables import interpolate_profile

DEPTH = np.linspace(0.0, 48.0, 13)
LENGTH = 20.0


def truth(depth: np.ndarray) -> np.ndarray:
    return erfc(depth / LENGTH)


def comparison(
    response: AbstractResponse, *, fixed: bool = False, perfect: bool = False, ratio: float | None = None, **fields
) -> Comparison:
    """A smooth profile on cells wider than the response, for two candidates."""
    faces = np.concatenate([np.linspace(0.0, 60.0, 31), [80.0, 120.0]])
    middle = 0.5 * (faces[1:] + faces[:-1])
    points = np.concatenate([faces[:1], middle, faces[-1:]])
    # Averages over the cells, by the integral of erfc.
    integral = faces * truth(faces) - LENGTH / np.sqrt(np.pi) * np.exp(-((faces / LENGTH) ** 2))
    values = np.concatenate([[1.0], np.diff(integral) / np.diff(faces), [0.0]])
    twice = lambda a: jnp.stack([jnp.asarray(a)] * 2, axis=-1)  # noqa: E731
    one = Observation(response, sensitivity=[1.0], background=[0.0], sputter_ratio=1.0 if ratio is None else ratio)
    return Comparison(
        points=twice(points),
        faces=twice(faces),
        fraction=twice(np.stack([values])),
        exchanged=None if ratio is None else twice(values),
        observation=jax.tree.map(lambda leaf: jnp.stack([leaf] * 2), one),
        response=sample_response(response, DEPTH, refine=4) if fixed else None,
        perfect=perfect,
        profile=DepthProfile(DEPTH, ["Li"], [truth(DEPTH)], 0.01, **fields),
        nuisance=NuisancePrior(1.0, 0.0, 0.0, 0.0),
        likelihood=GaussianLikelihood(),
        solved=False,
    )


def test_at_perfect_resolution_it_is_the_profile_of_the_solution():
    made = comparison(NoResponse(), perfect=True)
    profile = interpolate_profile(jnp.asarray(DEPTH), made.points, made.fraction)
    np.testing.assert_array_equal(np.moveaxis(np.asarray(eqx.filter_jit(made.signal)()), 0, -1), profile)
    np.testing.assert_allclose(made.signal()[0, 0], truth(DEPTH), atol=6e-4)
    assert float(made.signal()[0, 0, 0]) == 1.0


@pytest.mark.parametrize("fixed", [False, True])
def test_a_narrow_response_sees_the_same(fixed: bool):
    signal = np.asarray(comparison(GaussianResponse(0.1), fixed=fixed).signal()[0, 0])
    # At the surface itself half of the response looks before the sample.
    np.testing.assert_allclose(signal[1:], truth(DEPTH)[1:], atol=2e-3)
    assert signal[0] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("fixed", [False, True])
def test_a_wide_response_against_quadrature(fixed: bool):
    signal = np.asarray(comparison(GaussianResponse(3.0), fixed=fixed).signal()[0, 0])
    fine = np.linspace(0.0, 120.0, 24001)
    weight = np.exp(-0.5 * ((DEPTH[:, None] - fine) / 3.0) ** 2) / (3.0 * np.sqrt(2.0 * np.pi))
    np.testing.assert_allclose(signal, np.trapezoid(weight * truth(fine), fine, axis=1), atol=1e-3)


def test_points_that_are_averages():
    """Over a parabola the average is the value plus Δ²/24 times the second derivative."""
    width = np.full(len(DEPTH), 4.0)
    points = np.asarray(comparison(NoResponse(), perfect=True).signal()[0, 0])
    means = np.asarray(comparison(NoResponse(), perfect=True, interval=width).signal()[0, 0])
    assert means[0] == pytest.approx(points[0], rel=1e-14)
    step = np.linspace(-2.0, 2.0, 401)
    exact = np.mean(truth(DEPTH[1:, None] + step), axis=1)
    np.testing.assert_allclose(means[1:], exact, atol=6e-4)
    assert np.max(np.abs(means - points)) > 1e-3
    sampled = sample_response(GaussianResponse(2.0), DEPTH, interval=width)
    faces = jnp.asarray([0.0, 20.0, 100.0])
    seen = np.asarray(sampled(faces, jnp.asarray([[0.0, 1.0]]))[0])
    boxed = np.mean(ndtr((DEPTH[:, None] + step - 20.0) / 2.0), axis=1)
    np.testing.assert_allclose(seen, boxed, atol=0.03)


@pytest.mark.parametrize("sigma_nm", [1.0, 3.0])
def test_averages_over_intervals_several_times_the_resolution(sigma_nm: float):
    """A step: the mean of Φ is the difference of its integral zΦ + φ. Two points in each interval are off by 0.02."""
    step, width, at = 5.0, np.full(len(DEPTH), 5.0), DEPTH[len(DEPTH) // 2]
    faces, cells = jnp.asarray([0.0, at, 500.0]), jnp.asarray([[0.0, 1.0]])
    integral = lambda z: sigma_nm * (z / sigma_nm * ndtr(z / sigma_nm) + norm.pdf(z / sigma_nm))  # noqa: E731
    inside = slice(3, -3)
    exact = (integral(DEPTH - at + 0.5 * step) - integral(DEPTH - at - 0.5 * step)) / step
    response = GaussianResponse(sigma_nm)
    prepared = sample_response(response, DEPTH, interval=width, refine=16)(faces, cells)[0]
    np.testing.assert_allclose(prepared[inside], exact[inside], atol=2e-3)
    seen = lambda depth: convolve(response, faces, cells, depth)  # noqa: E731
    found = over_intervals(seen, Observation(response), jnp.asarray(DEPTH), jnp.asarray(width))[0]
    np.testing.assert_allclose(found[inside], exact[inside], atol=2e-4)


def test_many_points_are_seen_as_few_are():
    """They are worked through some at a time."""
    made = comparison(GaussianResponse(3.0))
    depth = np.linspace(0.5, 60.0, 5001)
    many = dataclasses.replace(made, profile=DepthProfile(depth, ["Li"], [truth(depth)], 0.01))
    few = dataclasses.replace(made, profile=DepthProfile(depth[::50], ["Li"], [truth(depth[::50])], 0.01))
    signal = eqx.filter_jit(lambda one: one.signal())
    np.testing.assert_allclose(signal(many)[:, :, ::50], signal(few), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("ratio", [0.6, 1.0, 1.5])
def test_exchanged_material_that_sputters_at_another_rate_moves_the_depths(ratio: float):
    # What is seen at the depth m, by the clock of the bulk, lies at z: m = ∫₀ᶻ dz'/s, s = 1 + (ratio - 1) exchanged.
    z = np.linspace(0.0, 120.0, 200_001)
    speed = 1.0 + (ratio - 1.0) * truth(z)
    clock = np.concatenate([[0.0], np.cumsum(0.5 * (1.0 / speed[1:] + 1.0 / speed[:-1]) * np.diff(z))])
    expected = truth(np.interp(DEPTH, clock, z))
    found = np.asarray(comparison(NoResponse(), perfect=True, ratio=ratio).signal())[0, 0]
    np.testing.assert_allclose(found[1:], expected[1:], atol=3e-3)
    if ratio == 1.0:
        np.testing.assert_allclose(found, np.asarray(comparison(NoResponse(), perfect=True).signal())[0, 0], atol=1e-14)


def test_amounts_sputtered_take_their_time():
    made = comparison(NoResponse())
    points, faces, exchanged = made.points[:, 0], made.faces[:, 0], made.fraction[0, :, 0]
    moved, ends = sputtered(points, faces, exchanged, jnp.asarray(2.0))
    np.testing.assert_allclose(jnp.diff(ends), jnp.diff(faces) / (1.0 + exchanged[1:-1]), rtol=1e-12)
    np.testing.assert_allclose(moved[1:-1], 0.5 * (ends[1:] + ends[:-1]), rtol=1e-12)

"""Depth resolution functions against quadrature in extended precision, their limits, and their derivatives."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import integrate, special, stats

from npp_jax.observe import AbstractResponse, DowsettResponse, GaussianResponse, MRIResponse, NoResponse
from npp_jax.observe.response import WIDTH_FLOOR
from npp_jax.observe.special import erfcx

WIDTHS = [
    (1.0, 3.0, 2.0),
    (0.5, 5.0, 0.2),
    (4.0, 0.3, 1.0),
    (2.0, 2.0, 2.0),
    (0.01, 3.0, 0.5),
    (1.0, 3.0, 0.01),
    (30.0, 0.1, 8.0),
]
DISTANCES = [-60.0, -12.0, -3.0, -0.5, -1e-9, 0.0, 1e-9, 0.5, 3.0, 12.0, 60.0]


def exact_erfcx(x: float) -> mpmath.mpf:
    with mpmath.workdps(40):
        x = mpmath.mpf(x)
        return mpmath.exp(x * x) * mpmath.erfc(x)


def convolved_tail(z: float, leading: float, trailing: float, sigma: float) -> mpmath.mpf:
    """Smaller side of the cumulative function: quadrature of the exponentials' own one against the Gaussian."""
    near, far = (leading, trailing) if z < 0 else (trailing, leading)
    y, share = abs(z), near / (near + far)

    def integrand(g: mpmath.mpf) -> mpmath.mpf:
        x = y - sigma * g
        beyond = share * mpmath.exp(-x / near) if x >= 0 else 1 - (1 - share) * mpmath.exp(x / far)
        return mpmath.npdf(g) * beyond

    kink = y / sigma
    points = [p for p in np.arange(-9.0, 15.1, 3.0) if abs(p - kink) > 0.1] + ([kink] if kink < 15.0 else [])
    return mpmath.quad(integrand, sorted(points))


def textbook_tail(z: float, leading: float, trailing: float, sigma: float) -> mpmath.mpf:
    """The same from the formula as printed, integrated by parts, with so many digits that nothing is lost."""
    with mpmath.workdps(500):
        near, far = (leading, trailing) if z < 0 else (trailing, leading)
        y, near, far, sigma = (mpmath.mpf(v) for v in (abs(z), near, far, sigma))
        rise = mpmath.exp(-y / near + sigma**2 / near**2 / 2) * mpmath.erfc((sigma / near - y / sigma) / mpmath.sqrt(2))
        fall = mpmath.exp(y / far + sigma**2 / far**2 / 2) * mpmath.erfc((y / sigma + sigma / far) / mpmath.sqrt(2))
        return mpmath.ncdf(-y / sigma) + (near * rise - far * fall) / (near + far) / 2


@pytest.mark.parametrize("x", [0.0, 1e-12, 0.1, 1.0, 3.0, 5.9, 12.0, 25.0])
def test_erfcx(x: float):
    exact = exact_erfcx(x)
    slope = 2 * x * exact - 2 / mpmath.sqrt(mpmath.pi)
    assert float(erfcx(jnp.asarray(x))) == pytest.approx(float(exact), rel=2e-15)
    assert float(jax.grad(erfcx)(jnp.asarray(x))) == pytest.approx(float(slope), rel=2e-12)
    single = erfcx(jnp.asarray(x, jnp.float32))
    assert single.dtype == jnp.float32
    assert float(single) == pytest.approx(float(exact_erfcx(float(np.float32(x)))), rel=5e-7)


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("z", DISTANCES)
def test_both_tails_are_accurate(widths: tuple[float, float, float], z: float):
    value = float(DowsettResponse(*widths).tail(jnp.asarray(z)))
    # The argument of the exponential, a few hundred at most, multiplies the rounding.
    assert value == pytest.approx(float(textbook_tail(z, *widths)), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("widths", WIDTHS[:4])
@pytest.mark.parametrize("z", [-6.0, -0.5, 0.0, 3.0, 12.0])
def test_dowsett_is_the_convolution(widths: tuple[float, float, float], z: float):
    value = float(DowsettResponse(*widths).tail(jnp.asarray(z)))
    assert value == pytest.approx(float(convolved_tail(z, *widths)), rel=1e-11)


@pytest.mark.parametrize("widths", [(1.0, 0.6, 0.4), (4.0, 2.0, 0.5), (0.5, 3.0, 2.0)])
@pytest.mark.parametrize("z", [-9.0, -2.0, -0.3, 0.0, 0.3, 5.0, 20.0])
def test_mri_is_the_convolution_of_its_three_parts(widths: tuple[float, float, float], z: float):
    mixing, roughness, information = widths
    # Roughness and escape together are SciPy's exponentially modified normal distribution, mirrored.
    rest = stats.exponnorm(information / roughness, scale=roughness)
    kinks = sorted({0.0, 1.0, max((z + mixing) / mixing, 0.0), 40.0})
    behind = sum(
        integrate.quad(lambda m: np.exp(-m) * rest.cdf(mixing * (m - 1.0) - z), *piece, epsabs=1e-13)[0]
        for piece in itertools.pairwise(kinks)
    )
    response = MRIResponse(*widths)
    assert float(response.cdf(jnp.asarray(z))) == pytest.approx(1.0 - behind, abs=1e-10)
    expected = behind if z >= 0.0 else 1.0 - behind
    assert float(response.tail(jnp.asarray(z))) == pytest.approx(expected, abs=1e-10)


def test_gaussian_against_scipy():
    z = np.linspace(-30.0, 30.0, 121)
    tail = GaussianResponse(2.0).tail(jnp.asarray(z))
    np.testing.assert_allclose(tail, stats.norm.sf(np.abs(z), scale=2.0), rtol=2e-13)


RESPONSES = [
    DowsettResponse(1.0, 3.0, 2.0),
    DowsettResponse(5.0, 0.4, 1.0),
    MRIResponse(2.0, 1.0, 0.5),
    GaussianResponse(2.5),
]


@pytest.mark.parametrize("response", RESPONSES, ids=lambda response: type(response).__name__)
def test_normalised_with_the_stated_mean_and_variance(response: AbstractResponse):
    z = jnp.linspace(-150.0, 150.0, 60001)
    h = eqx.filter_jit(response.density)(z)
    step = float(z[1] - z[0])
    assert bool(jnp.all(h >= 0.0))
    assert float(jnp.sum(h)) * step == pytest.approx(1.0, abs=1e-8)
    mean = float(jnp.sum(h * z)) * step
    assert mean == pytest.approx(float(response.mean), abs=1e-6)
    assert float(jnp.sum(h * (z - mean) ** 2)) * step == pytest.approx(float(response.variance), rel=1e-6)


@pytest.mark.parametrize("z", [-8.0, -1.0, 0.0, 2.0, 15.0])
def test_density_is_the_printed_formula(z: float):
    up, down, sigma = 1.0, 3.0, 2.0
    h = np.exp(z / up + sigma**2 / (2 * up**2)) * special.erfc((z / sigma + sigma / up) / np.sqrt(2.0))
    h += np.exp(-z / down + sigma**2 / (2 * down**2)) * special.erfc((sigma / down - z / sigma) / np.sqrt(2.0))
    density = DowsettResponse(up, down, sigma).density(jnp.asarray(z))
    assert float(density) == pytest.approx(h / (2.0 * (up + down)), rel=1e-11)


def cumulative(kind: type[AbstractResponse], widths: jax.Array, z: jax.Array) -> jax.Array:
    return kind(*widths).cdf(z)


CASES = [(DowsettResponse, (1.0, 3.0, 2.0)), (MRIResponse, (2.0, 1.0, 0.5)), (GaussianResponse, (2.0,))]


@pytest.mark.parametrize(("kind", "widths"), CASES)
def test_gradients_three_ways(kind: type[AbstractResponse], widths: tuple[float, ...]):
    def value(p: jax.Array) -> jax.Array:
        return cumulative(kind, p[1:], p[0])

    points = jnp.asarray([[z, *widths] for z in (-40.0, -2.0, 0.0, 0.7, 40.0)])
    forward, reverse = (jax.jit(jax.vmap(mode(value)))(points) for mode in (jax.jacfwd, jax.jacrev))
    np.testing.assert_allclose(forward, reverse, rtol=1e-10, atol=1e-16)
    steps = 1e-5 * jnp.eye(points.shape[1])
    shifted = jax.jit(jax.vmap(jax.vmap(value)))
    above, below = (shifted(points[:, None] + sign * steps) for sign in (1.0, -1.0))
    np.testing.assert_allclose(forward, (above - below) / 2e-5, rtol=1e-7, atol=1e-10)


def test_gradients_at_the_switches_of_the_formula():
    # The formula changes branch at z = 0 and where y/σ = σ/a.
    response = DowsettResponse(1.0, 3.0, 2.0)
    slope = jax.jit(jax.vmap(jax.grad(lambda z: response.cdf(z))))
    for z in (0.0, -4.0, 4.0 / 3.0):
        around = jnp.asarray([z - 1e-9, z, z + 1e-9])
        slopes = slope(around)
        np.testing.assert_allclose(slopes, slopes[1], rtol=1e-8)
        assert bool(jnp.all(slopes > 0.0))


@pytest.mark.parametrize("z", [-3.0, -0.01, 0.0, 0.01, 3.0])
def test_zero_widths_are_limits(z: float):
    z_ = jnp.asarray(z)
    exponentials = np.exp(z) / 4.0 if z < 0.0 else 1.0 - 0.75 * np.exp(-z / 3.0)
    assert float(DowsettResponse(1.0, 3.0, 0.0).cdf(z_)) == pytest.approx(exponentials, abs=2e-12)
    assert float(DowsettResponse(0.0, 0.0, 2.0).cdf(z_)) == pytest.approx(stats.norm.cdf(z / 2.0), abs=1e-12)
    one_sided = stats.exponnorm(1.5, scale=2.0).cdf(z)
    # One width is held at the floor: the curve is off by less than that times its slope.
    assert float(DowsettResponse(0.0, 3.0, 2.0).cdf(z_)) == pytest.approx(one_sided, abs=0.2 * WIDTH_FLOOR)
    step = 0.5 if z == 0.0 else float(z > 0.0)
    assert float(NoResponse().cdf(z_)) == step
    assert float(DowsettResponse(0.0, 0.0, 0.0).cdf(z_)) == pytest.approx(step, abs=1e-12)
    assert float(GaussianResponse(0.0).cdf(z_)) == pytest.approx(step, abs=1e-12)
    escape = np.exp(min(z, 0.0) / 0.5)
    assert float(MRIResponse(0.0, 0.0, 0.5).cdf(z_)) == pytest.approx(escape, abs=1e-5)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("kind", [DowsettResponse, MRIResponse])
def test_everything_stays_finite(kind: type[AbstractResponse], dtype: type):
    z = jnp.asarray([-1e6, -300.0, -1.0, -1e-7, 0.0, 1e-7, 1.0, 300.0, 1e6], dtype)
    zeros = [(0.0, 0.0, 0.0), (0.0, 3.0, 0.0), (0.0, 0.0, 2.0), (1.0, 0.0, 2.0), (1e-3, 3.0, 9.0)]
    table = jax.vmap(jax.vmap(lambda p, x: cumulative(kind, p, x), (None, 0)), (0, None))
    slopes = jax.vmap(jax.vmap(jax.grad(lambda p, x: cumulative(kind, p, x), argnums=(0, 1)), (None, 0)), (0, None))
    value, gradient = jax.jit(lambda p, x: (table(p, x), slopes(p, x)))(jnp.asarray(zeros, dtype), z)
    assert value.shape == (5, 9)
    assert value.dtype == gradient[0].dtype == gradient[1].dtype == dtype
    assert bool(jnp.all((value >= 0.0) & (value <= 1.0)))
    assert all(bool(jnp.all(jnp.isfinite(g))) for g in gradient)


def test_a_width_of_zero_has_its_one_sided_derivative():
    value = jax.jit(lambda q: cumulative(DowsettResponse, q, jnp.asarray(0.7)))
    for at, widths in [(0, (0.0, 3.0, 2.0)), (1, (1.0, 0.0, 2.0)), (0, (0.0, 0.0, 2.0)), (1, (0.0, 0.0, 2.0))]:
        p = jnp.asarray(widths)
        grown = p.at[at].set(1e-4)
        more = p.at[at].set(2e-4)
        f = [value(q) for q in (p, grown, more)]
        one_sided = (-3.0 * f[0] + 4.0 * f[1] - f[2]) / 2e-4
        assert abs(float(one_sided)) > 1e-2
        slope = jax.jit(jax.grad(value))(p)[at]
        assert float(slope) == pytest.approx(float(one_sided), rel=2e-2)


def test_single_precision():
    z = np.linspace(-25.0, 60.0, 200).astype(np.float32)
    for widths in WIDTHS:
        response = DowsettResponse(*widths)
        single, double = response.tail(jnp.asarray(z)), response.tail(jnp.asarray(z, jnp.float64))
        assert single.dtype == jnp.float32
        np.testing.assert_allclose(single, double, atol=4e-7)


@pytest.mark.parametrize("kind", [DowsettResponse, MRIResponse])
@pytest.mark.parametrize("widths", [(-1.0, 1.0, 1.0), (1.0, np.nan, 1.0), (1.0, 1.0, np.inf)])
def test_wrong_widths_are_refused(kind: type[AbstractResponse], widths: tuple[float, ...]):
    with pytest.raises(ValueError, match="must be finite and not negative"):
        kind(*widths)


def test_a_batch_of_responses_equals_a_loop():
    z = jnp.linspace(-5.0, 5.0, 7)
    batch = DowsettResponse(jnp.asarray([0.0, 1.0]), jnp.asarray([2.0, 3.0]), jnp.asarray([1.0, 2.0]))
    value = jax.jit(jax.vmap(lambda r: r.cdf(z)))(batch)
    loop = [DowsettResponse(0.0, 2.0, 1.0).cdf(z), DowsettResponse(1.0, 3.0, 2.0).cdf(z)]
    np.testing.assert_allclose(value, jnp.stack(loop), rtol=1e-13)


@pytest.mark.parametrize(
    "response",
    [DowsettResponse(1.0, 3.0, 2.0), DowsettResponse(0.0, 2.5, 1.5), MRIResponse(2.0, 1.0, 0.5), GaussianResponse(3.0)],
)
def test_integral_of_the_tail(response):
    """It vanishes far away, and its derivative is the tail."""
    z = jnp.asarray([-30.0, -2.5, -0.7, 0.0, 0.4, 3.0, 40.0])
    slope = jax.jit(jax.vmap(jax.grad(response.tail_integral)))(z)
    np.testing.assert_allclose(slope, jnp.where(z < 0.0, 1.0, -1.0) * response.tail(z), rtol=1e-9, atol=1e-15)
    assert float(response.tail_integral(jnp.asarray(400.0))) == pytest.approx(0.0, abs=1e-15)
    assert float(response.tail_integral(jnp.asarray(-400.0))) == pytest.approx(0.0, abs=1e-15)

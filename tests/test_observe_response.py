"""Depth resolution functions against quadrature in extended precision, their limits, and their derivatives."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from npp_jax.observe import DowsettResponse
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

"""Closed forms of isotope exchange: against numerical inversion of their Laplace transforms in extended precision."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from jax.test_util import check_grads
from tracer_couple import resistive_couple

from npp_jax.tracer import closed_forms as cf
from npp_jax.tracer.special import erfcx, erfcx_drop

D, L = 3e-13, 4e-4
"""Of the order of the effective diffusion in the titanate: a plate of 0.4 mm, Dt/L² = 1 after six days."""

TIMES = [f * L**2 / D for f in (0.004, 0.029, 0.031, 0.19, 0.21, 2.0)]
DEPTHS = [0.0, 0.07 * L, 0.5 * L, 0.93 * L, L]


def inverse(transform: Callable, t: float) -> float:
    """Laplace inversion by Talbot's contour, of which the error is below 1e-15 at this working precision."""
    with mp.workdps(40):
        return float(mp.invertlaplace(transform, mp.mpf(t), method="talbot", degree=40))


def q(p):
    return mp.sqrt(p / mp.mpf(D))


def from_transform(name: str, t: float) -> list[float]:
    """Values of one solution at `DEPTHS` from its Laplace transform."""
    k, w = mp.mpf(2e-9), mp.mpf(1.3e-4)
    h = k / mp.mpf(D)
    length = mp.mpf(L)
    transforms = {
        "constant_surface": lambda p, x: mp.exp(-q(p) * x) / p,
        "surface_exchange": lambda p, x: h * mp.exp(-q(p) * x) / (p * (h + q(p))),
        "slab_source": lambda p, x: (
            (1 - mp.exp(-q(p) * w) * mp.cosh(q(p) * x)) / p if x < w else mp.sinh(q(p) * w) * mp.exp(-q(p) * x) / p
        ),
        "plate_constant_surface": lambda p, x: mp.cosh(q(p) * (length - x)) / (p * mp.cosh(q(p) * length)),
        "plate_surface_exchange": lambda p, x: (
            h * mp.cosh(q(p) * (length - x)) / (p * (h * mp.cosh(q(p) * length) + q(p) * mp.sinh(q(p) * length)))
        ),
        "plate_slab_source": lambda p, x: (
            (1 - mp.sinh(q(p) * (length - w)) / mp.sinh(q(p) * length) * mp.cosh(q(p) * x)) / p
            if x < w
            else mp.sinh(q(p) * w) / mp.sinh(q(p) * length) * mp.cosh(q(p) * (length - x)) / p
        ),
    }
    depths = [mp.mpf(x) for x in DEPTHS]
    return [inverse(lambda p, x=x: transforms[name](p, x), t) for x in depths]


ARGUMENTS = {
    "constant_surface": (D,),
    "surface_exchange": (D, 2e-9),
    "slab_source": (D, 1.3e-4),
    "plate_constant_surface": (D, L),
    "plate_surface_exchange": (D, 2e-9, L),
    "plate_slab_source": (D, 1.3e-4, L),
}


@pytest.mark.parametrize("t", TIMES)
@pytest.mark.parametrize("name", ARGUMENTS)
def test_value_is_that_of_the_laplace_transform(name: str, t: float):
    value = jax.jit(getattr(cf, name))(jnp.asarray(DEPTHS), t, *ARGUMENTS[name])
    np.testing.assert_allclose(value, from_transform(name, t), rtol=0.0, atol=2e-14)


@pytest.mark.slow
@pytest.mark.parametrize("name", ARGUMENTS)
def test_derivatives_in_both_modes(name: str):
    # In units of the sample: the derivatives of all arguments are of the order of one.
    x, t = jnp.asarray([0.1, 0.45, 0.9]), jnp.asarray([0.02, 0.15, 0.4])
    arguments = {2: (1.1, 0.3), 3: (1.1, 2.0, 1.2)}.get(len(ARGUMENTS[name]), (1.1,))
    if name == "plate_slab_source":
        arguments = (1.1, 0.3, 1.2)
    # Series are sums of the functions of the half-space, or of cosines: one order is enough for their bookkeeping.
    order = 1 if name.startswith("plate") else 2
    check_grads(jax.jit(getattr(cf, name)), (x, t, *map(jnp.asarray, arguments)), order, eps=1e-5, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("name", ["plate_constant_surface", "plate_surface_exchange", "plate_slab_source"])
def test_both_series_agree_where_they_meet(name: str):
    switch = 0.03 if name == "plate_surface_exchange" else 0.2
    arguments = {"plate_constant_surface": (1.0,), "plate_surface_exchange": (50.0, 1.0)}.get(name, (0.37, 1.0))
    x = jnp.linspace(0.0, 1.0, 41)
    function = jax.jit(getattr(cf, name))

    @jax.jit
    def rate(t: float) -> jax.Array:
        return jax.jvp(lambda s: function(x, s, 1.0, *arguments), (t,), (1.0,))[1]

    step = 1e-13
    below, above = (function(x, switch + s, 1.0, *arguments) for s in (-step, step))
    np.testing.assert_allclose(above, below, rtol=0.0, atol=3e-12)
    np.testing.assert_allclose(rate(switch + step), rate(switch - step), rtol=0.0, atol=2e-10)


@pytest.mark.parametrize("ratio", [1e-8, 1e-3, 0.1, 1.0, 7.0, 1e3, 1e8])
def test_roots_of_the_plate_with_exchange(ratio: float):
    roots = cf.exchange_roots(jnp.asarray(ratio), 14)
    with mp.workdps(30):
        for n, root in enumerate(np.asarray(roots)):
            low, high = mp.mpf(n) * mp.pi, (mp.mpf(n) + 0.5) * mp.pi
            exact = mp.findroot(
                lambda b: b * mp.sin(b) - mp.mpf(ratio) * mp.cos(b), (low + mp.mpf(10) ** -12, high), solver="anderson"
            )
            assert abs(root / float(exact) - 1.0) < 1e-14
    # d(β tan β)/dβ = tan β + β/cos²β, with tan β = Λ/β.
    exact = lambda r, b: 1.0 / (r / b + b * (1.0 + (r / b) ** 2))  # noqa: E731
    slope = jax.jacrev(lambda r: cf.exchange_roots(r, 14))
    np.testing.assert_allclose(slope(jnp.asarray(ratio)), exact(ratio, roots), rtol=1e-11)
    curvature = jax.jacfwd(slope)(jnp.asarray(ratio))
    by_hand = jax.jvp(exact, (ratio, roots), (1.0, exact(ratio, roots)))[1]
    np.testing.assert_allclose(curvature, by_hand, rtol=1e-9)


def test_scaled_complementary_error_function():
    x = np.concatenate([np.linspace(-2.0, 8.0, 401), np.nextafter(4.0, [0.0, 8.0]), np.logspace(1.0, 12.0, 12)])
    with mp.workdps(40):
        # Beyond 1e3 the asymptotic series, of which the fourth term is below 1e-17.
        def exact(v):
            v = mp.mpf(v)
            if v > 1e3:
                s = 1 / (2 * v * v)
                return (1 - s + 3 * s**2) / (v * mp.sqrt(mp.pi))
            return mp.exp(v * v) * mp.erfc(v)

        values = np.asarray([float(exact(v)) for v in x])
        small = x < 1e3
        slopes = np.asarray([float(2 * mp.mpf(v) * exact(v) - 2 / mp.sqrt(mp.pi)) for v in x[small]])
    np.testing.assert_allclose(erfcx(jnp.asarray(x)), values, rtol=2e-14)
    slope = jax.vmap(jax.grad(erfcx))(jnp.asarray(x[small]))
    np.testing.assert_allclose(slope, slopes, rtol=5e-13)


@pytest.mark.parametrize("width", [0.0, 1e-12, 1e-5, 0.1249, 0.1251, 1.0, 1e6])
def test_drop_of_the_scaled_function_keeps_its_digits(width: float):
    x = np.asarray([0.0, 0.3, 2.0, 3.95, 4.5, 30.0])
    with mp.workdps(60):

        def exact(v):
            return mp.exp(v * v) * mp.erfc(v) if v < 100 else 1 / (v * mp.sqrt(mp.pi)) * (1 - 1 / (2 * v * v))

        drop = [float(exact(mp.mpf(v)) - exact(mp.mpf(v) + mp.mpf(width))) for v in x]
    np.testing.assert_allclose(erfcx_drop(jnp.asarray(x), jnp.full(x.shape, width)), drop, rtol=3e-12)


def test_limits_of_exchange():
    x = jnp.linspace(0.0, 1e-3, 23)
    t = 3600.0
    np.testing.assert_allclose(cf.surface_exchange(x, t, D, 1.0), cf.constant_surface(x, t, D), rtol=0.0, atol=1e-4)
    # A slow exchange lets in k t per area, to first order.
    k = 1e-16
    depth = jnp.linspace(0.0, 40.0 * np.sqrt(D * t), 4001)
    content = jnp.trapezoid(cf.surface_exchange(depth, t, D, k), depth)
    np.testing.assert_allclose(content, k * t, rtol=1e-4)


def test_amounts():
    depth = jnp.linspace(0.0, 40.0, 40001)
    np.testing.assert_allclose(jnp.trapezoid(cf.slab_source(depth, 1.3, 0.7, 2.5), depth), 2.5, rtol=1e-7)
    plate = jnp.linspace(0.0, 3.0, 3001)
    for t in (0.5, 5.0):
        content = jnp.trapezoid(cf.plate_slab_source(plate, t, 0.7, 1.1, 3.0), plate)
        np.testing.assert_allclose(content, 1.1, rtol=1e-7)


def test_couple_with_a_resistive_boundary():
    x = jnp.asarray([-1e-9, 1e-9, 3e-5])
    t, permeability = 3600.0, 1e-8
    couple = jax.jit(lambda at: resistive_couple(at, t, D, permeability))
    slope = jax.jit(jax.vmap(jax.grad(couple)))(x)
    flux = permeability * (couple(x[0]) - couple(x[1]))
    np.testing.assert_allclose(-D * slope[:2], flux, rtol=1e-4)
    # Diffusion equation beside the boundary.
    curvature = jax.jit(jax.grad(jax.grad(couple)))(x[2])
    rate = jax.jit(jax.grad(lambda s: resistive_couple(x[2], s, D, permeability)))(t)
    np.testing.assert_allclose(rate, D * curvature, rtol=1e-9)
    # A boundary without resistance is none: half of erfc.
    free = resistive_couple(x, t, D, 1e6)
    np.testing.assert_allclose(free, 0.5 * cf.constant_surface(x, t, D), rtol=0.0, atol=1e-7)


def test_start_is_the_initial_state_with_finite_derivatives():
    x = jnp.asarray([0.0, 1e-5, 2e-4])
    np.testing.assert_array_equal(cf.constant_surface(x, 0.0, D), [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(cf.surface_exchange(x, 0.0, D, 1e-9), [0.0, 0.0, 0.0])
    np.testing.assert_array_equal(cf.slab_source(x, 0.0, D, 1e-4), [1.0, 1.0, 0.0])
    np.testing.assert_array_equal(cf.plate_slab_source(x, 0.0, D, 1e-4, L), [1.0, 1.0, 0.0])
    for name, arguments in ARGUMENTS.items():
        function = getattr(cf, name)
        jacobian = jax.jit(jax.jacrev(lambda d, f=function, a=arguments: f(x, 0.0, d, *a[1:])))(D)
        assert np.all(np.isfinite(jacobian))


def test_batches_and_precision():
    x = jnp.linspace(0.0, L, 7)
    t = jnp.asarray([1e3, 1e5])
    together = jax.jit(jax.vmap(lambda s: cf.plate_surface_exchange(x, s, D, 2e-9, L)))(t)
    exchange = jax.jit(cf.plate_surface_exchange)
    broadcast = exchange(x, t[:, None], D, 2e-9, L)
    np.testing.assert_allclose(together, broadcast, rtol=1e-14, atol=1e-15)
    single = exchange(x.astype(jnp.float32) / L, jnp.asarray(0.3, jnp.float32), 1.0, 2.0, 1.0)
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, exchange(x / L, 0.3, 1.0, 2.0, 1.0), rtol=0.0, atol=2e-6)

"""Newton's method on a reaction that diffuses: roots and their derivatives, with a scalar given and unknown."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from npp_jax.solver.newton import LinearSystem, newton

CELLS = 9
ROOT = jnp.asarray(1.0 + 0.5 * np.sin(np.arange(CELLS)))
COUPLING = jnp.asarray(0.3)


def spread(y: jax.Array) -> jax.Array:
    """What flows out of each cell to its neighbours; nothing passes the ends."""
    edge = jnp.zeros_like(y[:1])
    return -jnp.diff(jnp.concatenate([edge, jnp.diff(y, axis=0), edge]), axis=0)


def react(y: jax.Array, v: jax.Array) -> jax.Array:
    return v * spread(y) + y**3


SOURCE = react(ROOT, COUPLING)


def residual(source: jax.Array, total: jax.Array):
    """y³ - v y'' = source, and a closure that tells v: Σ y² = total."""

    def value(y: tuple[jax.Array], v: jax.Array, last: jax.Array | None = None) -> tuple[tuple[jax.Array], jax.Array]:
        return (react(y[0], v) - source,), jnp.sum(y[0] ** 2, axis=0) - total

    return value


def blocks(y: tuple[jax.Array], v: jax.Array) -> dict:
    """Derivatives of the residual by the cells."""
    neighbours = jnp.full_like(y[0], 2.0).at[0].add(-1.0).at[-1].add(-1.0)
    off = -v * jnp.ones_like(y[0])
    return {"lower": ((off,),), "diagonal": ((v * neighbours + 3.0 * y[0] ** 2,),), "upper": ((off,),)}


def unlimited(y: tuple, step: tuple) -> tuple:
    return jax.tree.map(jnp.add, y, step)


def size(y: tuple, step: tuple) -> jax.Array:
    return jnp.max(jnp.abs(step[0]), axis=0)


def find(source, total, v, *, linearise=None, prescribed=False, start=None, cap=30, tolerance=1e-13, positive=True):
    start = jnp.ones_like(source) if start is None else start
    return newton(
        residual(source, total),
        linearise,
        unlimited,
        size,
        (start,),
        v,
        prescribed=prescribed,
        cap=jnp.asarray(cap),
        tolerance=tolerance,
        positive=positive,
    )


TOTAL = jnp.sum(ROOT**2)


def test_root_at_a_given_scalar() -> None:
    found = find(SOURCE, TOTAL, COUPLING, prescribed=True)
    np.testing.assert_allclose(found.y[0], ROOT, rtol=1e-13)
    assert float(found.v) == float(COUPLING)
    assert float(found.update) < 1e-12
    assert 3 <= int(found.iterations) <= 10


@pytest.mark.parametrize("written_out", [False, True])
def test_root_with_the_scalar_unknown(written_out: bool) -> None:
    def bordered(y: tuple[jax.Array], v: jax.Array, last: jax.Array) -> LinearSystem:
        rest, closure = residual(SOURCE, TOTAL)(y, v)
        border = {"corner": jnp.zeros_like(v), "row": (2.0 * y[0],), "column": (spread(y[0]),), "response": None}
        return LinearSystem(residual=rest, closure=closure, **blocks(y, v), **border)

    found = find(SOURCE, TOTAL, jnp.asarray(0.5), linearise=bordered if written_out else None)
    np.testing.assert_allclose(found.y[0], ROOT, rtol=1e-12)
    assert float(found.v) == pytest.approx(float(COUPLING), rel=1e-12)
    assert int(found.iterations) <= 10


def test_root_with_the_scalar_one_iteration_behind() -> None:
    """Written out without the border, where the closure hangs on the cells but little: v (1 + Σ y²/100) = U."""

    def value(y: tuple[jax.Array], v: jax.Array, last: jax.Array | None = None) -> tuple[tuple[jax.Array], jax.Array]:
        drop = v * (1.0 + jnp.sum(y[0] ** 2) / 100.0)
        return (react(y[0], v) - SOURCE,), drop - COUPLING * (1.0 + TOTAL / 100.0)

    def linearise(y: tuple[jax.Array], v: jax.Array, last: jax.Array) -> LinearSystem:
        rest, closure = value(y, v)
        corner = 1.0 + jnp.sum(y[0] ** 2) / 100.0
        return LinearSystem(residual=rest, closure=closure, corner=corner, row=None, response=None, **blocks(y, v))

    rules = {"prescribed": False, "cap": jnp.asarray(60), "tolerance": 1e-14}
    found = newton(value, linearise, unlimited, size, (jnp.ones(CELLS),), jnp.asarray(0.5), **rules)
    np.testing.assert_allclose(found.y[0], ROOT, rtol=1e-12)
    assert float(found.v) == pytest.approx(float(COUPLING), rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("prescribed", [True, False])
def test_derivatives_are_those_of_the_root(prescribed: bool) -> None:
    """Forward against differences, reverse against forward."""

    @jax.jit
    def root(source: jax.Array, total: jax.Array, v: jax.Array) -> jax.Array:
        found = find(source, total, v, prescribed=prescribed)
        return jnp.append(found.y[0], found.v)

    direction = (jnp.cos(jnp.arange(CELLS)), jnp.asarray(0.0 if prescribed else 0.7), jnp.asarray(float(prescribed)))
    at = (SOURCE, TOTAL, COUPLING)
    _, forward = jax.jvp(root, at, direction)
    step = 1e-5
    ahead, behind = (root(*(a + s * step * d for a, d in zip(at, direction, strict=True))) for s in (1.0, -1.0))
    np.testing.assert_allclose(forward, (ahead - behind) / (2.0 * step), rtol=1e-6, atol=1e-8)
    weights = jnp.linspace(0.5, 1.5, CELLS + 1)
    back = jax.vjp(root, *at)[1](weights)
    reverse = sum(jnp.vdot(b, d) for b, d in zip(back, direction, strict=True))
    assert float(reverse) == pytest.approx(float(weights @ forward), rel=1e-11)


def test_a_member_that_has_converged_is_left_alone() -> None:
    source = jnp.stack([SOURCE, SOURCE], axis=1)
    start = jnp.stack([ROOT, 3.0 * ROOT], axis=1)
    found = find(source, jnp.stack([TOTAL] * 2), jnp.full(2, COUPLING), prescribed=True, start=start, tolerance=1e-9)
    np.testing.assert_allclose(found.y[0][:, 1], ROOT, rtol=1e-12)
    assert int(found.iterations[0]) < int(found.iterations[1])


def test_a_positive_scalar_at_most_doubles_in_an_iteration() -> None:
    """Far from its root, and with all iterations but the last one taken away."""
    source, total = react(ROOT, jnp.asarray(50.0)), TOTAL
    held = find(source, total, jnp.asarray(0.5), cap=0, positive=True)
    free = find(source, total, jnp.asarray(0.5), cap=0, positive=False)
    assert int(held.iterations) == int(free.iterations) == 1
    assert 0.25 <= float(held.v) <= 1.0
    assert not 0.25 <= float(free.v) <= 1.0


def test_derivatives_left_out_far_from_the_solution_change_the_way_and_not_the_root() -> None:
    """An iteration that first holds one factor of y³ ends at the same root; the derivative is that of all of y³."""
    seen = []

    def value(y, v, last=None):
        factor = y[0]
        if last is not None:
            jax.debug.callback(lambda size: seen.append(float(size)), last)
            held = jax.lax.stop_gradient(factor)
            factor = held + jnp.where(last < 0.1, 1.0, 0.0) * (factor - held)
        return (factor * y[0] ** 2 - SOURCE,), jnp.zeros_like(v)

    def root(source):
        def shifted(y, v, last=None):
            (rest,), closure = value(y, v, last)
            return (rest + SOURCE - source,), closure

        rules = {"prescribed": True, "cap": jnp.asarray(200), "tolerance": 1e-14}
        return newton(shifted, None, unlimited, size, (jnp.ones(CELLS),), jnp.asarray(1.0), **rules).y[0]

    source = jnp.abs(SOURCE) + 0.5
    np.testing.assert_allclose(root(source), source ** (1.0 / 3.0), rtol=1e-12)
    assert max(seen) == np.inf and min(seen) < 0.1
    slope = jax.jvp(root, (source,), (jnp.ones_like(source),))[1]
    np.testing.assert_allclose(slope, source ** (-2.0 / 3.0) / 3.0, rtol=1e-10)


def test_what_limits_cut_off_is_no_convergence() -> None:
    def stuck(y, step):
        return jax.tree.map(lambda a, d: jnp.minimum(a + d, 0.5), y, step)

    found = newton(
        lambda y, v, last=None: ((y[0] - 2.0,), jnp.zeros_like(v)), None, stuck, size, (jnp.zeros(CELLS),),
        jnp.asarray(1.0), prescribed=True, cap=jnp.asarray(20), tolerance=1e-12,
    )  # fmt: skip
    assert float(found.update) == pytest.approx(1.5)


def test_what_is_no_number_ends_the_iteration() -> None:
    """It would not come back, and a batch would wait for it."""
    both = jnp.stack([SOURCE, SOURCE.at[0].set(jnp.nan)], axis=1)
    coupling = jnp.stack([COUPLING, COUPLING])
    found = find(both, TOTAL, coupling, prescribed=True, cap=1000)
    assert float(found.iterations[1]) < 20.0
    np.testing.assert_allclose(found.y[0][:, 0], ROOT, rtol=1e-12)
    assert bool(jnp.all(jnp.isnan(found.y[0][:, 1])))

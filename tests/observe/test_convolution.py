"""Profiles of cells seen through a response: against quadrature, in limits, and the cheap path beside the exact one."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy import special

from npp_jax.observe import (
    AbstractResponse,
    DowsettResponse,
    GaussianResponse,
    MRIResponse,
    NoResponse,
    average,
    broadest,
    convolve,
    differs_by_ion,
    sample_response,
)

RESPONSE = DowsettResponse(1.0, 3.0, 2.0)
seen = eqx.filter_jit(convolve)


def front(cells: int = 60, at: float = 40.3, width: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """A native profile with a ramp and a front, and the foreign one beside it, on cells clustered at the front."""
    s = np.linspace(-1.0, 1.0, cells + 1)
    faces = at * (1.0 + np.sinh(4.0 * s) / np.sinh(4.0))
    middle = 0.5 * (faces[1:] + faces[:-1])
    native = 0.1 + 0.2 * (middle / at) * (middle < at) + 0.9 / (1.0 + np.exp(-(middle - at) / width)) * (middle >= at)
    native = np.minimum(native, 1.0)
    return faces, np.stack([native, 1.0 - native])


@pytest.mark.parametrize(
    "response", [RESPONSE, MRIResponse(2.0, 1.0, 0.5), GaussianResponse(3.0)], ids=lambda r: type(r).__name__
)
def test_exact_operator_against_quadrature(response: AbstractResponse):
    faces, values = front(12)
    depth = np.array([0.0, 1.0, 20.0, 39.0, 41.0, 75.0, 120.0])
    signal = seen(response, faces=jnp.asarray(faces), values=jnp.asarray(values), depth=jnp.asarray(depth))
    assert signal.shape == (2, depth.size)
    # Gauss-Legendre points in each cell, with the half space behind the last face as one more, wide cell.
    edges = np.append(faces, [faces[-1] + 40.0, faces[-1] + 200.0])
    cells = np.concatenate([values, values[:, -1:], values[:, -1:]], axis=1)
    x, w = np.polynomial.legendre.leggauss(200)
    points = 0.5 * (edges[1:, None] + edges[:-1, None]) + 0.5 * np.diff(edges)[:, None] * x
    h = eqx.filter_jit(response.density)(jnp.asarray(depth[:, None, None] - points))
    weights = 0.5 * np.diff(edges) * np.sum(np.asarray(h) * w, axis=-1)
    np.testing.assert_allclose(signal, cells @ weights.T, rtol=1e-9, atol=1e-12)


def test_cells_may_be_cut_without_effect():
    faces, values = front()
    depth = jnp.linspace(0.0, 100.0, 41)
    finer = np.sort(np.concatenate([faces, 0.3 * faces[1:] + 0.7 * faces[:-1]]))
    whole = seen(RESPONSE, jnp.asarray(faces), jnp.asarray(values), depth)
    cut = seen(RESPONSE, jnp.asarray(finer), jnp.asarray(np.repeat(values, 2, axis=1)), depth)
    np.testing.assert_allclose(whole, cut, atol=1e-14)


def test_the_bulk_goes_on_and_nothing_lies_before_the_surface():
    faces = jnp.asarray([0.0, 10.0, 20.0])
    depth = jnp.asarray([-500.0, 0.0, 10.0, 500.0])
    signal = seen(RESPONSE, faces, jnp.ones((1, 2)), depth)[0]
    # A half space: the cumulative function itself.
    np.testing.assert_allclose(signal, RESPONSE.cdf(depth), atol=1e-15)
    assert float(signal[0]) < 1e-100
    assert float(signal[3]) == 1.0


def test_weights_are_positive_also_in_far_tails():
    faces, _ = front()
    weights = seen(RESPONSE, jnp.asarray(faces), jnp.eye(60), jnp.linspace(0.0, 150.0, 151))
    assert bool(jnp.all(weights >= 0.0))
    # A cell of 1 pm width, 60 nm behind and 20 nm before the point: relative accuracy where F itself has none.
    narrow = jnp.asarray([0.0, 1e-3, 2e-3])
    density = eqx.filter_jit(RESPONSE.density)
    for z in (60.0, -20.0):
        weight = seen(RESPONSE, narrow, jnp.eye(2), jnp.asarray([z]))[0, 0]
        # The density changes by less than 1e-3 of itself over the cell: the midpoint rule is exact to 1e-7.
        area = 1e-3 * float(density(jnp.asarray(z - 5e-4)))
        assert float(weight) == pytest.approx(area, rel=1e-7)


def test_perfect_resolution_returns_the_cells():
    faces, values = front()
    middle = 0.5 * (faces[1:] + faces[:-1])
    exact = seen(NoResponse(), jnp.asarray(faces), jnp.asarray(values), jnp.asarray(middle))
    np.testing.assert_array_equal(exact, values)
    on_face = seen(NoResponse(), jnp.asarray(faces), jnp.asarray(values), jnp.asarray(faces[1:-1]))
    np.testing.assert_allclose(on_face, 0.5 * (values[:, 1:] + values[:, :-1]), rtol=1e-15)
    narrow = seen(DowsettResponse(0.0, 0.0, 0.0), jnp.asarray(faces), jnp.asarray(values), jnp.asarray(middle))
    np.testing.assert_allclose(narrow, values, atol=1e-14)


def test_slopes_are_cells_cut_finely():
    faces, values = front(15)
    slopes = np.random.default_rng(5).normal(size=values.shape) * 0.3 * values / np.diff(faces)
    depth = np.array([0.0, 3.0, 39.0, 42.0, 70.0, 150.0])
    parts = np.linspace(0.0, 1.0, 401)
    finer = np.append((faces[:-1, None] + np.diff(faces)[:, None] * parts[:-1]).ravel(), faces[-1])
    middle = 0.5 * (finer[1:] + finer[:-1]).reshape(len(faces) - 1, -1)
    slopes[:, -1] = 0.0
    tilted = values[..., None] + slopes[..., None] * (middle - 0.5 * (faces[1:] + faces[:-1])[:, None])
    cells = jnp.asarray(tilted.reshape(2, -1))
    for response in (RESPONSE, MRIResponse(2.0, 1.0, 0.5), GaussianResponse(3.0)):
        whole = seen(response, jnp.asarray(faces), jnp.asarray(values), jnp.asarray(depth), jnp.asarray(slopes))
        cut = seen(response, jnp.asarray(finer), cells, jnp.asarray(depth))
        np.testing.assert_allclose(whole, cut, atol=2e-6)
    edges = jnp.asarray([0.0, 3.3, 38.0, 41.0, 60.0, 170.0])
    averages = average(edges, jnp.asarray(faces), jnp.asarray(values), jnp.asarray(slopes))
    np.testing.assert_allclose(averages, average(edges, jnp.asarray(finer), cells), atol=2e-5)


def test_a_point_at_the_surface_sees_the_first_cell():
    faces = jnp.asarray([0.0, 10.0, 20.0])
    sampled = sample_response(NoResponse(), [0.0, 2.0, 4.0])
    for signal in (seen(NoResponse(), faces, jnp.ones((1, 2)), jnp.asarray([0.0])), sampled(faces, jnp.ones((1, 2)))):
        np.testing.assert_allclose(signal, 1.0, rtol=1e-15)


def test_gradient_in_every_input():
    faces, values = front(20)
    depth = jnp.linspace(1.0, 80.0, 12)
    direction = np.random.default_rng(3).normal(size=(2, 12))

    def value(inputs: dict[str, jax.Array]) -> jax.Array:
        response = DowsettResponse(*inputs["widths"])
        return jnp.sum(direction * convolve(response, inputs["faces"], inputs["values"], inputs["depth"]))

    inputs = {
        "widths": jnp.asarray([1.0, 3.0, 2.0]),
        "faces": jnp.asarray(faces),
        "values": jnp.asarray(values),
        "depth": depth,
    }
    reverse, forward = jax.jit(jax.jacrev(value))(inputs), jax.jit(jax.jacfwd(value))(inputs)
    flat, unravel = ravel_pytree(inputs)
    steps = 1e-5 * jnp.eye(flat.size)
    many = jax.jit(jax.vmap(lambda x: value(unravel(x))))
    difference = unravel((many(flat + steps) - many(flat - steps)) / 2e-5)
    for name in inputs:
        np.testing.assert_allclose(reverse[name], forward[name], rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(reverse[name], difference[name], rtol=1e-6, atol=1e-9)


def test_batch_equals_loop_in_both_paths():
    profiles = [front(at=at) for at in (20.0, 35.0, 60.0)]
    faces, values = (jnp.asarray(np.stack(parts)) for parts in zip(*profiles, strict=True))
    depth = jnp.linspace(0.5, 90.0, 50)
    sampled = sample_response(RESPONSE, depth)
    for path in (lambda x, v: convolve(RESPONSE, x, v, depth), sampled):
        batch, single = eqx.filter_jit(eqx.filter_vmap(path)), eqx.filter_jit(path)
        batch = batch(faces, values)
        loop = jnp.stack([single(x, v) for x, v in zip(faces, values, strict=True)])
        np.testing.assert_allclose(batch, loop, atol=2e-15)


def test_averages_conserve_the_integral():
    faces, values = front()
    edges = np.array([-3.0, 0.0, 0.7, 12.0, 40.0, 40.2, 81.0, 95.0])
    means = np.asarray(average(jnp.asarray(edges), jnp.asarray(faces), jnp.asarray(values)))
    below = np.concatenate([np.zeros((2, 1)), np.cumsum(values * np.diff(faces), axis=1)], axis=1)
    integral = np.stack(
        [
            np.interp(edges, faces, row) + last * np.maximum(edges - faces[-1], 0.0)
            for row, last in zip(below, values[:, -1], strict=True)
        ]
    )
    np.testing.assert_allclose(means * np.diff(edges), np.diff(integral, axis=1), atol=1e-13)
    np.testing.assert_array_equal(means[:, 0], 0.0)
    np.testing.assert_allclose(means[:, -1], values[:, -1], rtol=1e-13)


def test_cheap_path_is_exact_for_its_own_intervals():
    depth = np.linspace(4.0, 60.0, 29)
    sampled = sample_response(RESPONSE, depth)
    values = np.random.default_rng(5).uniform(size=(2, sampled.edges.size - 1))
    # Within an interval the averages of its neighbours tell the slope.
    middle = 0.5 * np.asarray(sampled.edges[1:] + sampled.edges[:-1])
    slopes = jnp.asarray(np.gradient(values, middle, axis=1))
    exact = convolve(RESPONSE, sampled.edges, jnp.asarray(values), jnp.asarray(depth), slopes)
    np.testing.assert_allclose(sampled(sampled.edges, jnp.asarray(values)), exact, atol=1e-12)
    assert float(sampled.edges[0]) == 0.0
    assert float(sampled.edges[-1]) > 61.0


def test_cheap_path_converges_with_second_order():
    # A sharp step: the worst case. Its place within an interval is averaged over by taking many.
    depth = jnp.linspace(0.5, 80.0, 160)
    step = jnp.asarray([[0.1, 1.0]])
    faces = jnp.stack([jnp.asarray([0.0, at, 200.0]) for at in np.linspace(40.0, 40.5, 11)])
    slope = float(jnp.max(jnp.abs(jax.jit(jax.vmap(jax.grad(RESPONSE.density)))(jnp.linspace(-10.0, 10.0, 201)))))
    errors = []
    for refine in (1, 2, 4):
        sampled = sample_response(RESPONSE, depth, refine=refine)
        both = jax.jit(jax.vmap(lambda x, sampled=sampled: (sampled(x, step), convolve(RESPONSE, x, step, depth))))
        cheap, exact = both(faces)
        worst = float(jnp.max(jnp.abs(cheap - exact)))
        errors.append(worst)
        width = 0.5 / refine
        assert worst < 0.9 * width**2 / 8.0 * slope * 1.01
    rates = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(rates, 2.0, atol=0.15)


@pytest.mark.parametrize("width", [0.6, 1.5, 6.0])
def test_cheap_path_of_a_front_wider_than_its_intervals(width: float):
    """Points 2 nm apart in four parts each; without slopes the narrow one is off by 1e-3."""
    depth, fine = np.arange(20.0, 90.0, 2.0), np.linspace(10.0, 100.0, 9001)
    sampled = sample_response(GaussianResponse(2.0), depth, refine=4)
    x = np.concatenate([[0.0], fine, [200.0]])
    for at in (50.0, 50.3, 51.1):
        middle = 0.5 * (x[1:] + x[:-1])
        values = jnp.asarray(0.15 + 0.85 * special.ndtr((middle - at) / width)[None])
        cheap = sampled(jnp.asarray(x), values)
        exact = 0.15 + 0.85 * special.ndtr((depth - at) / np.hypot(2.0, width))
        np.testing.assert_allclose(cheap[0], exact, atol=5e-5)


def test_cheap_path_of_a_simulated_front():
    depth = np.linspace(1.0, 100.0, 100)
    sampled = sample_response(RESPONSE, depth)
    for at in (30.0, 47.3, 62.8):
        faces, values = (jnp.asarray(part) for part in front(110, at))
        exact = seen(RESPONSE, faces, values, jnp.asarray(depth))
        assert float(jnp.max(jnp.abs(sampled(faces, values) - exact))) < 1e-3


def test_gradient_of_the_cheap_path():
    faces, values = (jnp.asarray(part) for part in front(20))
    sampled = sample_response(RESPONSE, np.linspace(1.0, 80.0, 40))
    direction = np.random.default_rng(3).normal(size=(2, 40))
    value = jax.jit(lambda x, v: jnp.sum(direction * sampled(x, v)))
    gradient = jax.jit(jax.grad(value, argnums=(0, 1)))(faces, values)
    steps = 1e-6 * jnp.eye(faces.size)
    many = jax.jit(jax.vmap(lambda x: value(x, values)))
    difference = (many(faces + steps) - many(faces - steps)) / 2e-6
    np.testing.assert_allclose(gradient[0], difference, rtol=1e-5, atol=1e-8)
    # The signal is linear in the values.
    assert float(jnp.sum(gradient[1] * values)) == pytest.approx(float(value(faces, values)), rel=1e-12)


def test_single_precision():
    faces, values = front(110)
    depth = np.linspace(1.0, 100.0, 100)
    single = [jnp.asarray(part, jnp.float32) for part in (faces, values, depth)]
    exact = seen(RESPONSE, jnp.asarray(faces), jnp.asarray(values), jnp.asarray(depth))
    direct = seen(RESPONSE, *single)
    assert direct.dtype == jnp.float32
    np.testing.assert_allclose(direct, exact, atol=3e-6)
    sampled = sample_response(RESPONSE, depth)
    narrow = sample_response(RESPONSE, depth.astype(np.float32))
    assert narrow.matrix.dtype == narrow.edges.dtype == jnp.float32
    cheap = narrow(*single[:2])
    assert cheap.dtype == jnp.float32
    np.testing.assert_allclose(cheap, sampled(jnp.asarray(faces), jnp.asarray(values)), atol=3e-5)


@pytest.mark.parametrize("surface", [0.0, 5.0])
def test_cheap_path_at_irregular_depths(surface: float):
    rng = np.random.default_rng(7)
    depth = 8.0 + np.cumsum(rng.uniform(0.2, 1.2, 80))
    faces, values = (jnp.asarray(part) for part in front())
    faces = faces + surface
    sampled = sample_response(RESPONSE, depth, surface=surface, refine=3)
    assert float(sampled.edges[0]) == surface
    assert bool(jnp.all(jnp.diff(sampled.edges) > 0.0))
    exact = seen(RESPONSE, faces, values, jnp.asarray(depth))
    np.testing.assert_allclose(sampled(faces, values), exact, atol=1e-3)


@pytest.mark.parametrize("depth", [[3.0], [1.0, 1.0, 2.0], [2.0, 1.0], [-3.0, -2.0], [[1.0, 2.0]], [1.0, np.nan]])
def test_wrong_depths_are_refused(depth: list):
    with pytest.raises(ValueError, match="at least two increasing depths"):
        sample_response(RESPONSE, depth)


def test_a_wrong_refinement_is_refused():
    with pytest.raises(ValueError, match="refine = 0"):
        sample_response(RESPONSE, [1.0, 2.0], refine=0)


@pytest.mark.parametrize(
    ("response", "bound"),
    [(RESPONSE, 3e-4), (GaussianResponse(0.8), 3e-4), (MRIResponse(2.0, 1.0, 0.5), 6e-4),
     (DowsettResponse(0.2, 9.0, 0.3), 1e-3)],
    ids=["dowsett", "gaussian", "mri", "sharp"],
)  # fmt: skip
def test_points_that_the_response_does_not_resolve_cost_no_matrix_of_their_own(
    response: AbstractResponse, bound: float
):
    depth = np.linspace(0.25, 90.0, 20_000)
    sampled = sample_response(response, depth, refine=4)
    assert sampled.position is not None and sampled.matrix.size < 1e7
    faces, values = (jnp.asarray(part) for part in front())
    looked = slice(3, None, 37)
    exact = seen(response, faces, values, jnp.asarray(depth[looked]))
    np.testing.assert_allclose(sampled(faces, values)[:, looked], exact, atol=bound)
    interval = np.gradient(depth)
    averaged = sample_response(response, depth, interval=interval)(faces, values)[:, looked]
    np.testing.assert_allclose(averaged, exact, atol=bound)


def test_points_next_to_each_other_at_an_end_are_no_measure_of_the_intervals():
    depth = np.concatenate([[10.0, 10.0 + 1e-9], np.arange(11.0, 90.0), [90.0, 90.0 + 1e-9]])
    sampled = sample_response(RESPONSE, depth)
    assert sampled.edges.size < 5000
    faces, values = (jnp.asarray(part) for part in front())
    np.testing.assert_allclose(sampled(faces, values), seen(RESPONSE, faces, values, jnp.asarray(depth)), atol=3e-4)


def test_each_ion_is_seen_by_its_own_widths():
    faces, values = (jnp.asarray(part) for part in front())
    depth = jnp.asarray([0.0, 12.0, 38.0, 41.0, 60.0])
    slopes = jnp.asarray(np.random.default_rng(2).normal(size=values.shape) * 1e-3)
    response = DowsettResponse(1.0, [2.0, 4.0], [0.5, 3.0])
    assert differs_by_ion(response) and not differs_by_ion(RESPONSE)
    for inclined in (None, slopes):
        found = seen(response, faces, values, depth, inclined)
        for k, own in enumerate((DowsettResponse(1.0, 2.0, 0.5), DowsettResponse(1.0, 4.0, 3.0))):
            np.testing.assert_allclose(found[k], seen(own, faces, values, depth, inclined)[k], rtol=1e-12, atol=1e-15)
    assert broadest(response) == pytest.approx(np.sqrt(1.0 + 16.0 + 9.0))
    with pytest.raises(ValueError, match="widths of 3 species, the profile has 2"):
        convolve(GaussianResponse([1.0, 2.0, 3.0]), faces, values, depth)

    def value(sigma: jax.Array) -> jax.Array:
        return jnp.sum(jnp.asarray([[1.0], [2.0]]) * convolve(GaussianResponse(sigma), faces, values, depth) ** 2)

    sigma = jnp.asarray([1.5, 3.0])
    reverse, forward = jax.jit(jax.jacrev(value))(sigma), jax.jit(jax.jacfwd(value))(sigma)
    steps = 1e-5 * jnp.eye(2)
    difference = jax.jit(jax.vmap(lambda step: (value(sigma + step) - value(sigma - step)) / 2e-5))(steps)
    np.testing.assert_allclose(reverse, forward, rtol=1e-12)
    np.testing.assert_allclose(reverse, difference, rtol=1e-6)

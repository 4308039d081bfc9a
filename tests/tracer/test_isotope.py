"""Isotope fractions from counts: errors against the scatter of drawn counts, sums along lines."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from npp_jax.tracer.isotope import isotope_fraction, line_scan


@pytest.mark.parametrize("fraction", [0.0759, 0.5, 0.95])
@pytest.mark.parametrize(("background", "bias"), [((0.0, 0.0), 1.0), ((3.0, 8.0), 1.0), ((3.0, 8.0), 1.3)])
def test_error_is_the_scatter_of_many_measurements(fraction: float, background, bias: float, key: jax.Array):
    draws, expected = 40000, 4000.0
    keys = jax.random.split(key, 2)
    # The sensitivity for the light isotope is `bias` times the other one.
    mean = jnp.asarray([fraction * bias, 1.0 - fraction]) * expected + jnp.asarray(background)
    first, second = (jax.random.poisson(k, m, (draws,)) for k, m in zip(keys, mean, strict=True))
    measured = isotope_fraction(first, second, background=background, mass_bias=bias)
    np.testing.assert_allclose(
        jnp.mean(measured.value), fraction, atol=4.0 * float(jnp.std(measured.value)) / 200 + 2e-4
    )
    pull = (measured.value - fraction) / measured.error
    np.testing.assert_allclose(jnp.std(pull), 1.0, atol=0.03)
    np.testing.assert_allclose(jnp.mean(measured.error), jnp.std(measured.value), rtol=0.02)


def test_error_without_background_is_binomial():
    measured = isotope_fraction(jnp.asarray(30_000), jnp.asarray(70_000))
    np.testing.assert_allclose(measured.value, 0.3, rtol=1e-14)
    np.testing.assert_allclose(measured.error, np.sqrt(0.3 * 0.7 / 1e5), rtol=1e-4)


def test_few_counts_are_never_certain():
    measured = isotope_fraction(jnp.asarray([0, 0, 1, 5]), jnp.asarray([0, 3, 0, 0]))
    np.testing.assert_allclose(measured.value, [0.5, 0.0, 1.0, 1.0])
    np.testing.assert_allclose(measured.error[0], 0.5)
    assert np.all(measured.error[1:] > 0.1)
    # The spread of the Jeffreys posterior of a proportion, Beta(½, n + ½), for comparison.
    n = 50
    posterior = np.sqrt(0.5 * (n + 0.5) / ((n + 1.0) ** 2 * (n + 2.0)))
    np.testing.assert_allclose(isotope_fraction(0, n).error, posterior, rtol=0.03)


def gradient_map(shape: tuple[int, int], pixel: float, direction: tuple[float, float]) -> np.ndarray:
    row, column = np.indices(shape) * pixel
    return 0.2 + 400.0 * (row * direction[0] + column * direction[1])


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 2, 2.0])
def test_line_scan_measures_a_gradient_along_its_own_direction(angle: float):
    pixel, direction = 1e-6, (np.sin(angle), np.cos(angle))
    fraction = gradient_map((160, 160), pixel, direction)
    counts = 1e6 * fraction, 1e6 * (1.0 - fraction)
    centre, reach = np.asarray([80e-6, 80e-6]), 60e-6 * np.asarray(direction)
    start, end = tuple(centre - reach), tuple(centre + reach)
    scan = line_scan(*counts, start, end, pixel_size=pixel, width=11e-6, interval=6e-6)
    slope, offset = np.polyfit(scan.position, scan.fraction.value, 1)
    assert scan.position.shape == (20,)
    np.testing.assert_allclose(slope, 400.0, rtol=1e-6)
    np.testing.assert_allclose(offset, 0.2 + 400.0 * float(np.dot(start, direction)), rtol=1e-6)


def test_line_scan_adds_counts_and_scales_its_background(rng: np.random.Generator):
    counts = rng.poisson(20.0, (40, 60)), rng.poisson(30.0, (40, 60))
    pixel = 1e-6
    scan = line_scan(
        *counts, (20e-6, 0.0), (20e-6, 59e-6), pixel_size=pixel, width=4.5e-6, interval=10e-6, background=(2.0, 3.0)
    )
    band = [c[18:23, :10].sum() for c in counts]
    np.testing.assert_allclose(scan.counts[0], sum(band))
    net = band[0] - 50 * 2.0, band[1] - 50 * 3.0
    np.testing.assert_allclose(scan.fraction.value[0], net[0] / sum(net), rtol=1e-12)
    np.testing.assert_allclose(jnp.sum(scan.counts), sum(c[18:23].sum() for c in counts))
    with pytest.raises(ValueError, match="different ends"):
        line_scan(*counts, (0.0, 0.0), (0.0, 0.0), pixel_size=pixel, width=pixel, interval=pixel)

"""Evolution of exchange profiles: regression vectors, an independent cosine series, closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special

from npp_jax.tracer import closed_forms as cf
from npp_jax.tracer.evolution import (
    evolve_closed,
    evolve_exchange_profile,
    evolve_measured_profile,
    exchange_profile,
    faces_with_origin,
)

HOUR, WEEK = 3600.0, 7 * 86400.0
AT = np.asarray([-1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0]) * 1e-3

REGRESSION = {
    "2 weeks at 22 °C": (
        110 * HOUR * 8.0e-13,
        2 * WEEK * 3.0e-13,
        [0.9129, 0.8674, 0.7367, 0.5470, 0.3475, 0.0838, 0.0100, 0.0006],
    ),
    "6 weeks at 22 °C": (
        110 * HOUR * 8.0e-13,
        6 * WEEK * 3.0e-13,
        [0.7086, 0.6836, 0.6136, 0.5119, 0.3961, 0.1878, 0.0644, 0.0158],
    ),
    "3.8 h at 200 °C": (
        63 * HOUR * 8.0e-13,
        3.8 * HOUR * 6.6e-11,
        [0.7129, 0.6821, 0.5973, 0.4776, 0.3476, 0.1370, 0.0356, 0.0060],
    ),
}
"""Exchange area [m²], area of the evolution [m²], normalised fractions at `AT`; Hasegawa et al. 2024, Fig. 4."""

evolve = jax.jit(evolve_exchange_profile, static_argnames=("left", "right", "cells", "steps"))


def cosine_series(at: np.ndarray, exchange: float, area: float, left: float = -1e-3, right: float = 6e-3) -> np.ndarray:
    """The same evolution without a mesh: modes of the closed sample, coefficients by adaptive quadrature."""
    length = right - left
    total = np.zeros_like(at)
    for n in range(60):
        wave = n * np.pi / length
        start = -left if n == 0 else np.sin(wave * -left) / wave
        shape = lambda x, w=wave: special.erfc(x / (2.0 * np.sqrt(exchange))) * np.cos(w * (x - left))  # noqa: E731
        tail, _ = integrate.quad(shape, 0.0, right, epsabs=1e-14, epsrel=1e-11, limit=400)
        weight = (1.0 if n == 0 else 2.0) / length
        total += weight * (start + tail) * np.cos(wave * (at - left)) * np.exp(-(wave**2) * area)
    return total


@pytest.mark.parametrize("name", REGRESSION)
def test_regression_vectors(name: str):
    exchange, area, expected = REGRESSION[name]
    fraction = evolve(jnp.asarray(AT), exchange, jnp.asarray([area]))[0]
    np.testing.assert_allclose(fraction, expected, rtol=0.0, atol=1e-3)
    series = cosine_series(AT, exchange, area)
    np.testing.assert_allclose(series, expected, rtol=0.0, atol=1e-3)
    np.testing.assert_allclose(fraction, series, rtol=0.0, atol=1e-4)


def test_evolution_is_of_second_order():
    exchange, area, _ = REGRESSION["2 weeks at 22 °C"]
    series = cosine_series(AT, exchange, area)
    errors = [
        np.max(
            np.abs(evolve(jnp.asarray(AT), exchange, jnp.asarray([area]), cells=cells, steps=cells // 4)[0] - series)
        )
        for cells in (70, 140, 280)
    ]
    assert np.all(np.log2(np.asarray(errors[:-1]) / errors[1:]) > 1.8)


def test_outputs_on_the_way_do_not_matter():
    exchange, area, _ = REGRESSION["6 weeks at 22 °C"]
    several = evolve(jnp.asarray(AT), exchange, jnp.asarray([0.2, 0.5, 1.0]) * area)
    np.testing.assert_allclose(several[-1], evolve(jnp.asarray(AT), exchange, jnp.asarray([area]))[0], atol=1e-4)


def test_far_end_does_not_matter():
    exchange, area, _ = REGRESSION["6 weeks at 22 °C"]
    short = evolve(jnp.asarray(AT), exchange, jnp.asarray([area]))
    long = evolve(jnp.asarray(AT), exchange, jnp.asarray([area]), right=9e-3, cells=400)
    np.testing.assert_allclose(short, long, atol=3e-4)


def test_amount_is_kept():
    faces = jnp.asarray(faces_with_origin(-1e-3, 6e-3, 280))
    start = jnp.where(0.5 * (faces[1:] + faces[:-1]) < 0.0, 1.0, 0.1)
    fractions = evolve_closed(faces, start, jnp.asarray([1e-7, 1e-6, 1e-3]))
    width = jnp.diff(faces)
    np.testing.assert_allclose(fractions @ width, jnp.full(3, start @ width), rtol=1e-12)
    np.testing.assert_allclose(fractions[-1], start @ width / 7e-3, rtol=1e-9)


@pytest.mark.slow
def test_measured_start_evolves_like_the_slab_that_it_is():
    # The evolution of a slab to an area A, seen as a measurement, goes on as the slab to a larger area.
    length, width, first, more = 5e-3, 1.2e-3, 1e-7, 3e-7
    position = jnp.linspace(0.0, length, 200)
    measured = cf.plate_slab_source(position, first, 1.0, width, length)
    at = jnp.asarray([0.0, 1e-3, 1.5e-3, 3e-3, 5e-3])
    fraction = evolve_measured_profile(at, position, measured, jnp.asarray([more]), left=0.0, right=length)
    np.testing.assert_allclose(fraction[0], cf.plate_slab_source(at, first + more, 1.0, width, length), atol=2e-4)


def test_exchange_profile_is_full_below_the_liquid():
    profile = exchange_profile(jnp.asarray([-1e-3, -1e-9, 0.0, 1.13e-3]), 110 * HOUR * 8.0e-13)
    np.testing.assert_allclose(profile, [1.0, 1.0, 1.0, special.erfc(1.13e-3 / (2 * np.sqrt(110 * HOUR * 8e-13)))])


def test_faces_have_the_origin_among_them():
    faces = faces_with_origin(-1e-3, 6e-3, 280)
    assert len(faces) == 281
    assert 0.0 in faces
    np.testing.assert_allclose(np.diff(faces), 25e-6, rtol=1e-9)
    np.testing.assert_allclose(faces_with_origin(1e-3, 2e-3, 2), [1e-3, 1.5e-3, 2e-3])
    with pytest.raises(ValueError, match="must lie before"):
        faces_with_origin(1.0, 0.0, 10)

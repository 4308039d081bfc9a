"""Points below a limit of detection: probability, deviance, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from npp_jax.observe import DepthProfile, GaussianLikelihood, below_limits, detection_limits

DEPTH = np.arange(1.0, 7.0)
SIGMA = 0.01


def limited() -> DepthProfile:
    """Two points are seen, four are below a limit of 0.02."""
    measured = np.array([[0.5, 0.1, 0.018, -0.004, 0.002, 0.02]])
    return below_limits(DepthProfile(DEPTH, ["K"], measured, SIGMA), {"K": 0.02})


def test_half_the_squares_are_the_loss_of_log_likelihood():
    profile, law = limited(), GaussianLikelihood()
    assert np.asarray(profile.censored)[0].tolist() == [0, 0, 1, 1, 1, 1]
    assert np.asarray(profile.fraction)[0, 2:] == pytest.approx(np.full(4, 0.02))
    predicted = jnp.asarray([[0.49, 0.12, 0.0, 0.03, 0.06, 0.02]])
    r = np.asarray(law.residuals(predicted, profile))[0]
    assert r[:2] == pytest.approx([-1.0, 2.0])
    # Twice the logarithm of the normal distribution, by another library.
    expected = np.sqrt(-2.0 * stats.norm.logcdf((0.02 - np.asarray(predicted)[0, 2:]) / SIGMA))
    assert r[2:] == pytest.approx(expected)
    seen = stats.norm.logpdf([0.5, 0.1], [0.49, 0.12], SIGMA).sum()
    assert float(law.log_likelihood(predicted, profile)) == pytest.approx(seen - 0.5 * np.sum(expected**2))


def test_far_from_the_limit_nothing_breaks():
    profile, law = limited(), GaussianLikelihood()

    def chi2(level: jax.Array) -> jax.Array:
        return jnp.sum(law.residuals(jnp.full((1, 6), 0.1).at[0, 2:].set(level), profile)[0, 2:] ** 2)

    for level, expected in ((-10.0, 0.0), (10.0, 4 * (9.98 / SIGMA) ** 2)):
        assert float(chi2(jnp.asarray(level))) == pytest.approx(expected, rel=1e-4)
        assert np.isfinite(float(jax.grad(chi2)(jnp.asarray(level))))
    near = jnp.asarray(0.021)
    numerical = (float(chi2(near + 1e-6)) - float(chi2(near - 1e-6))) / 2e-6
    assert float(jax.grad(chi2)(near)) == pytest.approx(numerical, rel=1e-6)


@pytest.mark.parametrize(
    ("limits", "told"),
    [({"Na": 0.1}, "limit of detection of Na: the profile has K"), ({"K": 0.0}, "K = 0: it must be positive")],
)
def test_limits_that_cannot_be(limits: dict[str, float], told: str):
    with pytest.raises(ValueError, match=told):
        below_limits(DepthProfile(DEPTH, ["K"], np.ones((1, 6)), SIGMA), limits)


def test_each_point_has_its_own_limit():
    """Limits of points below, and between them for those seen above; none for an ion that is seen everywhere."""
    measured = np.array([[0.5, 0.02, 0.3, 0.04, 0.06, 0.01], [0.1] * 6])
    censored = np.zeros((2, 6))
    censored[0, [1, 3]] = 1.0
    profile = DepthProfile(DEPTH, ["K", "Na"], measured, np.full((2, 6), SIGMA), censored=censored)
    expected = np.array([[0.02, 0.02, 0.03, 0.04, 0.04, -np.inf], [-np.inf] * 6])
    np.testing.assert_allclose(detection_limits(profile), expected)
    drawn = GaussianLikelihood().draw(np.random.default_rng(0), np.zeros((200, 2, 6)), profile)
    np.testing.assert_allclose(drawn[:, 0, :5].min(axis=0), expected[0, :5])
    assert drawn[:, 1].min() < 0.0

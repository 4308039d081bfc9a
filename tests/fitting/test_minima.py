"""Distinct minima of a fit, and where rivals that contain the first model start."""

from pathlib import Path
from unittest.mock import MagicMock

import jax
import jax.numpy as jnp
import numpy as np

from npp_jax.commands.fit import run
from npp_jax.files.study import load_study
from npp_jax.fitting import FitResult, phrases
from npp_jax.fitting.minima import distinct_minima
from npp_jax.inference import Parameter, covariance, ranges_of, refine

SWEEPS = Path(__file__).resolve().parents[2] / "sweeps"


def test_minima_are_listed_once_each():
    """Two minima in x, and a parameter without effect that does not tell them apart."""

    def residual(t: jax.Array) -> jax.Array:
        return jnp.stack([3.0 * (t[0] ** 2 - 1.0), 0.2 * (t[0] - 1.0), t[1] - t[0], 0.0 * t[2]])

    function = jax.jit(jax.vmap(lambda t: (residual(t), jax.jacfwd(residual)(t))))
    bounds = tuple(Parameter(name, (), -5.0, 5.0) for name in ("x", "y", "none"))
    starts = [[1.3, 0.0, 1.0], [-1.3, 0.0, 0.0], [0.9, 2.0, 2.0], [-0.9, 1.0, -3.0], [1.1, 1.0, -4.0]]
    refined = refine(function, bounds, starts)
    ranges, best = ranges_of(bounds), refined.best()
    errors = covariance(function(refined.theta)[1][best], refined.theta[best], ranges, held=refined.insensitive[best])
    first, second = distinct_minima(refined, errors, ranges)
    assert (first.starts, second.starts) == (3, 2)
    np.testing.assert_allclose(first.theta[:2], [1.0, 1.0], atol=1e-4)
    assert first.chi2 < 1e-6 and 0.1 < second.chi2 < 0.2 and second.theta[0] < -0.9


def test_a_rival_that_contains_the_first_starts_from_its_best_fit(tmp_path: Path):
    """New parameters begin where the files have them, of the experiment and of how it is seen."""
    text = (SWEEPS / "one_distribution.toml").read_text(encoding="utf-8")
    for key in ("file", "profile"):
        text = text.replace(f'\n{key} = "', f'\n{key} = "{SWEEPS}/')
    rival = (
        "\n[[fit.rivals]]\nname = 'more'\nparameters = [\n"
        "{ name = 'sg', keys = ['observation.response.sigma_nm'], low = 0.5, high = 4.0 },\n"
        "{ name = 'gone', keys = ['Li.immobile_fraction'], low = 0.0, high = 0.2 },\n"
        "{ name = 'sens', keys = ['observation.K.sensitivity'], experiments = ['K'], low = 0.5, high = 3.0 }]\n"
    )
    path = tmp_path / "study.toml"
    path.write_text(text.replace('setting = "fast"\n', f'setting = "fast"\n{rival}'), encoding="utf-8")
    study = load_study(path)
    best = np.array([parameter.at(np.array([0.4]))[0] for parameter in study.main.parameters])
    found = MagicMock(spec=FitResult, theta=best)
    other = study.rivals[0]
    assert other.contains_main
    rows = run._transfer(study.main, found, best[None] * 1.01, other)
    np.testing.assert_allclose(rows[0], [*best, 1.5, 0.0, 1.0])
    np.testing.assert_allclose(rows[1], [*best, 2.25, 0.1, 1.75])
    assert rows.shape == (3, len(best) + 3)
    assert phrases(other.parameters)["gone"] == "the immobile fraction of Li"

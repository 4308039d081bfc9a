"""Posterior: a Gaussian in closed form, a wall, a quadrature of one glass, failures, warnings, wrong input."""

import dataclasses
import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

from npp_jax.cli import app
from npp_jax.files.study import load_study
from npp_jax.fitting import LinearModel, Objective, Problem
from npp_jax.inference import Parameter, Posterior, PosteriorOptions, sample_posterior
from npp_jax.inference.posterior import LEAST_ESS
from npp_jax.simulation.simulate import FAST

SWEEPS = Path(__file__).resolve().parents[2] / "sweeps"
needs_blackjax = pytest.mark.skipif(
    importlib.util.find_spec("blackjax") is None, reason="blackjax (extra 'bayes') is not installed"
)


def batched(residual):
    return jax.vmap(lambda theta: (residual(theta), jax.jacfwd(residual)(theta)))


def sampled(function, bounds, best, **choices) -> Posterior:
    best = np.asarray(best, float)
    jacobian = np.asarray(function(jnp.asarray(best[None]))[1][0])
    return sample_posterior(function, bounds, best, jacobian, options=PosteriorOptions(**choices))


@pytest.mark.slow
@needs_blackjax
def test_a_linear_problem_has_the_gaussian_of_its_normal_equations():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(30, 4))
    data = matrix @ np.array([1.0, 2.0, 3.0, 4.0]) + rng.normal(size=30)
    covariance = np.linalg.inv(matrix.T @ matrix)
    mean, deviation = covariance @ matrix.T @ data, np.sqrt(np.diag(covariance))
    bounds = tuple(Parameter(f"b{k}", (), -50.0, 50.0) for k in range(4))
    found = sampled(batched(lambda b: matrix @ b - data), bounds, mean, draws=300)
    least = np.minimum(found.ess_bulk, found.ess_tail)
    assert np.all(least > LEAST_ESS) and np.all(found.r_hat < 1.02)
    # Five standard errors of a mean, and of a standard deviation.
    assert np.all(np.abs(found.mean - mean) < 5.0 * deviation / np.sqrt(least))
    np.testing.assert_allclose(found.standard_deviation, deviation, rtol=5.0 / np.sqrt(2.0 * least.min()))
    correlation = np.corrcoef(found.theta.reshape(-1, 4).T)
    np.testing.assert_allclose(correlation, covariance / np.outer(deviation, deviation), atol=0.1)
    assert found.failed == 0 and found.theta.shape == (16, 300, 4)


@pytest.mark.slow
@needs_blackjax
def test_at_a_wall_and_without_data_the_range_is_the_prior():
    # A half normal distribution at zero, and a uniform one of ln θ of which nothing is known.
    bounds = (Parameter("wall", (), 0.0, 10.0), Parameter("unknown", (), 1e-3, 1.0, "log"))
    found = sampled(batched(lambda b: jnp.stack([b[0], 0.0 * b[1]])), bounds, [0.0, 0.1], draws=400)
    np.testing.assert_allclose(found.mean[0], np.sqrt(2.0 / np.pi), rtol=0.1)
    np.testing.assert_allclose(found.interval[0], [0.0313, 2.2414], rtol=0.1, atol=0.03)
    logarithm = np.log(found.theta[..., 1])
    np.testing.assert_allclose(np.quantile(logarithm, [0.25, 0.5, 0.75]) / np.log(1e-3), [0.75, 0.5, 0.25], atol=0.05)


@needs_blackjax
def test_points_that_fail_have_density_zero_and_are_counted():
    # A normal distribution of which nothing above one half can be evaluated.
    def function(theta):
        residual = jnp.where(theta > 0.5, jnp.nan, theta)
        return residual, jnp.ones((len(theta), 1, 1)), (theta <= 0.5)[:, 0]

    found = sampled(function, (Parameter("b", (), -20.0, 20.0),), [0.0], draws=200)
    assert found.theta.max() <= 0.5 and found.failed > 0
    np.testing.assert_allclose(found.mean[0], -0.509, atol=0.1)  # -φ(0.5)/Φ(0.5)
    assert any(f"{found.failed} of {found.trajectories}" in text for text in found.warnings(["b"]))


@needs_blackjax
def test_chains_in_different_minima_are_warned_of():
    found = sampled(
        batched(lambda b: 40.0 * (b**2 - 1.0)), (Parameter("b", (), -3.0, 3.0),), [0.05], warm_up=40, draws=40
    )
    assert found.r_hat[0] > 1.5
    assert any("do not agree on b" in text for text in found.warnings(["b"]))


@needs_blackjax
@pytest.mark.slow
def test_posterior_of_a_glass_is_its_quadrature():
    study = load_study(SWEEPS / "one_distribution.toml")
    k = next(m for m in study.problem.measurements if m.name == "K")
    fwhm, d_k = study.problem.parameters[0], study.problem.parameters[2]
    problem = Problem((k,), (dataclasses.replace(fwhm, experiments=("K",)), d_k))
    bounds = (study.problem.parameters[0], study.problem.parameters[2])
    model = LinearModel(
        Objective(problem, dataclasses.replace(FAST, companion=False, trace=False, observables=False)), chunk=8
    )
    width, rate = np.linspace(0.20, 0.29, 41), np.exp(np.linspace(np.log(7e-22), np.log(1.35e-21), 41))
    table = np.stack(np.meshgrid(width, rate, indexing="ij"), axis=-1).reshape(-1, 2)
    residual, jacobian, _ = model(jnp.asarray(table))
    half = 0.5 * np.sum(np.asarray(residual) ** 2, axis=1)
    # Even steps of θ and of ln θ: the nodes have equal weights.
    weight = np.exp(half.min() - half)
    weight /= weight.sum()
    edge = np.any(np.isin(table, [width[0], width[-1], rate[0], rate[-1]]), axis=1)
    assert weight[edge].sum() < 1e-3
    mean = weight @ table
    deviation = np.sqrt(weight @ (table - mean) ** 2)
    best = int(np.argmin(half))
    found = sample_posterior(
        model.traced,
        bounds,
        table[best],
        np.asarray(jacobian[best]),
        options=PosteriorOptions(chains=8, warm_up=60, draws=120),
    )
    error = deviation / np.sqrt(np.minimum(found.ess_bulk, found.ess_tail))
    assert np.all(np.minimum(found.ess_bulk, found.ess_tail) > 100.0)
    assert np.all(np.abs(found.mean - mean) < 4.0 * error)
    np.testing.assert_allclose(found.standard_deviation, deviation, rtol=0.2)


def test_ends_that_the_range_sets_are_told(rng: np.random.Generator):
    """Draws that fill the range, that pile up at its upper end, and that lie inside, near its lower end."""
    bounds = (
        Parameter("flat", (), 1e-8, 1e-6, "log"),
        Parameter("piled", (), 0.0, 1.0),
        Parameter("inside", (), 0.0, 1.0),
    )
    draws = np.stack(
        [
            np.exp(rng.uniform(np.log(1e-8), np.log(1e-6), 4000)),
            1.0 - rng.exponential(0.05, 4000),
            rng.normal(0.04, 0.005, 4000),
        ],
        axis=1,
    )
    ones = np.ones(3)
    found = Posterior(
        draws[None], np.zeros((1, 4000)), draws.mean(0), draws.std(0), np.quantile(draws, [0.025, 0.975], axis=0).T,
        ones, 1e3 * ones, 1e3 * ones, accepted=0.8, failed=0, trajectories=4000, evaluations=4000,
    )  # fmt: skip
    flat, piled, inside = found.interval_texts(bounds)
    assert flat.endswith(", both ends set by the range")
    assert piled.endswith(", the upper end set by the range")
    assert "range" not in inside
    # Two digits of a standard deviation of 0.005.
    assert [len(end.partition(".")[2]) for end in inside.split(" … ")] == [4, 4]


def study_with(tmp_path: Path, table: str) -> Path:
    text = (SWEEPS / "one_distribution.toml").read_text(encoding="utf-8")
    for key in ("file", "profile"):
        text = text.replace(f'\n{key} = "', f'\n{key} = "{SWEEPS}/')
    path = tmp_path / "study.toml"
    path.write_text(text.replace('setting = "fast"\n', f'setting = "fast"\n\n{table}\n'), encoding="utf-8")
    return path


def test_without_blackjax_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    run = CliRunner().invoke(app, ["fit", str(study_with(tmp_path, "[fit.posterior]")), "--output", str(tmp_path)])
    assert run.exit_code == 2
    assert "extra 'bayes'" in run.output and "Traceback" not in run.output


@pytest.mark.parametrize(("table", "named"), [("[fit.posterior]\nchains = 1", "chains"), ("method = 'sgd'", "method")])
def test_wrong_choices_are_one_line(tmp_path: Path, table: str, named: str):
    run = CliRunner().invoke(app, ["fit", str(study_with(tmp_path, table)), "--output", str(tmp_path)])
    assert run.exit_code == 2
    assert named in run.output and len(run.output.strip().splitlines()) == 1

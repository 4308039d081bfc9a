"""Sweeps and fits from Python: in memory, in a store, from a design, from starts."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jaxtyping
import numpy as np
import pytest

import npp_jax as npp
from npp_jax.observe import below_limits

SWEEPS = Path(__file__).parents[2] / "sweeps"


@pytest.fixture(scope="module")
def problem() -> npp.Problem:
    experiment = npp.load_experiment(SWEEPS / "lithium_borate_K.toml")
    profile = npp.read_profile(SWEEPS / "synthetic" / "K.csv", counts_per_fraction=2000.0)
    seen = npp.Observation(npp.DowsettResponse(0.8, 2.5, 1.5))
    measurement = npp.Measurement("K", experiment, profile, seen, likelihood=npp.PoissonLikelihood())
    width = npp.Parameter("sed_fwhm_eV", ("Li.sed_fwhm_eV",), 0.15, 0.40)
    return npp.Problem((measurement,), (width, npp.Parameter("D_K_m2_s", ("K.D_m2_s",), 3e-22, 3e-21, "log")))


@pytest.fixture(scope="module")
def swept(problem: npp.Problem) -> npp.SweepResult:
    return npp.sweep(problem, npp.Sobol(16, seed=0))


def test_store_and_memory_agree_and_a_store_resumes(problem: npp.Problem, swept: npp.SweepResult, tmp_path: Path):
    seen = []

    class Watch:
        def __init__(self, total: int, done: int) -> None:
            seen.append((total, done))

        def __enter__(self):
            return lambda count, flagged: seen.append(count)

        def __exit__(self, *error: object) -> None:
            pass

    for _ in range(2):
        stored = npp.sweep(problem, npp.Sobol(16, seed=0), store=tmp_path / "k.h5", watch=Watch)
        for name in ("theta", "chi2", "status", "reevaluated_with", "points"):
            np.testing.assert_array_equal(getattr(stored, name), getattr(swept, name))
        assert stored.parameters == problem.parameters
    assert seen == [(16, 0), 16, (16, 16)]


def test_points_below_a_limit_are_counted_alike_in_memory_and_in_a_file(problem: npp.Problem, tmp_path: Path):
    limited = below_limits(problem.measurements[0].profile, {"K": 0.05})
    weight = np.asarray(limited.weight).copy()
    weight[:, -3:] = 0.0
    measurement = dataclasses.replace(
        problem.measurements[0],
        profile=dataclasses.replace(limited, weight=weight),
        likelihood=npp.GaussianLikelihood(),
    )
    problem = dataclasses.replace(problem, measurements=(measurement,))
    expected = int(np.sum(np.asarray(limited.fraction)[1, :-3] <= 0.05))
    stored = npp.sweep(problem, npp.Sobol(2, seed=0), npp.FAST, store=tmp_path / "k.h5")
    counted = npp.sweep(problem, npp.Sobol(2, seed=0), npp.FAST).censored
    assert list(stored.censored) == list(counted) == [expected] and expected > 5


def test_words_of_a_sweep(swept: npp.SweepResult):
    assert "16 candidates: sed_fwhm_eV, D_K_m2_s; K;" in repr(swept)
    first = int(npp.rank(swept)[0])
    assert swept.summary().splitlines()[2].split()[0] == str(first)
    assert swept.to_xarray().chi2.attrs["units"] == "1"


def test_a_fit_from_a_sweep_is_that_from_its_best_candidates(problem: npp.Problem, swept: npp.SweepResult):
    starts = swept.theta[npp.best(swept, 2)]
    result = npp.fit(problem, swept, count=2, profile_points=0)
    other = npp.fit(problem, starts, profile_points=0)
    np.testing.assert_array_equal(result.theta, other.theta)
    found = result["sed_fwhm_eV"]
    assert found.value == result.theta[0] and found.how == "covariance"
    assert found.interval[0] < 0.25 < found.interval[1]
    assert f"sed_fwhm_eV = {found.value:.5g}" in repr(result)
    assert "status: converged" in result.summary()
    assert result.to_xarray().best.sel(parameter="sed_fwhm_eV") == found.value
    with pytest.raises(KeyError, match="known are sed_fwhm_eV, D_K_m2_s"):
        result["width"]


def test_what_cannot_be_fitted_is_refused(problem: npp.Problem, swept: npp.SweepResult):
    (measurement,) = problem.measurements
    with pytest.raises(ValueError, match="no experiment has a profile"):
        npp.fit(npp.Problem((npp.Measurement("K", measurement.experiment),), problem.parameters))
    turned = npp.Problem(problem.measurements, problem.parameters[::-1])
    with pytest.raises(ValueError, match="the parameters of the sweep are sed_fwhm_eV, D_K_m2_s, not"):
        npp.fit(turned, swept)


def test_a_profile_without_observation_is_the_composition(problem: npp.Problem):
    (measurement,) = problem.measurements
    plain = npp.Measurement("K", measurement.experiment, measurement.profile)
    assert plain.observation is not None
    assert plain.observation.sensitivity.shape == (2,)
    assert isinstance(plain.observation.response, npp.NoResponse)
    again = jax.tree.map(lambda leaf: leaf, plain)
    assert jax.tree.structure(again) == jax.tree.structure(plain)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """As users call functions: without the types that tests check."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


@pytest.mark.usefixtures("unchecked")
def test_candidates_may_be_lists():
    rows = [[0.2, 1e-21], [0.3, 1e-21]]
    assert np.array_equal(npp.Table(("sed_fwhm_eV", "D_K_m2_s"), rows).values, np.array(rows))  # pyright: ignore[reportArgumentType]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"starts": np.zeros((0, 2))}, r"starts have the shape \(0, 2\); \[start, 2\] is needed"),
        ({"starts": np.array([0.2, 1e-21])}, r"starts have the shape \(2,\)"),
        ({"method": "newton"}, "method = 'newton' is not known; known are levenberg-marquardt, lbfgs, adam"),
        ({"count": 0}, "count"),
        ({"iterations": 0}, "iterations"),
        ({"profile_points": -1}, "profile_points"),
    ],
)
def test_wrong_arguments_of_a_fit_end_in_one_line(problem: npp.Problem, wrong: dict, message: str):
    given: dict[str, Any] = {"starts": np.array([[0.2, 1e-21]])} | wrong
    with pytest.raises(ValueError, match=message):
        npp.fit(problem, **given)


def test_a_fit_of_nothing_is_refused(problem: npp.Problem):
    with pytest.raises(ValueError, match="no parameters"):
        npp.fit(npp.Problem(problem.measurements, ()), np.zeros((1, 0)))

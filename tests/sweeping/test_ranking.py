"""Ranking of a sweep: failed candidates last, the best ones apart from each other, weights of the likelihood."""

import dataclasses
import re

import h5py
import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr

from npp_jax.fitting import Measurement, Problem
from npp_jax.inference import Parameter
from npp_jax.observe import DepthProfile, NoResponse, Observation
from npp_jax.simulation.status import Status
from npp_jax.store.stored import SweepFileError
from npp_jax.sweeping import Manifest, Store
from npp_jax.sweeping.description import OBSERVABLES, parameter_variables, shared_values
from npp_jax.sweeping.ranking import SweepResult, accepted, best, rank, read_sweep, threshold, weights
from npp_jax.sweeping.screening import NoCandidate, starts_of

AXES = (
    Parameter("a_eV", (), 0.0, 4.0),
    Parameter("D_m2_s", (), 1e-22, 1e-20, "log"),
    Parameter("f", (), 0.1, 0.9, "logit"),
)


@pytest.fixture
def result(rng) -> SweepResult:
    """Quadratic χ² of two profiles around the middle of the box; the third experiment was not measured."""
    share = rng.random((4000, 3))
    theta = np.stack([axis.at(u) for axis, u in zip(AXES, share.T, strict=True)], axis=1)
    chi = np.sum(((share - 0.5) / 0.05) ** 2, axis=1)
    return SweepResult(
        title="synthetic",
        parameters=AXES,
        experiments=("K", "Rb", "Cs"),
        points=np.array([50, 50, 0]),
        censored=np.zeros(3, int),
        expected=np.array([[50.0, 100.0], [50.0, 100.0], [0.0, 0.0]]),
        theta=theta,
        chi2=np.stack([0.3 * chi + 40.0, 0.7 * chi + 60.0, np.full(4000, np.nan)], axis=1),
        status=np.zeros((4000, 3), np.int32),
        reevaluated_with=np.zeros(4000, np.int8),
    )


def test_shares_are_the_inverse_of_the_scales(result):
    u = np.linspace(0.0, 1.0, 7)
    for axis in AXES:
        np.testing.assert_allclose(axis.share(axis.at(u)), u, atol=1e-12)
    middle = np.array([2.0, 1e-21, 0.5])
    assert [float(axis.share(middle[k : k + 1])[0]) for k, axis in enumerate(AXES)] == pytest.approx([0.5] * 3)
    assert ((result.share >= -1e-12) & (result.share <= 1.0 + 1e-12)).all()


@pytest.mark.parametrize("place", [-2.5, -1.0, -0.4, 0.0, 1.0, 4.0])
def test_with_limits_of_detection_no_right_model_is_called_wrong_and_none_right(result, rng, place):
    """Of 60 points in two profiles; in one the limit is so many standard deviations above the prediction."""
    drawn = rng.normal(size=(3000, 60))
    lost = drawn[:, 30:] < place
    squares = drawn**2
    squares[:, 30:][lost] = -2.0 * np.log(ndtr(place))
    refused = 0
    for chi2, below in zip(squares.sum(axis=1), lost.sum(axis=1), strict=True):
        seen = dataclasses.replace(
            result,
            parameters=(),
            theta=result.theta[:1, :0],
            chi2=np.array([[chi2, 0.0, np.nan]]),
            status=result.status[:1],
            reevaluated_with=result.reevaluated_with[:1],
            points=np.array([30, 30, 0]),
            expected=np.array([[30.0, 60.0], [30.0, 60.0], [0.0, 0.0]]),
            censored=np.array([0, below, 0]),
        )
        sentence = seen.sentence()
        refused += "None of 1 candidates agrees" in sentence
        told = "only tell" in sentence
        assert told == (below > 0 and "None of" not in sentence)
        assert ("agrees" in sentence) == (not told)
    # One of a thousand is expected where no point has a limit; four standard deviations above it.
    assert refused <= 10


def test_many_points_a_little_above_their_limit_refuse_no_right_model(result, rng):
    """Few are lost, each with a χ² of five and more: of 3000 points some 200."""
    refused, place = 0, -1.5
    for _ in range(1000):
        drawn = rng.normal(size=3000)
        lost = drawn < place
        chi2 = float(np.sum(np.where(lost, -2.0 * np.log(ndtr(place)), drawn**2)))
        seen = dataclasses.replace(
            result,
            theta=result.theta[:1],
            chi2=np.array([[chi2, 0.0, np.nan]]),
            status=result.status[:1],
            reevaluated_with=result.reevaluated_with[:1],
            points=np.array([3000, 0, 0]),
            expected=np.array([[3000.0, 6000.0], [0.0, 0.0], [0.0, 0.0]]),
            censored=np.array([lost.sum(), 0, 0]),
        )
        refused += "None of 1 candidates agrees" in seen.sentence()
    assert refused <= 5


def test_what_no_points_below_a_limit_could_explain_is_refused(result):
    wrong = dataclasses.replace(result, chi2=result.chi2 + 200.0, censored=np.array([10, 0, 0]))
    assert re.search(r"None of 4000 candidates agrees .*probability below ", wrong.sentence())
    for censored, told in ((0, "probability 0.3"), (10, "10 points only tell of a limit of detection")):
        right = dataclasses.replace(result, censored=np.array([censored, 0, 0]))
        assert told in right.sentence()


def test_failed_candidates_are_last(result):
    first = rank(result)[:3]
    status, chi2 = result.status.copy(), result.chi2.copy()
    status[first[0], 1] = Status.NOT_CONVERGED
    chi2[first[1], 0] = np.nan
    status[first[2], 2] = Status.COARSE
    worse = dataclasses.replace(result, status=status, chi2=chi2)
    order = rank(worse)
    assert order[0] == first[2]
    assert set(order[-2:]) == set(first[:2])
    assert (np.diff(worse.total[order[:-2]]) >= 0.0).all()
    assert sorted(order) == list(range(4000))


def test_the_best_are_apart(result):
    chosen = best(result, 20, apart=0.15)
    assert len(chosen) == 20
    assert chosen[0] == np.argmin(result.total)
    assert (np.diff(result.total[chosen]) >= 0.0).all()
    places = result.share[chosen]
    distance = np.abs(places[:, None] - places[None]).max(axis=2)
    assert distance[~np.eye(20, dtype=bool)].min() >= 0.15
    # Whatever was passed over is near one that is better.
    for k in rank(result)[: np.flatnonzero(rank(result) == chosen[-1])[0]]:
        better = chosen[result.total[chosen] <= result.total[k]]
        assert k in chosen or np.abs(result.share[better] - result.share[k]).max(axis=1).min() < 0.15


def test_the_best_without_distance_are_the_first(result):
    np.testing.assert_array_equal(best(result, 5, apart=0.0), rank(result)[:5])


def test_all_failed(result):
    failed = dataclasses.replace(result, status=np.full((4000, 3), Status.NOT_FINITE))
    assert len(best(failed, 5)) == len(best(failed, 5, apart=0.0)) == len(accepted(failed, least=5)) == 0
    assert (weights(failed) == 0.0).all()
    nothing_measured = dataclasses.replace(result, points=np.zeros(3, int))
    assert len(best(nothing_measured, 5)) == 0


def test_a_fit_begins_where_only_the_iterations_of_the_coarse_mesh_failed(result):
    stuck = dataclasses.replace(result, status=np.full((4000, 3), Status.NOT_CONVERGED))
    stuck.status[0] = Status.NOT_FINITE
    assert np.array_equal(starts_of(stuck, 2), result.theta[1:3])
    broken = dataclasses.replace(result, status=np.full((4000, 3), Status.NOT_FINITE))
    with pytest.raises(NoCandidate, match=r"no candidate .* of most, numbers overflowed"):
        starts_of(broken, 2)


def test_accepted_are_an_ellipsoid_of_the_right_volume(result):
    chosen = accepted(result, level=0.68)
    radius2 = stats.chi2.ppf(0.68, 3)
    assert threshold(result, 0.68) == pytest.approx(radius2)
    distance2 = np.sum(((result.share - 0.5) / 0.05) ** 2, axis=1)
    np.testing.assert_array_equal(np.sort(chosen), np.flatnonzero(distance2 <= distance2.min() + radius2))
    assert len(accepted(result, level=0.68, least=100)) == 100 > len(chosen)


def test_weighted_moments_are_those_of_the_gaussian(result):
    w = weights(result)
    assert w.sum() == pytest.approx(1.0)
    mean = w @ result.share
    deviation = np.sqrt(w @ (result.share - mean) ** 2)
    count = 1.0 / np.sum(w**2)
    np.testing.assert_allclose(mean, 0.5, atol=4.0 * 0.05 / np.sqrt(count))
    np.testing.assert_allclose(deviation, 0.05, rtol=4.0 / np.sqrt(2.0 * count))


def test_a_file_comes_back(result, tmp_path, project_root):
    from npp_jax.files import load_experiment

    experiment = load_experiment(project_root / "sweeps" / "lithium_borate_K.toml")
    depth = np.linspace(0.0, 100.0, 25)
    profile = DepthProfile(depth, ("K", "Li"), np.ones((2, 25)), 0.1, weight=np.where(depth < 50.0, 0.0, 1.0))
    measured = Measurement("K/1", experiment, profile, Observation(NoResponse(), np.ones(2), np.zeros(2)))
    axes = (Parameter("width_eV", ("Li.sed_fwhm_eV",), 0.1, 0.4, "log"),)
    problem = Problem((measured, Measurement("Rb", experiment)), axes)
    manifest = Manifest("", "0", "float64", 3, 2)
    with Store.open(tmp_path / "x.sweep", manifest) as store:
        for chunk in store.pending():
            start, stop = manifest.span(chunk)
            arrays = {name: np.zeros((stop - start, 2)) for name in OBSERVABLES}
            arrays |= {
                "reevaluated_with": np.zeros(stop - start, np.int8),
                "status": np.zeros((stop - start, 2), np.int32),
            }
            arrays["chi2"] = np.stack([np.arange(stop, start, -1.0), np.full(stop - start, np.nan)], axis=1)
            store.write(chunk, {**arrays, "width_eV": np.linspace(0.1, 0.4, 3)[start:stop]})
        variables = {**parameter_variables(axes), **OBSERVABLES}
        store.finish(
            tmp_path / "x.h5",
            variables,
            coordinates=shared_values(problem),
            attributes={"study": "t", "parameters": ["width_eV"]},
        )
    read = read_sweep(tmp_path / "x.h5")
    assert (read.title, read.parameters, read.experiments) == ("t", (axes[0],), ("K/1", "Rb"))
    assert read.points.tolist() == [26, 0]
    np.testing.assert_array_equal(read.theta[:, 0], np.linspace(0.1, 0.4, 3))
    np.testing.assert_array_equal(read.total, [2.0, 1.0, 3.0])
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["measured_K_1"].dims[1].label == "depth_K_1"
        np.testing.assert_array_equal(file["measured_K_1"].dims[1][0][()], depth)
        assert file["width_eV"].attrs["units"] == "eV"


@pytest.mark.parametrize("content", [None, b"text", "other"])
def test_what_is_no_sweep_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "x.h5"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        with h5py.File(path, "w") as file:
            file.attrs["title"] = content
    with pytest.raises(SweepFileError, match=r"x\.h5: (no such|not a) file") as error:
        read_sweep(path)
    assert "\n" not in str(error.value)

"""D(c) of couples in free form: the truth of synthetic ones, and a published couple of three phases."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from couple_theory import DEPTH, TIME, similarity
from scipy.linalg import solve_banded

from npp_jax.fitting.couple import BY_NOISE, CoupleFit, _beside, fit_couple
from npp_jax.inference import Reason
from npp_jax.physics.boltzmann_matano import boltzmann_matano
from npp_jax.physics.couple_profile import couple_profile


@pytest.mark.parametrize("turned", [False, True])
def test_the_truth_lies_in_the_band(turned: bool, rng: np.random.Generator) -> None:
    """An exponential law, solved as a two-point problem, with noise; both ways round."""
    depth, c = DEPTH[::8], similarity(1.5)[1][::8] + rng.normal(0.0, 2e-3, len(DEPTH[::8]))
    c = c[::-1] if turned else c
    fit = fit_couple(boltzmann_matano(depth, c, TIME), c, TIME)
    assert fit.reason == Reason.CONVERGED
    truth = 1e-15 * np.exp(1.5 * fit.curve)
    assert np.all((fit.D[:, 1] < truth) & (truth < fit.D[:, 2]))
    # The band is one of use.
    assert np.median(fit.D[:, 2] / fit.D[:, 1]) < 1.2
    assert fit.position == pytest.approx(100e-6, abs=1e-6)
    assert 60.0 < fit.chi2 < 140.0


def test_a_jump_is_a_boundary_and_phases_end_where_they_do(rng: np.random.Generator) -> None:
    """The two phases of constant D that meet in the tests of the profile, to 0.2 and from 0.7."""
    laws = tuple(jnp.log(jnp.full(2, D)) for D in (1e-15, 4e-16))
    exact = couple_profile(jnp.array([[0.0, 0.2], [0.7, 1.0]]), laws)
    depth = DEPTH[::8]
    eta = (depth - 110e-6) / np.sqrt(TIME)
    phase = (eta > float(exact.boundary[0])).astype(int)
    c = np.asarray(exact.at(jnp.asarray(eta), phase)) + rng.normal(0.0, 1e-3, len(depth))
    fit = fit_couple(boltzmann_matano(depth, c, TIME, ends=(0.0, 1.0)), c, TIME)
    assert fit.reason == Reason.CONVERGED and len(fit.knots) == 2
    # Points are 2 µm apart, over which the second phase rises by 0.08: its end is known to some hundredths.
    known = fit.covariance
    np.testing.assert_array_less(np.abs(known.theta[-5:-3] - np.array([0.2, 0.7])), 4.0 * known.standard_error[-5:-3])
    np.testing.assert_array_less(known.standard_error[-5:-3], [0.02, 0.08])
    np.testing.assert_allclose(fit.limits.ravel()[1:-1], known.theta[-5:-3])
    truth = np.repeat([1e-15, 4e-16], len(fit.curve) // 2)
    assert np.all((fit.D[:, 1] < truth) & (truth < fit.D[:, 2]))


def test_a_gap_within_the_noise_of_an_end_leaves_no_room_for_a_phase(rng: np.random.Generator) -> None:
    depth, c = DEPTH[::8], similarity(1.5)[1][::8] + rng.normal(0.0, 2e-3, len(DEPTH[::8]))
    found = boltzmann_matano(depth, c, TIME, gaps=[(0.999, 1.001)])
    with pytest.raises(ValueError, match="no room for a phase beside the ends"):
        fit_couple(found, c, TIME)


@pytest.mark.parametrize("ends", [(0.0, 1.0), None])
def test_the_published_d_of_nickel_and_molybdenum_lies_in_the_band(
    project_root: Path, ends: tuple[float, float] | None
) -> None:
    folder = project_root.parent / "shared" / "data" / "nimo-diffusion-couple"
    if not folder.is_dir():
        pytest.skip("no measured couple at ../shared/data/nimo-diffusion-couple")
    told, seen = (np.genfromtxt(folder / f"{n}.csv", delimiter=",", names=True) for n in ("NiMo", "NiMo_exp"))
    found = boltzmann_matano(seen["dis"] * 1e-6, seen["X"], 3.6e6, ends=ends)
    fit = fit_couple(found, seen["X"], 3.6e6)
    assert fit.reason == Reason.CONVERGED and fit.chi2 < 1.3 * fit.degrees_of_freedom
    published = np.exp(np.interp(fit.curve, told["X"], np.log(told["DC"])))
    inside = (fit.D[:, 1] < published) & (published < fit.D[:, 2])
    # Twice as many knots fit better, by which the band is wider.
    assert fit.finer is not None and inside.all()
    np.testing.assert_allclose(fit.limits.ravel()[1:-1], [0.2473, 0.4921, 0.5260, 0.9727], atol=4e-3)


def volumes(law: Callable[[np.ndarray], np.ndarray], ends: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """A couple of 500 µm after 50 h by finite volumes and implicit steps: another solver than that of the fit."""
    count, width, time = 1500, 500e-6 / 1500, 50 * 3600.0
    depth = (np.arange(count) + 0.5) * width
    c = np.where(depth < 225e-6, *ends)
    times = time * np.linspace(0.0, 1.0, 601) ** 2
    for step in np.diff(times):
        new = c
        for _ in range(4):
            k = law(0.5 * (new[1:] + new[:-1])) * step / width**2
            bands = np.zeros((3, count))
            bands[0, 1:], bands[2, :-1], bands[1] = -k, -k, 1.0
            bands[1, :-1] += k
            bands[1, 1:] += k
            new = solve_banded((1, 1), bands, c)
        c = new
    return depth, c


@pytest.mark.parametrize(
    ("law", "ends", "points", "sigma"),
    [
        # D at the noisy ends was the start, and its range left the truth out: χ² of 420.
        (lambda c: 1e-15 * np.exp(-5.0 * c), (0.15, 0.7), 80, 0.004),
        # One noisy point at the end was a phase, without any width: "Eigenvalues did not converge".
        (lambda c: 2e-15 * (1.0 + 4.0 * np.exp(-(((c - 0.4) / 0.15) ** 2))), (0.15, 0.7), 22, 0.01),
        # A jump whose far phase starts beyond its end, the same.
        (lambda c: 1e-15 * np.exp(-5.0 * c), (0.0, 1.0), 22, 0.01),
    ],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_few_noisy_points_of_uneven_ends_are_fitted(
    law: Callable[[np.ndarray], np.ndarray], ends: tuple[float, float], points: int, sigma: float, seed: int
) -> None:
    depth, exact = volumes(law, ends)
    at = np.linspace(5e-6, 495e-6, points)
    drawn = np.interp(at, depth, exact) + sigma * np.random.default_rng(seed).normal(size=points)
    fit = fit_couple(boltzmann_matano(at, drawn, 50 * 3600.0), drawn, 50 * 3600.0, sigma=np.full(points, sigma))
    assert fit.chi2 < points + 4.0 * np.sqrt(2.0 * points)
    assert np.all(fit.D > 0.0) and np.all(np.isfinite(fit.D[:, 0]))
    # Between the ends D is seen, but within a jump.
    inner = np.abs(fit.curve - np.mean(ends)) < 0.3 * abs(ends[1] - ends[0])
    true = law(fit.curve[inner])
    assert np.sum((fit.D[inner, 1] <= true) & (true <= fit.D[inner, 2])) >= 0.8 * np.sum(inner)


def test_d_at_the_end_of_its_range_is_not_known_without_error(rng: np.random.Generator) -> None:
    """A start that is a hundred times too small at one end, which D of its knot cannot leave: the band had no width."""
    depth, c = volumes(lambda c: np.full_like(c, 1e-15), (0.0, 1.0))
    places = np.linspace(100e-6, 400e-6, 60)
    seen = np.interp(places, depth, c) + rng.normal(0.0, 0.01, 60)
    found = boltzmann_matano(places, seen, 50 * 3600.0)
    found = found._replace(D=np.where(seen < 0.4, 0.01, 1.0) * found.D)
    fit = fit_couple(found, seen, 50 * 3600.0)
    assert fit.knots[0][0] < 9e-16
    assert np.log(fit.D[0, 2] / fit.D[0, 1]) > 0.2


def test_a_bend_that_no_test_sees_widens_the_band() -> None:
    """A dip by a factor of 6 in 100 points: denser knots do not lower χ² by more than chance, but change D by more. The
    band of the knots alone holds 78 % of the compositions.
    """

    def law(c: np.ndarray) -> np.ndarray:
        return 3e-15 * np.exp(-1.8 * np.exp(-(((c - 0.45) / 0.12) ** 2)))

    depth, c = volumes(law, (0.0, 1.0))
    places = np.linspace(120e-6, 330e-6, 100)
    shares = []
    for seed in range(5):
        seen = np.interp(places, depth, c) + np.random.default_rng(seed).normal(0.0, 0.01, 100)
        fit = fit_couple(boltzmann_matano(places, seen, 50 * 3600.0), seen, 50 * 3600.0)
        true = law(np.clip(fit.curve, 0.0, 1.0))
        shares.append(np.mean((fit.D[:, 1] < true) & (true < fit.D[:, 2])))
        assert fit.finer is None
    assert np.mean(shares) > 0.93


@pytest.mark.parametrize("by_noise", [0.0, BY_NOISE])
@pytest.mark.parametrize(("own", "other"), [(False, True), (True, True), (True, False)])
def test_a_band_without_an_end_leaves_that_of_other_compositions(
    *, by_noise: float, own: bool, other: bool, rng: np.random.Generator
) -> None:
    """Where points miss the free form by far, an end of a band is no number; the whole phase had none."""
    depth, c = DEPTH[::8], similarity(1.5)[1][::8] + rng.normal(0.0, 2e-3, len(DEPTH[::8]))
    fit = fit_couple(boltzmann_matano(depth, c, TIME), c, TIME)
    endless = fit.D.copy()
    endless[0, 1:] = 0.0, np.inf
    fits = [dataclasses.replace(fit, D=endless if wide else fit.D) for wide in (other, own)]
    band = _beside(*fits, by_noise).D
    np.testing.assert_allclose(band[1:], fit.D[1:], rtol=1e-12)
    np.testing.assert_allclose(band[0], endless[0] if own else fit.D[0], rtol=1e-12)


@pytest.mark.parametrize("bends", [False, True])
def test_a_d_that_bends_more_than_its_knots_follow_is_told(*, bends: bool, rng: np.random.Generator) -> None:
    """A hump by a factor of 5 in few points, whose curvature passes for scatter: knots too few for it, and a band that
    is wider by what more of them say.
    """

    def law(c: np.ndarray) -> np.ndarray:
        return 2e-15 * np.exp(np.log(5.0) * np.exp(-(((c - 0.5) / 0.12) ** 2)) * bends)

    depth, c = volumes(law, (0.0, 1.0))
    places = np.linspace(depth[np.searchsorted(c, 0.002)] - 25e-6, depth[np.searchsorted(c, 0.998)] + 25e-6, 22)
    seen = np.interp(places, depth, c) + rng.normal(0.0, 2e-3, len(places))
    fit = fit_couple(boltzmann_matano(places, seen, 50 * 3600.0), seen, 50 * 3600.0)
    inner = (fit.curve > 0.03) & (fit.curve < 0.97)

    def held(fit: CoupleFit) -> float:
        return float(np.mean((fit.D[inner, 1] < law(fit.curve[inner])) & (law(fit.curve[inner]) < fit.D[inner, 2])))

    assert (fit.finer is not None) == bends
    assert held(fit) == 1.0
    finest = fit
    while finest.finer is not None:
        finest = finest.finer
    assert held(finest) > 0.9

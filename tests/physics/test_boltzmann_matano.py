"""D(c) of couples without a simulation: against error functions and a similarity solution."""

from pathlib import Path

import numpy as np
import pytest
from couple_theory import DEPTH, TIME, similarity
from scipy.special import erfc

from npp_jax.physics.boltzmann_matano import boltzmann_matano


@pytest.mark.parametrize("turned", [False, True])
def test_a_constant_is_found_from_an_error_function(turned: bool):
    c = 0.1 + 0.35 * erfc((100e-6 - DEPTH) / np.sqrt(4e-15 * TIME))
    found = boltzmann_matano(DEPTH, c[::-1] if turned else c, TIME)
    inner = (found.fraction > 0.15) & (found.fraction < 0.75)
    np.testing.assert_allclose(found.D[inner], 1e-15, rtol=0.01)
    np.testing.assert_allclose(found.matano, 100e-6, atol=1e-9)
    assert found.ends == pytest.approx((0.8, 0.1) if turned else (0.1, 0.8), abs=1e-4)


def test_an_exponential_is_found_from_its_similarity_solution():
    depth, c = similarity(1.5)
    found = boltzmann_matano(depth, c, TIME, ends=(0.0, 1.0))
    inner = (found.fraction > 0.1) & (found.fraction < 0.9)
    np.testing.assert_allclose(found.D[inner], 1e-15 * np.exp(1.5 * found.fraction[inner]), rtol=0.02)


def test_noise_is_smoothed(rng: np.random.Generator):
    c = 0.5 * erfc((100e-6 - DEPTH) / np.sqrt(4e-15 * TIME)) + rng.normal(0.0, 3e-3, len(DEPTH))
    found = boltzmann_matano(DEPTH, c, TIME, smoothing=2e-6)
    inner = (found.fraction > 0.2) & (found.fraction < 0.8)
    np.testing.assert_allclose(found.D[inner], 1e-15, rtol=0.1)
    assert 2e-3 < found.scatter < 4e-3


def test_noise_on_a_steep_part_is_no_phase(rng: np.random.Generator):
    """A point beside the curve makes one step larger and the next one vanish: one of nine such profiles had a phase."""
    depth = np.linspace(-5.0, 5.0, 200)
    clean = 1.0 - 0.5 * erfc(depth)
    smooth = [boltzmann_matano(depth, clean + rng.normal(0.0, 0.008, 200), 1.0) for _ in range(200)]
    assert sum(int(one.phase[-1]) > 0 for one in smooth) <= 8
    jump = clean + 0.3 * (depth > 0.0)
    seen = [boltzmann_matano(depth, jump + rng.normal(0.0, 0.005, 200), 1.0) for _ in range(20)]
    assert sum(list(np.bincount(one.phase)) == [100, 100] for one in seen) >= 17


def test_a_gap_that_is_named_is_a_boundary_beside_a_steep_phase(rng: np.random.Generator):
    """A jump of 0.3 beside steps of 0.07 and more is none by itself; falling profiles as well as rising ones."""
    depth = np.linspace(0.0, 200e-6, 61)
    c = np.where(depth < 99e-6, 0.3 * np.exp((depth - 99e-6) / 40e-6), 1.0 - 0.45 * np.exp((99e-6 - depth) / 15e-6))
    c = c + rng.normal(0.0, 0.004, len(c))
    rising, falling = ((0.3, 0.55), [30, 31]), ((0.45, 0.7), [30, 31])
    for profile, (gap, counts) in ((c, rising), (1.0 - c, falling), (c[::-1], (rising[0], [31, 30]))):
        assert boltzmann_matano(depth, profile, 1.0).phase[-1] == 0
        found = boltzmann_matano(depth, profile, 1.0, gaps=[gap])
        assert list(np.bincount(found.phase)) == counts
        assert np.all(found.sigma < 0.008)


@pytest.mark.parametrize(
    ("gaps", "told"),
    [
        ([(0.55, 0.3)], "gap 0.55 to 0.3: the profile has no points on both sides"),
        ([(1.2, 1.4)], "gap 1.2 to 1.4: the profile has no points on both sides"),
        ([(0.4, 0.5), (0.51, 0.61)], "no points between two of them"),
        ([(0.4, 0.6), (0.2, 0.45)], "gap 0.2 to 0.45 overlaps that of 0.4 to 0.6"),
    ],
)
def test_gaps_that_cannot_be(gaps: list[tuple[float, float]], told: str):
    with pytest.raises(ValueError, match=told):
        boltzmann_matano(DEPTH, np.where(DEPTH > 100e-6, 1.0, 0.0), TIME, gaps=gaps)


def test_phases_are_smoothed_apart():
    c = np.where(DEPTH < 100e-6, 0.1 + 5e2 * DEPTH, 0.6 + 5e2 * DEPTH)
    found = boltzmann_matano(DEPTH, c, TIME)
    np.testing.assert_allclose(found.fraction, c, atol=1e-9)


def test_the_published_d_of_nickel_and_molybdenum_comes_back(project_root: Path):
    folder = project_root.parent / "shared" / "data" / "nimo-diffusion-couple"
    if not folder.is_dir():
        pytest.skip("no measured couple at ../shared/data/nimo-diffusion-couple")
    told, seen = (np.genfromtxt(folder / f"{n}.csv", delimiter=",", names=True) for n in ("NiMo", "NiMo_exp"))
    found = boltzmann_matano(seen["dis"] * 1e-6, seen["X"], 3.6e6, smoothing=15e-6, ends=(0.0, 1.0))
    published = np.interp(found.fraction, told["X"], told["DC"])
    assert list(np.bincount(found.phase)) == [88, 27, 15]
    for phase, within in ((0, 0.12), (1, 0.25)):
        own = (found.phase == phase) & (found.fraction > 0.01)
        np.testing.assert_allclose(np.median(found.D[own] / published[own]), 1.0, atol=within)
    # Points scatter by 0.0006 where there is little molybdenum, and more in the compound.
    assert 4e-4 < found.sigma[0] < 9e-4 < found.sigma[1] < 2e-3


@pytest.mark.parametrize(
    ("depth", "fraction", "time", "message"),
    [
        (DEPTH[:5], DEPTH[:5], 1.0, "at least 8 depths"),
        (DEPTH[::-1], DEPTH, 1.0, "must increase"),
        (DEPTH, 0.0 * DEPTH, 1.0, "nothing has diffused"),
        (DEPTH, DEPTH, 0.0, "must be positive"),
    ],
)
def test_what_is_no_couple_is_refused(depth: np.ndarray, fraction: np.ndarray, time: float, message: str):
    with pytest.raises(ValueError, match=message):
        boltzmann_matano(depth, fraction, time)

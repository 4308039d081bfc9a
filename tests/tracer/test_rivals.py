"""Rivals of one D: profiles against another solver, each found from its own data, and what is known beforehand."""

from pathlib import Path

import h5py
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_bvp
from scipy.special import erfc
from typer.testing import CliRunner

from npp_jax.cli import app
from npp_jax.inference import information_criteria
from npp_jax.physics.couple_profile import surface_profile
from npp_jax.tracer.counts import IsotopeCounts
from npp_jax.tracer.measured import MeasuredProfile
from npp_jax.tracer.profile_fit import Known, fit_profile

HOURS, D, BASE, SURFACE = 100.0, 1e-12, 0.08, 0.9
DEPTH = np.linspace(0.0, 4e-3, 61)
AREA = 3600.0 * HOURS * D


def below_a_surface(slope: float) -> np.ndarray:
    """Composition at the depths for D e^(aY): (D Y')' + 2 z Y' = 0 in z = x/2√(Dt), as a two-point problem."""
    z = np.linspace(0.0, 8.0, 401)
    law = lambda Y: np.exp(slope * Y)  # noqa: E731
    found = solve_bvp(
        lambda z, y: np.vstack([y[1] / law(y[0]), -2.0 * z * y[1] / law(y[0])]),
        lambda left, right: np.array([left[0] - 1.0, right[0]]),
        z,
        np.vstack([erfc(z), -np.exp(-(z**2))]),
        tol=1e-8,
        max_nodes=100_000,
    )
    assert found.status == 0
    return found.sol(np.clip(DEPTH / (2.0 * np.sqrt(AREA)), 0.0, 8.0))[0]


@pytest.mark.parametrize("slope", [0.0, 2.0, -1.5])
def test_the_profile_below_a_surface_is_that_of_another_solver(slope: float) -> None:
    places, share = surface_profile(np.log(AREA) + slope * jnp.linspace(0.0, 1.0, 3))
    found = np.interp(DEPTH, np.asarray(places), np.asarray(share))
    np.testing.assert_allclose(found, below_a_surface(slope), atol=2e-4)


def two_paths() -> np.ndarray:
    """A third of the source on a path of ten times the D."""
    slow, fast = (erfc(DEPTH / (2.0 * np.sqrt(factor * AREA))) for factor in (0.2, 2.0))
    return slow + (fast - slow) / 3.0


TRUTH = {
    "one-path": {"D_m2_s": D},
    "two-path": {"D_m2_s": 0.2 * D, "fast_ratio": 10.0, "fast_share": 1.0 / 3.0},
    "composition-dependent": {"D_m2_s": D, "D_slope": 2.0},
}
COUNTS = 8000


def counted(transport: str, rng: np.random.Generator) -> MeasuredProfile:
    """Synthetic counts of a sample in which an isotope moves in one of the ways."""
    shares = {"one-path": below_a_surface(0.0), "two-path": two_paths(), "composition-dependent": below_a_surface(2.0)}
    fraction = BASE + (SURFACE - BASE) * shares[transport]
    light = rng.binomial(COUNTS, fraction) * 1.0
    return MeasuredProfile(DEPTH, light / COUNTS, np.ones(len(DEPTH)), IsotopeCounts(light, COUNTS - light))


@pytest.mark.slow
def test_each_is_found_from_its_own_data(rng: np.random.Generator) -> None:
    for transport, truth in TRUTH.items():
        profile = counted(transport, rng)
        fits = {
            rival: fit_profile(profile, 3600.0 * HOURS, start=0.5 * D, base=BASE, transport=rival, profile_points=0)
            for rival in ("one-path", "two-path", "composition-dependent")
        }
        own = fits[transport]
        for name, value in truth.items():
            assert abs(own[name].value - value) < 4.0 * own[name].sigma < value
        assert 35.0 < own.chi2 < 95.0
        bic = {name: information_criteria(fit.chi2, fit.points, len(fit.parameters)).bic for name, fit in fits.items()}
        assert min(bic, key=lambda name: bic[name]) == transport


@pytest.mark.slow
def test_rivals_are_compared_and_what_is_known_enters(tmp_path: Path, rng: np.random.Generator) -> None:
    light = np.asarray(counted("two-path", rng).fraction) * COUNTS
    rows = "".join(f"{1e6 * x:.6g},{n:.0f},{COUNTS - n:.0f}\n" for x, n in zip(DEPTH, light, strict=True))
    (tmp_path / "p.csv").write_text("position_um,light_counts,heavy_counts\n" + rows, encoding="utf-8")
    study = f"""schema_version = 1
kind = "profile"
[profile]
file = "p.csv"
[model]
duration_h = {HOURS}
start_D_m2_s = {D}
base = {BASE}
transport = "two-path"
rivals = ["one-path"]
[[known]]
name = "fast_ratio"
low = 2.0
high = 100.0
prior_mean = 5.0
prior_sigma = 1e-3
"""
    (tmp_path / "s.toml").write_text(study, encoding="utf-8")
    done = CliRunner().invoke(app, ["tracer", str(tmp_path / "s.toml"), "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "BIC prefers two-path" in done.output
    # The prior is far sharper than the data, which want ten.
    ratio = float(done.output.split("fast_ratio ")[1].split(",")[0])
    assert ratio == pytest.approx(5.0, rel=0.02)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[model]", '[[known]]\nname = "nix"\nlow = 0\nhigh = 1\n[model]', "'nix' is no parameter"),
        ("[model]", '[[known]]\nname = "base"\nlow = 1\nhigh = 0\n[model]', "low = 1 must be less"),
        ("[model]", '[[known]]\nname = "D_m2_s"\nlow = -1\nhigh = 1\n[model]', "low = -1 of D_m2_s must be"),
        ("[model]", '[[known]]\nname = "k_m_s"\nlow = 1\nhigh = 2\n[model]', "'k_m_s' is no parameter of this model"),
        ("[model]", '[[known]]\nname = "D_slope"\nlow = 0\nhigh = 1\n[model]', "they are D_m2_s, surface, base"),
        (
            "[model]",
            '[[known]]\nname = "fast_ratio"\nlow = 0.1\nhigh = 0.5\n[model]',
            "low = 0.1 of fast_ratio must be greater than or equal to 1",
        ),
        ("[model]", '[[known]]\nname = "fast_share"\nlow = 0\nhigh = 3\n[model]', "high = 3 of fast_share must be"),
        ("[model]", '[[known]]\nname = "surface"\nlow = 2\nhigh = 4\n[model]', "of surface hold no fraction"),
        (
            "[model]",
            '[[known]]\nname = "base"\nlow = 0\nhigh = 0.1\nprior_mean = 7\nprior_sigma = 1\n[model]',
            "prior_mean = 7 must be from low = 0 to 0.1",
        ),
        ("[model]", "[truth]\nD_m2_s = nan\n[model]", "truth.D_m2_s = nan: a finite number is needed"),
        ("[model]", "[truth]\nD_m2_s = [1e-15, -1]\n[model]", "truth.D_m2_s[1] = -1: must be greater than 0"),
        ("[model]", '[model]\ntransport = "two-path"\nthickness_um = 10', "no thickness_um"),
        ("[model]", '[model]\nrivals = ["one-path"]', "each differs"),
    ],
)
def test_what_is_wrong_ends_in_one_line(old: str, new: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "position_um,fraction,fraction_sigma\n" + "".join(f"{k},{0.9 / (1 + k)},0.01\n" for k in range(9))
    )
    head = 'schema_version = 1\nkind = "profile"\n[profile]\nfile = "p.csv"\n'
    text = head + "[model]\nduration_h = 1.0\nstart_D_m2_s = 1e-15\n"
    (tmp_path / "s.toml").write_text(text.replace(old, new), encoding="utf-8")
    for command in ("tracer", "check"):
        done = CliRunner().invoke(app, [command, str(tmp_path / "s.toml"), "--output", str(tmp_path)])
        assert done.exit_code == 2 and told in done.output and done.output.count("\n") == 1


def test_a_range_that_counts_cannot_reach_is_cut_or_refused(rng: np.random.Generator) -> None:
    """Counts hold fractions from 0 to 1 alone: beyond them a fit has no residuals."""
    profile = counted("one-path", rng)
    fit = fit_profile(profile, 3600.0 * HOURS, start=D, known={"base": Known((-0.5, 0.2))}, profile_points=0)
    assert fit["base"].value == pytest.approx(BASE, abs=4.0 * fit["base"].sigma)
    with pytest.raises(ValueError, match="surface: no possible value lies in the range"):
        fit_profile(profile, 3600.0 * HOURS, start=D, known={"surface": Known((2.0, 4.0))})


@pytest.mark.parametrize("ranged", [True, False])
def test_isotope_fractions_stay_those_of_something(ranged: bool, tmp_path: Path) -> None:
    """Of a surface in front of all points the fraction came out as 1.12; a range that is given may hold that."""
    x = np.linspace(0.5, 20.0, 50)
    exact = 0.0759 + 0.8741 * erfc(x / 2.0 / np.sqrt(7.2))
    drawn = exact + 0.01 * np.random.default_rng(3).normal(size=50)
    rows = "\n".join(f"{a:.4f},{b:.5f},0.01" for a, b in zip(x, drawn, strict=True))
    (tmp_path / "measured.csv").write_text(f"position_um,fraction,fraction_sigma\n{rows}\n")
    study = tmp_path / "study.toml"
    known = "" if ranged else '[[known]]\nname = "surface"\nlow = 0.5\nhigh = 2.0\n'
    study.write_text(
        'schema_version = 1\nkind = "profile"\n[profile]\nfile = "measured.csv"\n[model]\nduration_h = 10.0\n'
        f"start_D_m2_s = 3e-16\nfind_origin = true\n{known}"
    )
    done = CliRunner().invoke(app, ["tracer", str(study), "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    with h5py.File(tmp_path / "study.h5") as file:
        surface = float(file["surface"][()])
    assert (surface <= 1.0) == ranged
    assert ("an end of the range" in done.output) == ranged

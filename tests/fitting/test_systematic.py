"""What an import knows of errors that all points share, as parameters with priors; and counts with a background."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from npp_jax.files import ConfigError, load_experiment
from npp_jax.files.profile_table import read_profile
from npp_jax.files.sims_profile import write_profile
from npp_jax.fitting import LinearModel, Measurement, Objective, Problem, with_systematic
from npp_jax.fitting.systematic import extended
from npp_jax.inference import Parameter, Prior
from npp_jax.inference.parameter import ParameterError
from npp_jax.observe import DepthProfile, DowsettResponse, NuisancePrior, Observation, PoissonLikelihood
from npp_jax.sims import ImportOptions, import_sims
from npp_jax.sweeping.screening import SCREENING

SWEEPS = Path(__file__).resolve().parents[2] / "sweeps"
D_K = Parameter("D_K_m2_s", ("K.D_m2_s",), 3e-22, 3e-21, "log")


def imported(folder: Path, **fields) -> Path:
    """A file of import-sims: Li by its bulk, K by a number, counted."""
    rng = np.random.default_rng(2)
    depth = np.arange(160) + 0.5
    share = 1.0 / (1.0 + np.exp((depth - 100.0) / 3.0))
    columns = depth / 2.0, rng.poisson(2000.0 * (1.0 - 0.9 * share)), rng.poisson(1800.0 * share + 4.0)
    lines = ["Time (s),7Li+ (counts),39K+ (counts),28Si+ (counts)"]
    lines += [f"{t:g},{a},{b},{rng.poisson(1e6)}" for t, a, b in zip(*columns, strict=True)]
    (folder / "raw.csv").write_text("\n".join(lines), encoding="utf-8")
    species = {"Li": "7Li+", "K": "39K+"}
    options = ImportOptions(species, **{"normalise": {"K": "5e-4"}, "crater_depth_nm": 160.0, **fields})
    write_profile(folder / "K.h5", import_sims(folder / "raw.csv", options))
    return folder / "K.h5"


def problem(profile: DepthProfile, *parameters: Parameter, **fields) -> Problem:
    experiment = load_experiment(SWEEPS / "lithium_borate_K.toml")
    seen = Observation(DowsettResponse(0.8, 2.5, 1.5), depth_scale=1.05)
    return Problem((Measurement("K", experiment, profile, seen, **fields),), (D_K, *parameters))


def test_errors_of_an_import_are_parameters_with_priors(tmp_path: Path):
    path = imported(tmp_path, crater_sigma_nm=8.0, background={"K": (130.0, 160.0)})
    profile = read_profile(path)
    found = with_systematic(problem(profile))
    assert [p.name for p in found.parameters] == [
        "D_K_m2_s",
        "depth_scale",
        "Li_sensitivity",
        "K_background",
    ]
    _, depth, lithium, background = (p.prior for p in found.parameters)
    assert depth is not None and (depth.mean, depth.sigma) == pytest.approx((1.05, 0.05))
    # The points that tell the level are fitted: before, next to nothing is known of it.
    level = 1.0 / np.sqrt(32 * 2000)
    assert lithium is not None and (lithium.mean, lithium.sigma) == pytest.approx((1.0, 10.0 * level), rel=0.1)
    assert background is not None and background.sigma == pytest.approx(10.0 * np.sqrt(4.0 / 30.0) / 2000.0, rel=0.3)
    starts = extended(np.array([[1e-21], [2e-21]]), found)
    np.testing.assert_allclose(starts[:, 1:], [[1.05, 1.0, 0.0]] * 2)


def test_points_that_tell_a_level_count_once(tmp_path: Path):
    """What is known beforehand of a level is what points tell that the fit does not use."""
    path = imported(tmp_path, bulk_nm=(120.0, 150.0), background={"K": (110.0, 155.0)})
    alone = read_profile(path, first_depth_nm=151.0).systematic
    part = read_profile(path, first_depth_nm=135.0).systematic
    none = read_profile(path).systematic
    assert alone is not None and part is not None and none is not None
    level = 1.0 / np.sqrt(30 * 2000)
    assert alone.sensitivity[0] == pytest.approx(level, rel=0.05)
    np.testing.assert_allclose(part.sensitivity[0], 2.0**0.5 * alone.sensitivity[0])
    np.testing.assert_allclose(none.sensitivity[0], 10.0 * alone.sensitivity[0])
    # A mean over n points and what m of them tell by themselves.
    ratio = np.sqrt(45 / 41) / np.sqrt(45 / 25)
    assert alone.background[1] / part.background[1] == pytest.approx(ratio)
    # A number of the user is no mean of points.
    assert none.sensitivity[1] == 0.0


def test_a_bulk_below_the_last_point_that_is_fitted_is_known(tmp_path: Path):
    path = imported(tmp_path, bulk_nm=(120.0, 150.0))
    above, whole = read_profile(path, last_depth_nm=119.0), read_profile(path)
    assert above.systematic is not None and whole.systematic is not None
    assert int(np.sum(np.asarray(above.weight)[0] > 0.0)) == 119
    np.testing.assert_allclose(10.0 * above.systematic.sensitivity[0], whole.systematic.sensitivity[0])


@pytest.mark.parametrize("method", ["uptake", "sum"])
def test_a_scale_by_the_charge_or_the_sum_of_the_points_counts_once(method: str, tmp_path: Path):
    """The model has the same charge and the same sum: of its own scale 83 % of the 95 % intervals held the truth."""
    path = imported(tmp_path, normalise={"K": method}, charge_mC_cm2=22.4, density_m3=1.4e28)
    known = read_profile(path).systematic
    assert known is not None
    counted = 1800.0 * 100.0
    assert 9.0 / np.sqrt(counted) < known.sensitivity[1] < 14.0 / np.sqrt(counted)


def test_a_study_that_knows_better_is_left_alone(tmp_path: Path):
    profile = read_profile(imported(tmp_path, crater_sigma_nm=8.0, background={"K": (130.0, 160.0)}))
    own = Parameter("scale", ("observation.depth_scale",), 0.9, 1.1, prior=Prior(1.0, 0.01))
    nuisance = NuisancePrior(1.0, 0.05, 0.0, 0.01)
    given = problem(profile, own, nuisance=nuisance)
    assert with_systematic(given) is given
    exact = problem(dataclasses.replace(profile, systematic=None))
    assert with_systematic(exact) is exact


@pytest.mark.parametrize("name", ["sensitivity", "background"])
def test_what_is_solved_for_is_no_parameter(tmp_path: Path, name: str):
    """Both would set one number: its interval would be that of their product, or of their sum."""
    profile = read_profile(imported(tmp_path))
    own = Parameter("own", (f"observation.K.{name}",), 0.0, 2.0)
    sigma = {f"{n}_sigma": 0.05 if n == name else 0.0 for n in ("sensitivity", "background")}
    with pytest.raises(ParameterError, match=f"'K': 'observation.K.{name}': the {name} is solved for by {name}_sigma"):
        problem(profile, own, nuisance=NuisancePrior(1.0, background=0.0, **sigma))
    # One ion may have a parameter where the others are solved for.
    others = sigma | {f"{name}_sigma": [0.05 if ion != "K" else 0.0 for ion in profile.species]}
    assert problem(profile, own, nuisance=NuisancePrior(1.0, background=0.0, **others)).parameters[1] is own


def test_two_profiles_have_parameters_of_their_own(tmp_path: Path):
    one = problem(read_profile(imported(tmp_path, crater_sigma_nm=8.0))).measurements[0]
    both = Problem((one, dataclasses.replace(one, name="K2")), (D_K,))
    names = [p.name for p in with_systematic(both).parameters]
    assert names == ["D_K_m2_s", "K_depth_scale", "K_Li_sensitivity", "K2_depth_scale", "K2_Li_sensitivity"]


@pytest.mark.parametrize("reference", [None, "28Si+"])
def test_net_counts_are_compared_as_counts(tmp_path: Path, reference: str | None):
    """Poisson means hold the background that was taken off and the exposure of each point."""
    profile = read_profile(imported(tmp_path, background={"K": 4.0}, reference=reference), first_depth_nm=10.0)
    assert profile.counts is not None and profile.background is not None and profile.exposure is not None
    np.testing.assert_allclose((profile.background * profile.exposure)[1], 4.0, rtol=0.02)
    residual = np.asarray(PoissonLikelihood().residuals(profile.fraction, profile))
    # The net fractions are the mean that the counts themselves have.
    np.testing.assert_allclose(residual[:, :10], 0.0)
    np.testing.assert_allclose(residual[profile.counts > 0.0], 0.0, atol=1e-6)
    raised = np.asarray(PoissonLikelihood().residuals(profile.fraction + 0.01, profile))
    mean, counts = (np.asarray(profile.exposure * (profile.fraction + 0.01 + profile.background)), profile.counts)
    some = (np.asarray(profile.weight) > 0.0) & (np.asarray(counts) > 0.0)
    deviance = 2.0 * (mean - counts + counts * np.log(np.where(some, counts, 1.0) / mean))
    np.testing.assert_allclose((raised**2)[some], deviance[some], rtol=1e-6)


def test_counts_per_fraction_of_an_import_are_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="leave it out, this file tells its counts"):
        read_profile(imported(tmp_path), counts_per_fraction=2000.0)


@pytest.mark.slow
def test_the_jacobian_of_how_a_profile_is_seen(tmp_path: Path):
    """It is that of the residuals, though no simulation is differentiated for it."""
    profile = read_profile(imported(tmp_path, crater_sigma_nm=8.0, background={"K": 4.0}))
    found = with_systematic(problem(profile, likelihood=PoissonLikelihood()))
    objective = Objective(found, SCREENING)
    model = LinearModel(objective, chunk=1)
    theta = jnp.asarray([[9e-22, 1.02, 0.99]])
    expansion = model.expand(theta)
    step = 1e-6
    solutions = jax.jit(objective.solve)(theta)
    compared = jax.jit(lambda t: objective.compare(solutions, t).residuals[0])
    for k in (1, 2):
        move = jnp.zeros(3).at[k].set(step)
        slope = (compared(theta + move) - compared(theta - move))[0] / (2.0 * step)
        np.testing.assert_allclose(expansion.jacobian[0, :, k], slope, rtol=1e-4, atol=1e-3)
    assert np.max(np.abs(expansion.jacobian[0, :, 0])) > 0.0

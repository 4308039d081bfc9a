"""Fits of the bundled synthetic profiles: derivatives, truth within the intervals, rivals, report, wrong input."""

import dataclasses
import importlib
import json
import re
import tomllib
from pathlib import Path

import equinox as eqx
import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from described import check_described
from pages import check_page
from scipy import stats
from typer.testing import CliRunner

from npp_jax.cli import app
from npp_jax.files import ConfigError
from npp_jax.files.study import Study, load_study
from npp_jax.fitting import (
    FitResult,
    LawBands,
    LinearModel,
    Objective,
    draw,
    fit,
    law_bands,
    signal_sigma,
    with_free_form,
)
from npp_jax.fitting.jacobian import directions
from npp_jax.inference import Prior, Reason, RefineOptions, covariance, ranges_of, refine, theta_slope
from npp_jax.simulation.simulate import FAST
from npp_jax.sweeping.screening import OFFSET

SWEEPS = Path(__file__).resolve().parents[2] / "sweeps"
TRUTH = tomllib.loads((SWEEPS / "one_distribution.toml").read_text(encoding="utf-8"))["truth"]


@pytest.fixture(scope="module")
def study() -> Study:
    return load_study(SWEEPS / "one_distribution.toml")


@pytest.fixture(scope="module")
def truth(study: Study) -> np.ndarray:
    return np.array([TRUTH[axis.name] for axis in study.problem.parameters])


@pytest.fixture(scope="module")
def model(study: Study) -> LinearModel:
    return LinearModel(Objective(study.problem, dataclasses.replace(FAST, companion=False, observables=False)))


@pytest.fixture(scope="module")
def fitted(study: Study, model: LinearModel) -> FitResult:
    rng = np.random.default_rng(1)
    starts = np.stack([axis.at(rng.uniform(size=16)) for axis in study.problem.parameters], axis=1)
    return fit(model, starts, profile_points=7, options=RefineOptions(offset=OFFSET))


def test_parameters_of_different_experiments_share_a_direction(model: LinearModel):
    rows, simulated = directions(model.objective)
    np.testing.assert_array_equal(rows, [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 1, 1]])
    assert simulated == 3


def test_jacobian_is_the_slope_of_the_residuals(study: Study, model: LinearModel, truth: np.ndarray):
    # The mesh moves with the parameters and its derivative is left out: the two agree to the error of discretisation.
    slope = np.asarray(theta_slope(ranges_of(study.problem.parameters), jnp.asarray(truth)))
    step = 1e-3 * np.diag(slope)
    points = jnp.asarray(np.concatenate([truth + step, truth - step]))
    found = model.expand(points)
    difference = (found.residual[:5] - found.residual[5:]).T / 2e-3
    here = np.asarray(model.expand(jnp.asarray(truth[None])).jacobian[0]) * slope
    for k in range(5):
        assert np.linalg.norm(here[:, k] - difference[:, k]) < 0.02 * np.linalg.norm(here[:, k])
    # D_K is no parameter of the other glasses.
    assert np.all(here[320:, 2] == 0.0) and np.any(here[:320, 2] != 0.0)


def test_every_start_ends_in_the_one_minimum(fitted: FitResult):
    assert fitted.agreeing == 16
    assert set(np.asarray(fitted.refined.reason).tolist()) == {Reason.CONVERGED}
    assert int(fitted.refined.failed_evaluations.sum()) == 0


def test_truth_lies_within_the_intervals(fitted: FitResult, truth: np.ndarray):
    for k, profile in enumerate(fitted.profiles):
        assert profile.interval[0] < truth[k] < profile.interval[1]
        assert [end.outcome.name for end in profile.ends] == ["CLOSED", "CLOSED"] and not profile.improved
        assert len(profile.values) == 7 and not any(end.others for end in profile.ends)
        # Nearly linear: the intervals of the covariance and of the profile differ little.
        low, high = (float(end) for end in fitted.covariance.interval[k])
        assert profile.interval == pytest.approx((low, high), abs=0.3 * (high - low))
    assert 0.001 < fitted.p_value < 0.9999
    assert sum(fitted.chi2_of.values()) == pytest.approx(fitted.chi2)
    assert fitted.points == 960 and fitted.effective == pytest.approx(5.0)


def test_no_ends_are_sought_where_the_model_is_far_off(study: Study, fitted: FitResult, tmp_path: Path):
    """Counts said to be a hundred times as many as they are: no model lies within their scatter."""
    text = (SWEEPS / "one_distribution.toml").read_text(encoding="utf-8")
    text = text.replace("counts_per_fraction = 2000.0", "counts_per_fraction = 2e5")
    (tmp_path / "study.toml").write_text(_absolute(text), encoding="utf-8")
    problem = load_study(tmp_path / "study.toml").problem
    model, told = LinearModel(Objective(problem, dataclasses.replace(FAST, companion=False, observables=False))), []
    found = fit(model, np.tile(fitted.theta, (16, 1)), options=RefineOptions(offset=OFFSET), on_refined=told.append)
    assert found.far_off and not found.profiles and not told and not fitted.far_off
    assert all("covariance" in found[name].how for name in found.names)
    assert any("profile likelihoods are not sought so far off" in line for line in found.warnings())


def test_words_follow_the_probability_and_what_was_known(fitted: FitResult):
    poor = dataclasses.replace(fitted, p_value=0.02)
    assert "The model agrees with the data" in fitted.sentence() and "agrees poorly" not in fitted.sentence()
    assert "The model agrees poorly with the data" in poor.sentence()
    assert any("one of 50 measurements of a right model" in line for line in poor.warnings())
    # Held at an end, and not searched for: the data may well set a limit.
    every = dataclasses.replace(fitted.covariance, held=jnp.ones(len(fitted.parameters), bool))
    held = dataclasses.replace(fitted, profiles=(), covariance=every)
    assert not any("set no limit" in line for line in held.warnings())
    width = fitted["sed_fwhm_eV"].value
    known = [
        dataclasses.replace(p, prior=Prior(0.98 * width, 0.005 * width)) if p.name == "sed_fwhm_eV" else p
        for p in fitted.parameters
    ]
    (line,) = (line for line in dataclasses.replace(fitted, parameters=tuple(known)).warnings() if "was known" in line)
    assert line.startswith("sed_fwhm_eV ended 4.0 standard deviations from what was known of it")


def test_intervals_of_replicates_hold_the_truth(
    study: Study, model: LinearModel, truth: np.ndarray, project_root: Path, monkeypatch: pytest.MonkeyPatch
):
    """The bundled glasses counted 48 times anew: the small brother of benchmarks/fit_coverage.py."""
    monkeypatch.syspath_prepend(str(project_root / "benchmarks"))
    benchmark = importlib.import_module("fit_coverage")
    clean = [signal[0] for signal in model.expand(jnp.asarray(truth[None])).signals]
    data = [benchmark.count_again(clean, study.problem.measurements, seed) for seed in range(48)]
    function = benchmark.residuals_of_replicates(model, data)
    found = refine(
        function, study.problem.parameters, np.repeat(truth[None], 48, axis=0), options=RefineOptions(offset=OFFSET)
    )
    assert set(np.asarray(found.reason).tolist()) == {Reason.CONVERGED}
    ranges = ranges_of(study.problem.parameters)
    _, jacobian, _ = function(found.theta)
    errors = jax.vmap(lambda j, theta: covariance(j, theta, ranges))(jacobian, found.theta)
    covered = np.sum((errors.interval[..., 0] <= truth) & (truth <= errors.interval[..., 1]), axis=0)
    assert np.all(covered >= stats.binom.ppf(1e-3, 48, 0.95)), covered


def test_bands_are_the_scatter_of_the_draws(study: Study, model: LinearModel, fitted: FitResult, truth: np.ndarray):
    # A tenth of the way, where signals follow the parameters linearly.
    drawn = fitted.theta + 0.1 * (draw(fitted, 64) - fitted.theta)
    signals = model.expand(jnp.asarray(drawn)).signals
    for k, signal in enumerate(signals):
        sigma = signal_sigma(fitted, k)
        seen = sigma > 0.2 * sigma.max()
        np.testing.assert_allclose(10.0 * np.std(np.asarray(signal), axis=0)[seen], sigma[seen], rtol=0.35)
    bands = law_bands(study.problem, study.problem.measurements[0], fitted)
    assert bands is not None and bands.species == "Li"
    law = study.problem.experiment(study.problem.measurements[0], jnp.asarray(truth)).species[0].diffusivity
    temperature = study.problem.measurements[0].experiment.stages[0].temperature
    true = np.asarray(law.at(temperature)(jnp.asarray(bands.fraction)))
    # D of the bulk is no parameter: the band ends in a point.
    held = (bands.fraction > 0.02) & (bands.fraction < 1.0)
    assert np.all((true >= bands.diffusivity.low)[held]) and np.all((true <= bands.diffusivity.high)[held])
    assert [float(edge[-1] / true[-1]) for edge in bands.diffusivity] == pytest.approx([1.0, 1.0, 1.0], rel=1e-12)


def test_bands_to_first_order_and_beyond(study: Study, fitted: FitResult):
    measurement = study.problem.measurements[0]

    def bands_of(factor: float) -> LawBands:
        spread = eqx.tree_at(lambda c: c.scaled, fitted.covariance, factor * fitted.covariance.scaled)
        bands = law_bands(study.problem, measurement, dataclasses.replace(fitted, covariance=spread))
        assert bands is not None
        return bands

    narrow = bands_of(1e-2)
    # Small enough to be linear: half widths are those of draws.
    drawn = jnp.asarray(fitted.theta + 0.1 * (draw(fitted, 200) - fitted.theta))
    at = lambda theta: study.problem.experiment(measurement, theta).species[0].diffusivity  # noqa: E731
    fraction = jnp.asarray(narrow.fraction)
    curves = jax.vmap(lambda theta: at(theta).at(measurement.experiment.stages[0].temperature)(fraction))(drawn)
    seen = narrow.fraction < 0.95
    scatter = np.std(np.log(np.asarray(curves)), axis=0)[seen]
    half = np.log(narrow.diffusivity.high / narrow.diffusivity.low)[seen] / (2 * 1.96)
    np.testing.assert_allclose(half, scatter, rtol=0.2)
    # A factor e of uncertainty: 1/D, which the data see, reaches zero, and D of the bulk is the only limit left.
    wide = bands_of(1e5)
    free = wide.diffusivity.low < wide.diffusivity.best * np.exp(-1.0)
    assert free.any()
    np.testing.assert_allclose(wide.diffusivity.high[free], wide.diffusivity.high[-1], rtol=1e-6)
    sites = wide.sites
    assert sites is not None
    assert np.all(sites.activation.low[free] == 0.0)
    for band in (wide.diffusivity, sites.activation, sites.density):
        assert np.all((band.low <= band.best) & (band.best <= band.high))


def test_free_form_with_equal_slopes_is_the_gaussian(study: Study):
    experiment = study.problem.measurements[0].experiment
    free = with_free_form(experiment, 24)
    x, temperature = jnp.linspace(0.02, 1.0, 50), jnp.asarray(experiment.stages[0].temperature)
    before, after = (e.species[0].diffusivity.at(temperature)(x) for e in (experiment, free))
    np.testing.assert_allclose(after, before, rtol=1e-6)


@pytest.mark.slow
def test_report_of_the_command(tmp_path: Path):
    text = (SWEEPS / "one_distribution.toml").read_text(encoding="utf-8").replace("= 4096", "= 85")
    text = text.replace('setting = "fast"', 'setting = "fast"\nstarts = 4\nprofile_points = 0')
    (tmp_path / "study.toml").write_text(_absolute(text), encoding="utf-8")
    command = ["fit", str(tmp_path / "study.toml"), "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*command, "--method", "levenberg-marquardt"])
    assert result.exit_code == 0, result.output
    numbers = json.loads((tmp_path / "out" / "study_fit.json").read_text(encoding="utf-8"))
    assert numbers["fit"]["ended"] == "CONVERGED" and numbers["candidates"] == 85
    for name, value in numbers["fit"]["parameters"].items():
        assert value["interval_95"][0] < TRUTH[name] < value["interval_95"][1]
    report = (tmp_path / "out" / "study_report.md").read_text(encoding="utf-8")
    for name in ("profiles", "site_energies", "correlation", "landscape"):
        assert f"study_{name}.png" in report and (tmp_path / "out" / f"study_{name}.png").stat().st_size > 10_000
    page = check_page((tmp_path / "out" / "study_report.html").read_text(encoding="utf-8"))
    words = " ".join(page.words)
    assert "The width of the site energies of Li is 0.2" in words and "5 of 5 true values are inside" in words
    assert len(page.all("svg")) == 4 and len(page.all("details")) == 6
    with h5py.File(tmp_path / "out" / "study_fit.h5") as file:
        check_described(file)
        assert set(file["theta"].dims[0][0].asstr()[...]) == set(TRUTH)
        assert file["K/depth"].is_scale and file["K/depth"].attrs["units"] == "nm"
        assert np.asarray(file["K/fitted"]).shape == np.asarray(file["K/measured"]).shape == (2, 160)
    drawn = CliRunner().invoke(app, ["plot", str(tmp_path / "out" / "study_fit.h5")])
    assert drawn.exit_code == 0, drawn.output
    for name in ("profiles", "correlation", "site_energies", "landscape"):
        assert (tmp_path / "out" / f"study_fit_plot_{name}.png").stat().st_size > 10_000


def _absolute(text: str) -> str:
    return text.replace('file = "lithium', f'file = "{SWEEPS}/lithium').replace(
        'profile = "synthetic', f'profile = "{SWEEPS}/synthetic'
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("counts_per_fraction = 2000.0\n", "", "K: a poisson likelihood needs counts; give counts_per_fraction"),
        (
            '[fit]\nsetting = "fast"',
            '[fit]\n[[fit.rivals]]\nname = "r"\nseparate = ["sed_fwhm"]',
            "rival 'r': separate = 'sed_fwhm'; known are sed_fwhm_eV",
        ),
        ('keys = ["K.D_m2_s"]', 'keys = ["observation.depth_scal"]', "did you mean 'observation.depth_scale'?"),
        ('setting = "fast"', 'seting = "fast"', "fit.seting: unknown key; did you mean 'setting'?"),
        ('kind = "poisson"', 'kind = "poison"', "likelihood.kind"),
    ],
)
def test_wrong_studies_end_in_one_line(tmp_path: Path, old: str, new: str, message: str):
    text = _absolute((SWEEPS / "one_distribution.toml").read_text(encoding="utf-8"))
    assert old in text
    (tmp_path / "study.toml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_study(tmp_path / "study.toml")
    assert message in str(error.value) and "\n" not in str(error.value)
    result = CliRunner().invoke(app, ["fit", str(tmp_path / "study.toml")])
    assert result.exit_code == 2


def test_what_cannot_be_simulated_is_told_by_name(tmp_path: Path):
    text = _absolute((SWEEPS / "one_distribution.toml").read_text(encoding="utf-8"))
    wrong = (SWEEPS / "lithium_borate_Rb.toml").read_text(encoding="utf-8")
    wrong = re.sub(r"charge_mC_cm2 = [\d.]+", "charge_mC_cm2 = 1e7", wrong)
    (tmp_path / "Rb.toml").write_text(wrong, encoding="utf-8")
    text = text.replace(f'"{SWEEPS}/lithium_borate_Rb.toml"', '"Rb.toml"')
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"study\.toml: experiments: 'Rb': stages\[0\]: 1e\+08 C/m² are passed"):
        load_study(tmp_path / "study.toml")


def test_a_rival_that_cannot_be_simulated_is_told_by_its_name(tmp_path: Path):
    """Its experiments are those of the study, of which nothing is wrong."""
    text = _absolute((SWEEPS / "rival_physics.toml").read_text(encoding="utf-8"))
    beyond = 'set = { "stages.0.charge_mC_cm2" = 4e7 }'
    text = text.replace('set = { "Li.diffusion_term" = "thermodynamic" }', beyond)
    text = text.replace('file = "synthetic', f'file = "{SWEEPS}/synthetic')
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"fit\.rivals: 'thermodynamic factor': 'K': stages\[0\]: 4e\+08 C/m² are"):
        load_study(tmp_path / "study.toml")


def test_a_study_without_profiles_is_refused(tmp_path: Path):
    text = _absolute((SWEEPS / "one_distribution.toml").read_text(encoding="utf-8"))
    kept = [line for line in text.splitlines() if not line.startswith(("profile =", "counts_per", "likelihood"))]
    (tmp_path / "study.toml").write_text("\n".join(kept), encoding="utf-8")
    result = CliRunner().invoke(app, ["fit", str(tmp_path / "study.toml")])
    assert result.exit_code == 2 and "no experiment has a profile" in result.output


def test_depth_scale_and_sensitivity_as_parameters(tmp_path: Path):
    text = _absolute((SWEEPS / "one_distribution.toml").read_text(encoding="utf-8"))
    more = (
        '\n[[parameters]]\nname = "depth_scale_K"\nkeys = ["observation.depth_scale"]\nexperiments = ["K"]\nlow = 0.9\n'
        'high = 1.1\n[[parameters]]\nname = "sensitivity_K"\nkeys = ["observation.K.sensitivity"]\n'
        'experiments = ["K"]\nlow = 0.5\nhigh = 2.0\nscale = "log"\n\n[design]'
    )
    (tmp_path / "study.toml").write_text(text.replace("\n[design]", more), encoding="utf-8")
    problem = load_study(tmp_path / "study.toml").problem
    objective = Objective(problem, dataclasses.replace(FAST, companion=False, observables=False))
    plain = [TRUTH[p.name] for p in problem.parameters[:5]]
    theta = jnp.asarray([[*plain, 1.0, 1.0], [*plain, 1.02, 1.0], [*plain, 1.0, 1.1]])
    predicted = jax.jit(objective.residuals)(theta)
    potassium, rubidium = (np.asarray(signal) for signal in predicted.signals[:2])
    depth = np.asarray(problem.measurements[0].profile.depth)
    # A point measured at z is at 1.02 z: the profile is that of the deeper point.
    stretched = np.interp(1.02 * depth, depth, potassium[0, 0])
    np.testing.assert_allclose(potassium[1, 0, 5:150], stretched[5:150], atol=3e-3)
    np.testing.assert_allclose(potassium[2, 1], 1.1 * potassium[0, 1], rtol=1e-9)
    np.testing.assert_allclose(potassium[2, 0], potassium[0, 0], rtol=1e-9)
    np.testing.assert_allclose(rubidium, np.broadcast_to(rubidium[0], rubidium.shape), rtol=1e-9)


def test_rivals_that_set_keys_of_the_experiments():
    study = load_study(SWEEPS / "rival_distributions.toml")
    filled, foreign = study.rivals[-2:]
    for measurement in filled.problem.measurements:
        first, second = measurement.experiment.species
        assert first.diffusivity.filling == "fermi-dirac" and not hasattr(second.diffusivity, "filling")
    assert filled.parameters == study.problem.parameters and not filled.contains_main
    for measurement, ion in zip(foreign.problem.measurements, ("K", "Rb", "Cs"), strict=True):
        assert [p.name for p in foreign.problem.parameters if foreign.problem.enters(p, measurement)] == [
            "sed_fwhm_eV",
            "vacancy_fraction",
            f"D_{ion}_m2_s",
            f"fwhm_{ion}_eV",
        ]
    assert foreign.contains_main and len(foreign.parameters) == 8
    # At the narrowest width D is constant to a few per cent where the ion is.
    theta = jnp.asarray([TRUTH.get(bound.name, bound.low) for bound in foreign.parameters])
    potassium = foreign.problem.experiment(foreign.problem.measurements[0], theta).species[1].diffusivity
    found = potassium.at(jnp.asarray(350.0))(jnp.linspace(0.05, 1.0, 20))
    np.testing.assert_allclose(found, TRUTH["D_K_m2_s"], rtol=0.05)


@pytest.mark.parametrize(
    ("rival", "message"),
    [
        ('set = { "Na.filling" = "sharp" }', "set = 'Na.filling' has no place in any experiment"),
        ('set = { "Li.filing" = "sharp" }', "did you mean 'filling'?"),
        ('set = { "stages.3.temperature_K" = 300.0 }', "'stages.3.temperature_K' has no place; known are sample.KEY"),
        ('set = { "Li.filling" = "sharp" }\ncontains_first = true', "has more parameters than it"),
    ],
)
def test_wrong_rivals_end_in_one_line(tmp_path: Path, rival: str, message: str):
    text = _absolute((SWEEPS / "one_distribution.toml").read_text(encoding="utf-8"))
    path = tmp_path / "study.toml"
    path.write_text(text.replace("[fit]\n", f'[fit]\n[[fit.rivals]]\nname = "r"\n{rival}\n[fit_]\n'), encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace('[fit_]\nsetting = "fast"\n', ""), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_study(path)
    assert message in str(error.value) and "\n" not in str(error.value)

"""Sweeps from the study file to the file of results."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from devices_run import COARSE, DEPTHS
from scipy import special

from npp_jax.commands.fit.starts import read_starts
from npp_jax.commands.sweep import failures, run_study
from npp_jax.files import ConfigError
from npp_jax.files.study import load_study
from npp_jax.fitting import Objective, Problem
from npp_jax.inference import Prior
from npp_jax.simulation.simulate import FAST, simulate
from npp_jax.simulation.status import Status
from npp_jax.sweeping import SweepFileError, Workers, rows, training_data


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pytestconfig):
    """The bundled study, cut down to 20 candidates in chunks of 8 and to two of the glasses."""
    target = tmp_path_factory.mktemp("study")
    sweeps = pytestconfig.rootpath / "sweeps"
    shutil.copytree(sweeps / "synthetic", target / "synthetic")
    for file in sweeps.glob("lithium_borate_*.toml"):
        shutil.copy(file, target)
    text = (sweeps / "one_distribution.toml").read_text(encoding="utf-8")
    text = text.replace("candidates = 4096", "candidates = 20").replace("[sweep]", "[sweep]\nchunk = 8")
    (target / "study.toml").write_text(text + "error_estimate = false\nprofiles = true\n", encoding="utf-8")
    return target


@pytest.fixture(scope="module")
def study(folder):
    return load_study(folder / "study.toml")


@pytest.fixture(scope="module")
def evaluated(study):
    objective = Objective(study.problem, COARSE)
    evaluate = jax.jit(objective.evaluate)
    theta = jnp.asarray(rows(study.design, 0, 8))
    return evaluate, theta, evaluate(theta)


@pytest.mark.slow
def test_stacked_experiments_equal_single_ones(study, evaluated):
    _, theta, found = evaluated
    for k, measurement in enumerate(study.problem.measurements):
        alone = simulate(study.problem.experiment(measurement, theta[3]), COARSE)
        np.testing.assert_allclose(found.front_depth[3, k], alone.front_depth[-1], rtol=1e-9)
        np.testing.assert_allclose(found.time[3, k], alone.time[-1], rtol=1e-9)


def test_a_bad_candidate_leaves_the_others_as_they_are(evaluated):
    evaluate, theta, found = evaluated
    broken = evaluate(theta.at[2, 0].set(jnp.nan))
    assert (broken.status[2] == Status.NOT_FINITE).all()
    others = np.arange(8) != 2
    for before, after in zip(found, broken, strict=True):
        np.testing.assert_array_equal(np.asarray(before)[others], np.asarray(after)[others])


@pytest.mark.slow
def test_chi2_at_the_truth_is_the_noise(study):
    truth = jnp.array([[0.25, 0.1, 9.6813e-22, 1.8825e-22, 4.3028e-23]])
    found = jax.jit(Objective(study.problem, dataclasses.replace(FAST, companion=False)).evaluate)(truth)
    points = [m.profile.fraction.size for m in study.problem.measurements if m.profile is not None]
    # Four standard deviations of a χ² with as many degrees of freedom as points; regions without counts have less.
    assert (np.asarray(found.chi2[0]) < np.array(points) + 4.0 * np.sqrt(2.0 * np.array(points))).all()
    assert (np.asarray(found.chi2[0]) > 0.5 * np.array(points)).all()


@pytest.fixture(scope="module")
def whole(study, tmp_path_factory):
    """File of the sweep, its chunks beside it."""
    target = tmp_path_factory.mktemp("whole") / "whole.h5"
    run_study(study, target, force=False, workers=Workers(2), quiet=True)
    return target


def test_a_fit_starts_from_a_sweep_of_its_own(folder, study, whole, tmp_path):
    swept = read_starts(whole, study)
    assert len(swept.theta) == 20

    def ranges(**changed):
        first, *others = study.problem.parameters
        parameters = (dataclasses.replace(first, **changed), *others)
        problem = dataclasses.replace(study.problem, parameters=parameters)
        return dataclasses.replace(study, main=dataclasses.replace(study.main, problem=problem))

    middle = float(np.median(swept.theta[:, 0]))
    kept = read_starts(whole, ranges(low=middle))
    np.testing.assert_array_equal(kept.theta, swept.theta[swept.theta[:, 0] >= middle])
    np.testing.assert_array_equal(kept.status, swept.status[swept.theta[:, 0] >= middle])
    with pytest.raises(ConfigError, match=r"whole\.h5: none of its 20 candidates is within the ranges"):
        read_starts(whole, ranges(low=0.9, high=1.0))
    with pytest.raises(ConfigError, match=r"whole\.h5: the parameters of the sweep are sed_fwhm_eV, .* not width, "):
        read_starts(whole, ranges(name="width"))
    shutil.copytree(folder, tmp_path / "other")
    profile = tmp_path / "other" / "synthetic" / "K.csv"
    profile.write_text(profile.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    same = read_starts(whole, load_study(tmp_path / "other" / "study.toml"))
    np.testing.assert_array_equal(same.theta, swept.theta)
    lines = profile.read_text(encoding="utf-8").rstrip().splitlines()
    profile.write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"whole\.h5: the sweep had another K\.csv; sweep again"):
        read_starts(whole, load_study(tmp_path / "other" / "study.toml"))


def test_an_interrupted_sweep_ends_in_the_same_file(study, whole, tmp_path):
    resumed = tmp_path / "resumed.h5"
    shutil.copytree(whole.with_suffix(".sweep"), tmp_path / "resumed.sweep")
    chunks = sorted((tmp_path / "resumed.sweep").glob("*.chunk"))
    assert len(chunks) == 3
    chunks[0].unlink()
    damaged = bytearray(chunks[1].read_bytes())
    damaged[-5] ^= 1
    chunks[1].write_bytes(bytes(damaged))
    # Where the study leaves the chunks to the device, those of the run go on.
    uncut = dataclasses.replace(study, sweep=study.sweep.model_copy(update={"chunk": None}))
    result = run_study(uncut, resumed, force=False, workers=Workers(1), quiet=True)
    assert whole.read_bytes() == resumed.read_bytes()
    assert len(result.theta) == 20
    assert failures(result) < 10
    assert result.summary().startswith("20 candidates")
    with h5py.File(whole) as file:
        assert file["chi2"].shape == (20, 3)
        assert file["chi2"].dims[0].keys() == ["candidate"]
        np.testing.assert_array_equal(file["sed_fwhm_eV"][()], rows(study.design, 0, 20)[:, 0])
        for k, name in enumerate(file["experiment"].asstr()):
            profile = file[f"profile_{name}"]
            assert profile.dtype == np.float32
            assert [dim.label for dim in profile.dims] == ["candidate", f"species_{name}", f"depth_{name}"]
            seen = file[f"sensitivity_{name}"][()][..., None] * profile[()] + file[f"background_{name}"][()][..., None]
            counts, mean = (2000.0 * values.astype(float) for values in (file[f"measured_{name}"][()], seen))
            # Means at or below zero count as about a thousandth.
            root = np.hypot(mean, 2e-3)
            mean = np.where(mean > 0.0, 0.5 * (mean + root), 2e-6 / (root + np.abs(mean)))
            # Twice the deviance of counts: what a Poisson likelihood makes of them.
            deviance = 2.0 * (mean - counts + special.xlogy(counts, counts / mean))
            chi2 = np.sum(file[f"weight_{name}"][()] * deviance, axis=(1, 2))
            finite = np.isfinite(file["chi2"][:, k])
            assert finite.sum() > 10
            np.testing.assert_allclose(chi2[finite], file["chi2"][:, k][finite], rtol=1e-3)


@pytest.mark.slow
def test_four_devices_compile_once_and_find_what_one_finds(folder, study, evaluated, tmp_path):
    _, theta, found = evaluated
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4"
    script, result = Path(__file__).parents[1] / "devices_run.py", tmp_path / "four.npz"
    subprocess.run(
        [sys.executable, script, folder / "study.toml", result],
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        check=True,
    )
    with np.load(result) as four:
        assert four["devices"] == 4
        assert four["traces"].tolist() == [[2, 5]]
        for name, one in found._asdict().items():
            np.testing.assert_allclose(four[name][:8], np.asarray(one), rtol=1e-9, err_msg=name)
        assert four["status"].shape == (20, 3)
        for measurement in study.problem.measurements:
            alone = simulate(study.problem.experiment(measurement, theta[3]), COARSE)
            expected = alone.profile(jnp.asarray(DEPTHS) * 1e-9)
            order = [alone.species.index(name) for name in measurement.profile.species]
            np.testing.assert_allclose(four[f"profile_{measurement.name}"][3], expected[order, :], atol=1e-6)
            assert four[f"profile_{measurement.name}"].dtype == np.float32


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('keys = ["Li.sed_fwhm_eV"]', 'keys = ["Li.sed_fwhm"]', "did you mean 'Li.sed_fwhm_eV'"),
        ("low = 0.15", "low = 0.5", "must be below"),
        ("low = 0.15", "low = -0.15", r"low = -0\.15: Li\.sed_fwhm_eV must be greater than 0 and less than"),
        ("candidates = 20", "candidates = true", "a number is needed"),
        ('kind = "sobol"', 'kind = "sobl"', "design.kind"),
        ("candidates = 20", "candidate = 20", "did you mean 'candidates'"),
        ("profiles = true", "profile_grid = { last_nm = 9.0, points = 5 }", "belongs to profiles = true"),
        ("profiles = true", "profile_grid = { first_nm = 9.0, last_nm = 9.0, points = 5 }", "less than last_nm"),
        ("profiles = true", "profile_grid = { last_nm = 9.0, point = 5 }", "did you mean 'points'"),
        ('dtype = "float64"', 'model = "full"\ndtype = "float32"', "allowed is 'float64'"),
        ('name = "sed_fwhm_eV"', 'name = "chi2"', "'chi2' is taken"),
        ('profile = "synthetic/K.csv"', 'profile = "synthetic/L.csv"', r"\.profile = 'synthetic/L\.csv': No such file"),
        (
            'profile = "synthetic/K.csv"',
            'profile = "none.h5"',
            r"wrong\.toml: experiments\[\d\]\.profile = 'none\.h5': No such file",
        ),
        (
            'file = "lithium_borate_K.toml"',
            'file = "lithium_borate_L.toml"',
            r"\.file = 'lithium_borate_L\.toml': No such file",
        ),
        ('kind = "dowsett", leading_nm = 0.8,', 'kind = "dowsett",', "leading_nm"),
    ],
)
def test_a_wrong_study_ends_in_one_line(folder, old, new, message):
    text = (folder / "study.toml").read_text(encoding="utf-8")
    assert old in text
    wrong = folder / "wrong.toml"
    wrong.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as error:
        load_study(wrong)
    assert "\n" not in str(error.value)


def test_candidates_of_a_table_are_within_the_ranges_of_their_keys(folder):
    text = (folder / "study.toml").read_text(encoding="utf-8")
    names = re.findall(r'^name = "(\w+_(?:eV|m2_s)|vacancy_fraction)"', text, re.M)
    (folder / "candidates.csv").write_text(f"{','.join(names)}\n{','.join('-1.0' for _ in names)}\n", encoding="utf-8")
    design = re.sub(r"\[design\][^\[]*", '[design]\nkind = "table"\nfile = "candidates.csv"\n\n', text)
    (folder / "wrong.toml").write_text(design, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"the table of candidates has sed_fwhm_eV = -1: .* greater than 0"):
        load_study(folder / "wrong.toml")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("3.5,0.1,0.01,x,0.02", "column 'K': 'x' is not a number"),
        ("3.5,0.1,0.01", "3 fields, the header has 5"),
        ("0.1,0.1,0.01,0.2,0.02", "depths must increase"),
        ("3.5,nan,0.01,0.2,0.02", "Li = nan is not a finite number"),
        ("3.5,0.1,-0.01,0.2,0.02", "Li_sigma = -0.01 is negative"),
    ],
)
def test_a_wrong_profile_ends_in_one_line(folder, tmp_path, line, message):
    shutil.copytree(folder, tmp_path / "copy")
    profile = tmp_path / "copy" / "synthetic" / "K.csv"
    lines = profile.read_text(encoding="utf-8").splitlines()
    lines[5] = line
    profile.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as error:
        load_study(tmp_path / "copy" / "study.toml")
    assert str(Path("synthetic") / "K.csv") in str(error.value)
    assert "\n" not in str(error.value)


def test_training_data_are_the_signals_of_the_fit(study, whole):
    data = training_data(whole, study.problem)
    assert data.good.all() and data.result.theta.shape == (20, 5)
    chi2 = np.zeros((20, 3))
    for k, (block, measurement) in enumerate(zip(data.noise.blocks, study.problem.measurements, strict=True)):
        signals = jnp.asarray(data.signal[:, block.part].reshape(20, *block.used.shape), float)
        residuals = jax.vmap(measurement.likelihood.residuals, in_axes=(0, None))(signals, measurement.profile)
        chi2[:, k] = jnp.sum(residuals**2, axis=(1, 2))
    np.testing.assert_allclose(chi2, data.result.chi2, rtol=1e-4)
    np.testing.assert_allclose(data.to_theta(data.unit), data.result.theta, rtol=1e-12)
    assert 0.0 <= data.unit.min() and data.unit.max() <= 1.0


def test_training_data_within_narrower_ranges_and_with_a_prior(study, whole):
    first, *others = study.problem.parameters
    *shared, last = others
    narrow = dataclasses.replace(first, low=0.2, high=0.3)
    known = dataclasses.replace(last, prior=Prior(1e-22, 0.5))
    data = training_data(whole, dataclasses.replace(study.problem, parameters=(narrow, *shared, known)))
    every = training_data(whole, study.problem)
    within = (every.result.theta[:, 0] >= 0.2) & (every.result.theta[:, 0] <= 0.3)
    assert 0 < within.sum() < 20
    np.testing.assert_array_equal(data.signal, every.signal[within])
    np.testing.assert_allclose(data.unit[:, 0], (every.result.theta[within, 0] - 0.2) / 0.1)
    expected = -0.5 * (np.log(data.result.theta[:, 4] / 1e-22) / 0.5) ** 2
    np.testing.assert_allclose(data.log_prior(data.unit), expected, rtol=1e-9, atol=1e-12)
    assert data.log_prior(data.unit + 1.0).tolist() == [-np.inf] * len(data.unit)
    assert not every.log_prior(every.unit).any()


def test_training_data_of_another_problem_are_refused(study, whole, tmp_path):
    first, *others = study.problem.parameters
    log = dataclasses.replace(study.problem, parameters=(dataclasses.replace(first, scale="log"), *others))
    with pytest.raises(ValueError, match="sed_fwhm_eV: the sweep has the scale 'linear', the problem 'log'"):
        training_data(whole, log)
    with pytest.raises(ValueError, match="the parameters of the sweep are"):
        training_data(whole, dataclasses.replace(study.problem, parameters=study.problem.parameters[:4]))
    measurement = study.problem.measurements[0]
    systematic = dataclasses.replace(measurement.profile, systematic=(0.02, [0.0, 0.0], [0.0, 0.0]))
    imported = dataclasses.replace(measurement, profile=systematic)
    with pytest.raises(ValueError, match=r"make them parameters: observation\.depth_scale"):
        training_data(whole, Problem((imported, *study.problem.measurements[1:]), study.problem.parameters))
    shutil.copy(whole, tmp_path / "bare.h5")
    with h5py.File(tmp_path / "bare.h5", "r+") as file:
        del file["sensitivity_Rb"]
    with pytest.raises(SweepFileError, match=r"bare\.h5: nothing was kept at the measured points of Rb; sweep with"):
        training_data(tmp_path / "bare.h5", study.problem)

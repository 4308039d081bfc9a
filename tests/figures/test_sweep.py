"""Figures and exports of a sweep show the numbers of its file."""

import csv
import dataclasses
import shutil
from unittest.mock import Mock

import h5py
import numpy as np
import pytest
from matplotlib.figure import Figure

from npp_jax.commands import export
from npp_jax.commands.plot import draw_stored
from npp_jax.figures.sweep import (
    candidates,
    chi2_along,
    chi2_map,
    histogram,
    profile_spread,
    statuses,
    statuses_along,
)
from npp_jax.figures.sweep_pages import figure_pairs
from npp_jax.files import load_experiment
from npp_jax.files.sweep_export import write_sweep_arrays, write_sweep_table
from npp_jax.fitting import Measurement, Problem
from npp_jax.inference import Parameter
from npp_jax.observe import DepthProfile, NoResponse, Observation
from npp_jax.simulation.status import Status
from npp_jax.sweeping import (
    OBSERVABLES,
    KeptProfiles,
    Manifest,
    Store,
    SweepFileError,
    parameter_variables,
    read_sweep,
    shared_values,
)
from npp_jax.sweeping.landscape import bins, edges, lowest_along, lowest_over, status_shares, telling_pair
from npp_jax.sweeping.profiles import read_profiles
from npp_jax.sweeping.ranking import SweepResult

COUNT, CHUNK = 600, 170
AXES = (
    Parameter("width_eV", (), 0.1, 0.4),
    Parameter("D_m2_s", (), 1e-22, 1e-20, "log"),
    Parameter("vacancies", (), 0.02, 0.3, "logit"),
)
DEPTH = np.linspace(1.0, 100.0, 12)


@pytest.fixture(scope="module")
def path(tmp_path_factory, project_root):
    """A sweep of a made-up χ²: a valley along width = share of vacancies, failures at small D and width."""
    folder = tmp_path_factory.mktemp("sweep")
    experiment = load_experiment(project_root / "sweeps" / "lithium_borate_K.toml")
    profile = DepthProfile(DEPTH, ("K", "Li"), np.full((2, 12), 0.5), 0.01)
    measured = Measurement("K", experiment, profile, Observation(NoResponse(), np.ones(2), np.zeros(2)))
    keys = ("Li.sed_fwhm_eV", "K.D_m2_s", "Li.vacancy_fraction")
    axes = tuple(dataclasses.replace(axis, keys=(key,)) for axis, key in zip(AXES, keys, strict=True))
    problem = Problem((measured,), axes)
    share = np.random.default_rng(5).random((COUNT, 3))
    columns = {axis.name: axis.at(u) for axis, u in zip(AXES, share.T, strict=True)}
    columns["chi2"] = (20.0 + 3000.0 * (share[:, 0] - share[:, 2]) ** 2 + 300.0 * (share[:, 1] - 0.5) ** 2)[:, None]
    failed = (share[:, 0] < 0.3) & (share[:, 1] < 0.3)
    columns["status"] = np.where(failed, Status.NOT_CONVERGED, Status.DONE).astype(np.int32)[:, None]
    columns["reevaluated_with"] = np.zeros(COUNT, np.int8)
    columns["profile_K"] = np.broadcast_to(share[:, :1, None], (COUNT, 2, 12)).astype(np.float32)
    columns["sensitivity_K"] = np.full((COUNT, 2), 2.0, np.float32)
    columns["background_K"] = np.full((COUNT, 2), 0.25, np.float32)
    columns |= {name: np.full((COUNT, 1), 7.0) for name in OBSERVABLES if name not in columns}
    manifest = Manifest("", "0", "float64", COUNT, CHUNK)
    with Store.open(folder / "s.sweep", manifest) as store:
        for chunk in store.pending():
            store.write(chunk, {name: values[slice(*manifest.span(chunk))] for name, values in columns.items()})
        store.finish(
            folder / "s.h5",
            {**parameter_variables(AXES), **OBSERVABLES, **KeptProfiles().variables(problem)},
            coordinates=shared_values(problem),
            attributes={"study": "synthetic", "parameters": [axis.name for axis in AXES]},
        )
    return folder / "s.h5"


@pytest.fixture(scope="module")
def result(path):
    return read_sweep(path)


def test_lowest_chi2_are_those_of_each_bin(result):
    lowest = lowest_over(result, 0, 2, (5, 4))
    limits = [edges(result, 0, 5), edges(result, 2, 4)]
    for (x, y), value in np.ndenumerate(lowest):
        inside = (result.theta[:, 0] >= limits[0][x]) & (result.theta[:, 0] < limits[0][x + 1])
        inside &= (result.theta[:, 2] >= limits[1][y]) & (result.theta[:, 2] < limits[1][y + 1])
        assert value == result.total[inside].min()
    np.testing.assert_array_equal(lowest_along(result, 0, 5), np.nanmin(lowest, axis=1))
    # The valley runs along the diagonal.
    assert (np.argmin(lowest_over(result, 0, 2, (5, 5)), axis=1) == np.arange(5)).all()


def test_bins_without_a_good_candidate_are_empty(result):
    lowest = lowest_over(result, 0, 1, (10, 10))
    assert np.isnan(lowest[:3, :3]).all()
    assert np.isfinite(lowest[4:, 4:]).mean() > 0.9


def test_status_shares_and_the_pair_that_tells_most(result):
    shares = status_shares(result, 0, 10)
    np.testing.assert_allclose(shares.sum(axis=0), 1.0)
    assert (shares[Status.NOT_CONVERGED, :3] > 0.1).all() and (shares[Status.NOT_CONVERGED, 3:] == 0.0).all()
    assert telling_pair(result) == (0, 1)


def test_a_grid_has_no_more_bins_than_levels(result):
    theta = result.theta.copy()
    theta[:, 0] = AXES[0].at(np.arange(COUNT) % 4 / 3.0)
    grid = dataclasses.replace(result, theta=theta)
    assert bins(grid, 0, 1) == bins(grid, 0, 2) == 4
    # One bin would be a curve that says nothing.
    few = Mock(SweepResult, theta=np.random.default_rng(0).random((32, 2)))
    assert bins(few, 0, 1) == bins(few, 0, 2) == 2
    place = np.searchsorted(edges(grid, 0, 4), theta[:, 0], side="right") - 1
    assert np.bincount(np.minimum(place, 3)).tolist() == [150] * 4


def test_functions_draw_what_they_are_given(result, path):
    first = int(np.argmin(result.total))
    ax = Figure().subplots()
    assert chi2_map(ax, result, 0, 2) is ax
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "logit")
    assert ax.get_xlabel() == "width / eV" and ax.get_ylabel() == "vacancies"
    np.testing.assert_allclose(np.ravel(ax.lines[0].get_data()), result.theta[first, [0, 2]])
    shown = ax.collections[0].get_array()
    assert np.ma.min(shown) == pytest.approx(result.total.min() / 24)

    ax = chi2_along(Figure().subplots(), result, 1)
    assert ax.get_xscale() == "log" and ax.get_xlabel() == "D / (m$^{2}$ s$^{-1}$)"
    assert np.nanmin(ax.patches[0].get_data().values) == pytest.approx(result.total.min() / 24)

    chosen = np.argsort(result.total)[:40]
    ax = candidates(Figure().subplots(), result, chosen, 0, 2)
    np.testing.assert_allclose(ax.collections[0].get_offsets()[-1], result.theta[first, [0, 2]])
    ax = histogram(Figure().subplots(), result, chosen, 1)
    assert ax.patches[0].get_data().values.sum() == 40

    ax = statuses(Figure().subplots(), result, 0, 1)
    failed = int((result.worst == Status.NOT_CONVERGED).sum())
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        f"done: {COUNT - failed}",
        f"not converged: {failed}",
    ]
    ax = statuses_along(Figure().subplots(), result, 0)
    assert len(ax.patches) == 1

    stored = read_profiles(path, np.array([5, 2, 5]))[0]
    np.testing.assert_allclose(stored.profile[:, 0, 0], 2.0 * result.share[[5, 2, 5], 0] + 0.25, rtol=1e-6)
    assert stored.observed and stored.measured is not None and stored.species == ("K", "Li")
    ax = profile_spread(Figure().subplots(), stored)
    lines = [line for line in ax.get_lines() if line.get_label() in [f"{name} best" for name in stored.species]]
    np.testing.assert_allclose(lines[1].get_ydata(), stored.profile[0, 1])


def test_titles_of_a_sweep_have_no_formula(result):
    title = figure_pairs(result, np.argsort(result.total)[:40]).get_suptitle()
    assert "within Δχ² = " in title and "$" not in title


def test_all_figures_are_drawn(path, tmp_path):
    written = draw_stored(path, tmp_path / "f.png")
    assert [p.name for p in written] == ["f_failures.png", "f_landscape.png", "f_pairs.png", "f_profiles.png"]
    assert all(p.stat().st_size > 10_000 for p in written)


def test_an_export_that_fails_leaves_the_former_file(path, result, tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text("former")
    (tmp_path / "a.npz").write_text("former")

    def broken(count):
        yield 0, 1
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("npp_jax.files.sweep_export._parts", broken)
    for write, target in ((write_sweep_table, tmp_path / "t.csv"), (write_sweep_arrays, tmp_path / "a.npz")):
        with pytest.raises(OSError, match="No space left") as caught:
            write(path, result, target)
        assert caught.value.filename == str(target)
        assert target.read_text() == "former"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "t.csv"]


def test_exports_hold_the_numbers(path, result, tmp_path):
    with write_sweep_table(path, result, tmp_path / "t.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == COUNT
    np.testing.assert_array_equal([float(row["D_m2_s"]) for row in rows], result.theta[:, 1])
    np.testing.assert_array_equal([float(row["chi2"]) for row in rows], result.total)
    assert {row["status"] for row in rows} == {"done", "not_converged"}
    assert rows[0]["front_depth_K_m"] == "7.0"
    with np.load(write_sweep_arrays(path, result, tmp_path / "a.npz")) as arrays:
        np.testing.assert_array_equal(arrays["theta"], result.theta)
        np.testing.assert_array_equal(arrays["status"], result.worst)
        np.testing.assert_allclose(arrays["profile_K"][:, 1, 3], result.share[:, 0], rtol=1e-6)
        np.testing.assert_array_equal(arrays["depth_nm_K"], DEPTH)
        assert arrays["species_K"].tolist() == ["K", "Li"]
        assert arrays["parameters"].tolist() == list(result.names)
        assert arrays["scale"].tolist() == ["linear", "log", "logit"]
        np.testing.assert_array_equal(arrays["low"], [0.1, 1e-22, 0.02])
        np.testing.assert_array_equal(arrays["high"], [0.4, 1e-20, 0.3])
        np.testing.assert_array_equal(arrays["good"], np.isfinite(arrays["chi2"]))
        np.testing.assert_array_equal(arrays["measured_K"], np.full((2, 12), 0.5))
        np.testing.assert_array_equal(arrays["sigma_K"], np.full((2, 12), 0.01))
        assert arrays["weight_K"].all() and "depth_measured_nm_K" not in arrays


def _of_schema_1(path, target):
    """The file with the names that it had before."""
    shutil.copy(path, target)
    with h5py.File(target, "r+") as file:
        file.attrs["schema_version"] = 1
        file.move("chi2", "misfit")
        file.move("reevaluated_with", "again")
    return target


def test_a_file_of_the_former_schema_is_read(path, result, tmp_path):
    former = _of_schema_1(path, tmp_path / "former.h5")
    read = read_sweep(former)
    np.testing.assert_array_equal(read.chi2, result.chi2)
    np.testing.assert_array_equal(read.reevaluated_with, result.reevaluated_with)
    tables = [write_sweep_table(file, read, tmp_path / "t.csv").read_text() for file in (path, former)]
    assert tables[0] == tables[1]


def test_a_file_of_a_newer_schema_is_refused_in_one_line(path, tmp_path):
    shutil.copy(path, tmp_path / "newer.h5")
    with h5py.File(tmp_path / "newer.h5", "r+") as file:
        file.attrs["schema_version"] = 99
    with pytest.raises(SweepFileError, match=r"newer\.h5: schema_version 99, this version reads 1 to 2"):
        read_sweep(tmp_path / "newer.h5")


def test_without_profiles_there_are_no_arrays(result, tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["title"] = "npp_jax sweep"
    with pytest.raises(SweepFileError, match="profiles = true"):
        write_sweep_arrays(tmp_path / "x.h5", result, tmp_path / "a.npz")
    assert not (tmp_path / "a.npz").exists()


def test_the_table_is_written_where_the_arrays_are_refused(result, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "read_sweep", lambda _: result)
    monkeypatch.setattr(export, "write_sweep_table", lambda *_: (tmp_path / "t.csv").touch() or tmp_path / "t.csv")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["title"] = "npp_jax sweep"
    with pytest.raises(SweepFileError, match=r"profiles = true.*; .*t.csv is written"):
        export.export_sweep(tmp_path / "x.h5", csv=tmp_path / "t.csv", npz=tmp_path / "a.npz")
    assert (tmp_path / "t.csv").exists() and not (tmp_path / "a.npz").exists()


def test_commands(path, tmp_path):
    from typer.testing import CliRunner

    from npp_jax.cli import app

    def run(*arguments: object):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    done = run("plot", path, "--output", tmp_path / "f.pdf")
    assert done.exit_code == 0 and "f_landscape.pdf" in done.output, done.output
    done = run("export", path, "--csv", tmp_path / "t.csv", "--npz", tmp_path / "a.npz")
    assert done.exit_code == 0 and (tmp_path / "t.csv").exists() and (tmp_path / "a.npz").exists()
    for wrong, expected in (
        (("export", path), "--csv"),
        (("export", tmp_path / "none.h5", "--csv", tmp_path / "t.csv"), "no such file"),
        (("export", path, "--csv", tmp_path / "none" / "t.csv"), "No such file"),
        (("plot", path, "--output", tmp_path / "f.xyz"), "xyz"),
    ):
        done = run(*wrong)
        assert done.exit_code == 2
        assert expected in done.stderr and done.stderr.count("\n") == 1

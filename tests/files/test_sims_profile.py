"""Profiles on disk and the command: what is written is read back, with units, axes and origin."""

import dataclasses
import hashlib
import itertools
import json
import os
import re
import shlex
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from npp_jax.cli import app
from npp_jax.commands.import_sims import command
from npp_jax.figures import sims as figures
from npp_jax.files.sims_profile import read_profile, write_profile
from npp_jax.sims import ImportOptions, SimsFileError, import_sims, read_raw

OPTIONS = ImportOptions(
    {"K": "39K+", "Li": "7Li+"},
    normalise={"K": "sum"},
    bulk_nm=(200.0, 300.0),
    background={"K": (250.0, 300.0), "Li": 0.5},
    crater_depth_nm=300.0,
    crater_sigma_nm=3.0,
    sputter_rates={"K": 1.2, "Li": 1.0},
)


@pytest.fixture
def source(tmp_path: Path, rng: np.random.Generator) -> Path:
    time = np.arange(100) * 0.5
    share = 1.0 / (1.0 + np.exp((time - 15.0) / 2.0))
    columns = time, rng.poisson(200.0 * share), rng.poisson(500.0 * (1.0 - share)), rng.poisson(9000.0, 100)
    path = tmp_path / "glass.csv"
    lines = ["Sputter Time (s);39K+ (counts);7Li+ (counts);B+ (counts)"]
    path.write_text("\n".join(lines + [";".join(f"{v:g}" for v in row) for row in zip(*columns, strict=True)]))
    return path


def test_what_is_written_is_read_back(source: Path, tmp_path: Path):
    profile = import_sims(source, OPTIONS)
    write_profile(tmp_path / "profile.h5", profile, command="npp-jax import-sims")
    found = read_profile(tmp_path / "profile.h5")
    for field in dataclasses.fields(profile):
        written, read = getattr(profile, field.name), getattr(found, field.name)
        if isinstance(written, np.ndarray):
            np.testing.assert_array_equal(written, read)
        elif field.name == "source":
            assert read == "glass.csv"
        else:
            assert written == read
    assert not list(tmp_path.glob(".*"))


def test_axes_units_and_origin_are_in_the_file(source: Path, tmp_path: Path):
    write_profile(tmp_path / "profile.h5", import_sims(source, OPTIONS), command="npp-jax import-sims glass.csv")
    with h5py.File(tmp_path / "profile.h5") as file:
        assert file.attrs["schema_version"] == 1
        assert file.attrs["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
        assert file.attrs["command"] == "npp-jax import-sims glass.csv"
        assert file.attrs["npp_jax_version"]
        assert json.loads(file.attrs["options"])["crater_depth_nm"] == 300.0
        for name, data in file.items():
            assert data.attrs["long_name"]
            assert name == "species" or data.attrs["units"]
            if name not in {"species", "depth_nm"}:
                for axis, dimension in enumerate(data.dims):
                    assert dimension.label in {"species", "depth_nm"}
                    assert len(dimension[0]) == data.shape[axis]
        assert file["depth_nm"].is_scale and file["species"].is_scale
        assert [name.decode() for name in file["species"][:]] == ["K", "Li"]


def test_a_profile_without_counts_is_written_too(tmp_path: Path, rng: np.random.Generator):
    path = tmp_path / "edx.csv"
    path.write_text("depth_um,K2O_molpct\n" + "".join(f"{0.1 * k:g},{5 + rng.normal():.6g}\n" for k in range(60)))
    profile = import_sims(path, ImportOptions({"K": "K2O"}))
    write_profile(tmp_path / "profile.h5", profile)
    found = read_profile(tmp_path / "profile.h5")
    assert np.all(np.isnan(found.counts))
    assert found.as_arguments()[4:8] == (None, None, None, None)
    assert found.sigma[0, 0] == pytest.approx(0.2, rel=0.4)


def damaged(path: Path, change) -> Path:
    with h5py.File(path, "r+") as file:
        change(file)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.attrs.update(schema_version=99), "schema_version 99; this version reads 1"),
        (lambda f: f.attrs.update(title="something"), "not a profile of npp_jax: title 'something'"),
        (lambda f: f.pop("sigma"), "not a profile of npp_jax"),
        (lambda f: f.attrs.update(options="{"), "not a profile of npp_jax"),
        (lambda f: f.attrs.update(options="{}"), "not a profile of npp_jax"),
        (lambda f: f.attrs.update(options="[]"), "not a profile of npp_jax"),
        (lambda f: f.attrs.update(metadata="[" * 50_000), "lists or tables within one another without end"),
        (lambda f: f["sigma"].__setitem__((0, 3), 0.0), "column 'sigma': K, point 3: 0 is not positive"),
        (
            lambda f: f["fraction"].__setitem__((0, 3), np.nan),
            "'fraction': K, point 3: nan is not a finite",
        ),
        (lambda f: f["depth_nm"].__setitem__(3, 0.0), "column 'depth_nm': point 3: 0 nm after"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(source: Path, tmp_path: Path, change, message: str):
    write_profile(tmp_path / "profile.h5", import_sims(source, OPTIONS))
    with pytest.raises(SimsFileError) as caught:
        read_profile(damaged(tmp_path / "profile.h5", change))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_hdf5_and_what_cannot_be_written(source: Path, tmp_path: Path):
    with pytest.raises(SimsFileError, match="not a profile of npp_jax"):
        read_profile(source)
    with pytest.raises(SimsFileError, match=r"none\.h5: No such file"):
        read_profile(tmp_path / "none.h5")
    with pytest.raises(SimsFileError, match="cannot be written"):
        write_profile(tmp_path / "none" / "profile.h5", import_sims(source, OPTIONS))


@pytest.mark.parametrize("name", ["profile.h5", "profile.png"])
def test_a_full_disk_leaves_the_former_file(name: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / name).write_text("former")
    plain = os.fsync

    def fail(descriptor: int) -> None:
        parts = tmp_path.glob(f".{name}.*.part")
        if any(os.path.samestat(os.fstat(descriptor), part.stat()) for part in parts):
            raise OSError(28, "No space left on device")
        plain(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    out, figure = tmp_path / "profile.h5", tmp_path / "profile.png"
    with pytest.raises(SimsFileError, match=rf"{name}: cannot be written \(No space left on device\)"):
        command(source, ["K=39K+"], out=out, figure=figure, crater_depth_nm=300.0, normalise=["K=0.005"])
    assert (tmp_path / name).read_text() == "former"
    assert not list(tmp_path.glob(".*"))


def test_the_command_writes_profile_and_figure(source: Path, tmp_path: Path):
    lines = command(
        source,
        ["K=39K+", "Li=7Li+"],
        out=tmp_path / "profile.h5",
        figure=tmp_path / "profile.png",
        crater_depth_nm=300.0,
        crater_sigma_nm=3.0,
        normalise=["K=sum"],
        bulk_nm="200:300",
        background=["K=250:300", "Li=0.5"],
        sputter_rate=["K=1.2", "Li=1"],
    )
    assert read_profile(tmp_path / "profile.h5").options == OPTIONS
    assert (tmp_path / "profile.png").read_bytes().startswith(b"\x89PNG")
    assert lines[0].startswith("100 points from 0 to ")
    assert lines[-1] == f"written: {tmp_path / 'profile.h5'}, {tmp_path / 'profile.png'}"


def test_one_word_normalises_all_species_but_those_named(source: Path, tmp_path: Path):
    out = tmp_path / "profile.h5"
    command(source, ["39K+", "7Li+"], out=out, crater_depth_nm=300.0, normalise=["sum", "7Li+=bulk"])
    assert read_profile(out).options.normalise == {"39K+": "sum", "7Li+": "bulk"}


def test_the_command_tells_what_a_file_holds(source: Path):
    lines = command(source, [])
    assert lines[0] == "glass.csv: table, 3 channels, 100 points, 0 to 49.5 s"
    assert len(lines) == 5 and "7Li+" in lines[2] and "counts" in lines[2]
    # The example is of this file, and makes a profile of it.
    typed = shlex.split(lines[-1].removeprefix("to import: npp-jax import-sims "))
    assert typed[0] == str(source) and typed[-4:] == ["--crater-depth-nm", "DEPTH", "--crater-sigma-nm", "SIGMA"]
    named = [word for mark, word in itertools.pairwise(typed) if mark == "--species"]
    ways = [word for mark, word in itertools.pairwise(typed) if mark == "--normalise"]
    out = source.with_name("example.h5")
    command(source, named, out=out, normalise=ways, crater_depth_nm=300.0)
    assert read_profile(out).species == ("Li", "K")
    assert not source.with_suffix(".h5").exists()


@pytest.fixture
def readme_import(project_root: Path) -> list[str]:
    """Words of the import of README.md, without what it writes."""
    text = (project_root / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^npp-jax (import-sims .*--species.*)$", text, re.MULTILINE)
    assert len(lines) == 1
    words = shlex.split(lines[0], comments=True)
    assert words[-4::2] == ["--out", "--figure"]
    return words[:-4]


def test_the_import_of_the_readme_finds_the_truth(
    readme_import: list[str], project_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(project_root)
    out = tmp_path / "new" / "K.h5"
    done = CliRunner().invoke(app, [*readme_import, "--out", str(out)])
    assert done.exit_code == 0, done.output
    profile = read_profile(out)
    truth = np.loadtxt("sweeps/synthetic_sims/K_truth.csv", delimiter=",", skiprows=2)
    truth = truth[truth[:, 0] >= profile.depth_nm[0]]
    assert profile.species == ("Li", "K")
    np.testing.assert_allclose(profile.depth_nm, truth[:, 0])
    for fraction, sigma, known in zip(profile.fraction, profile.sigma, truth[:, 1:].T, strict=True):
        # Below, counts are too few to be normal.
        there = known > 0.02
        chi2 = np.mean(((fraction - known)[there] / sigma[there]) ** 2)
        assert abs(chi2 - 1.0) < 5.0 * np.sqrt(2.0 / np.sum(there))
    # Without its background nothing is left of K where the truth has none.
    empty = (profile.depth_nm > 200.0) & (profile.depth_nm < 250.0)
    assert abs(np.mean((profile.fraction[1] - truth[:, 2])[empty])) < 1.5e-4
    # Each K brought one elementary charge: ∫ n_K dz = Q/e.
    area = np.sum(np.diff(profile.depth_nm, prepend=0.0) * profile.fraction[1])
    # The first point stands for what is above it.
    assert area == pytest.approx(201.0 / (1.602176634e-19 * 1.40e28) * 1e9, rel=0.02)


def test_fractions_far_above_one_are_not_written(
    readme_import: list[str], project_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(project_root)
    by_bulk = list(readme_import)
    for option in ("--normalise", "--background"):
        at = by_bulk.index(option)
        by_bulk[at : at + 2] = []
    by_bulk += ["--out", str(tmp_path / "K.h5")]
    done = CliRunner().invoke(app, by_bulk)
    assert done.exit_code == 3
    assert "K: fraction up to 2.16e+03 at 18 nm" in done.stderr and "--normalise K=sum" in done.stderr
    assert done.stderr.count("\n") == 1 and not list(tmp_path.iterdir())
    assert CliRunner().invoke(app, [*by_bulk, "--force"]).exit_code == 0
    assert read_profile(tmp_path / "K.h5").fraction.max() > 2000.0
    # The command that is proposed is that of the readme.
    told = command(Path("sweeps/synthetic_sims/K.txt"), [])[-1]
    assert "--normalise K=sum" in told


def test_ions_are_found_in_longer_titles(tmp_path: Path):
    rows = [f"{k},5;{90 - k},1;{10 + k},2" for k in range(20)]
    (tmp_path / "a.csv").write_text("\n".join(["Tiefe [Å];Cs-Signal [%];Li signal [%]", *rows]), encoding="utf-8")
    told = command(tmp_path / "a.csv", [])[-1]
    assert "--species 'Li=Li signal' --species Cs=Cs-Signal" in told
    (tmp_path / "b.csv").write_text("\n".join(["Tiefe [Å];Rubidium;Lithium (norm.)", *rows]), encoding="utf-8")
    told = command(tmp_path / "b.csv", [])[-1]
    assert "--species 'Li=Lithium (norm.)' --species Rb=Rubidium" in told


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"species": ["K="]}, "--species: 'K='; NAME=VALUE is needed"),
        ({"species": ["K=39K+", "K=7Li+"]}, "--species: K is given twice, as 39K+ and as 7Li+"),
        ({"normalise": ["K=sum", "K=bulk"]}, "--normalise: K is given twice, as sum and as bulk"),
        ({"normalise": ["sum", "bulk"]}, "--normalise: sum and bulk are given for all species"),
        ({"background": ["K=1", "K=2"]}, "--background: K is given twice"),
        ({"sputter_rate": ["K=1", "K=2"]}, "--sputter-rate: K is given twice"),
        ({"bulk_nm": "200"}, "--bulk-nm: '200'; two depths such as 800:1000"),
        ({"bulk_nm": "a:300"}, "--bulk-nm: 'a' is not a number"),
        ({"background": ["3"]}, "--background: '3'; NAME=VALUE"),
        ({"sputter_rate": ["K=fast"]}, "--sputter-rate: 'fast' is not a number"),
        ({"format": "xls"}, "format 'xls' is not known"),
        ({"crater_depth_nm": None}, "give the crater depth"),
        ({"figure": Path("profile.nonsense")}, "profile.nonsense: cannot be written"),
    ],
)
def test_wrong_options_of_the_command_are_named(source: Path, tmp_path: Path, fields: dict, message: str):
    right = {"species": ["K=39K+"], "out": tmp_path / "p.h5", "crater_depth_nm": 300.0, "normalise": ["K=0.005"]}
    with pytest.raises(SimsFileError) as caught:
        command(source, **{**right, **fields})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_source_is_not_overwritten(source: Path):
    before = source.read_bytes()
    with pytest.raises(SimsFileError, match="would replace the file"):
        command(source, ["K=39K+"], out=source, crater_depth_nm=300.0, normalise=["sum"])
    assert source.read_bytes() == before


def test_figures_draw_into_the_axes_given(source: Path):
    from matplotlib.figure import Figure

    raw, profile = read_raw(source), import_sims(source, OPTIONS)
    ax = Figure().subplots()
    assert figures.signals(ax, raw, ["39K+", "7Li+"]) is ax
    assert (ax.get_yscale(), len(ax.lines), ax.get_xlabel()) == ("log", 2, "sputter time / s")
    # No count is drawn on the lower edge, never as minus infinity.
    assert min(np.min(line.get_ydata()) for line in ax.lines) == 0.5
    assert len(figures.signals(Figure().subplots(), raw).lines) == 3
    ax = figures.fractions(Figure().subplots(), profile, logarithmic=True)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), profile.fraction[0])
    assert len(ax.collections) == 2


def test_names_of_signals_keep_their_blanks_in_the_legend(source: Path):
    from matplotlib.figure import Figure

    raw = read_raw(source)
    raw = dataclasses.replace(raw, channels=(dataclasses.replace(raw.channels[0], name="^39K^+ counted"),))
    assert [line.get_label() for line in figures.signals(Figure().subplots(), raw).lines] == ["39K+ counted"]

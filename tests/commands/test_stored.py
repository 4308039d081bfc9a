"""Results read back are what was written: damaged and hostile files end in one line; every array says what it is."""

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from described import check_described

from npp_jax.commands.simulate import read_supported, run_simulation
from npp_jax.files import ConfigError
from npp_jax.files.sims_profile import read_profile
from npp_jax.files.solution import read_solution, write_solution
from npp_jax.sims.errors import SimsFileError
from npp_jax.simulation.status import Status
from npp_jax.store.arrays import Array, put
from npp_jax.store.reading import FileFault, reading
from npp_jax.sweeping import SweepFileError, read_sweep

SWEEPS = Path(__file__).parents[2] / "sweeps"
GLASS = SWEEPS / "lithium_borate_K.toml"

Run = Callable[..., tuple[int, str]]
Change = Callable[[h5py.File], object]


@pytest.fixture(scope="module")
def solution_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    solution = run_simulation(read_supported(GLASS, "electroneutral"), model="electroneutral", setting="fast")
    path = tmp_path_factory.mktemp("solution") / "K.h5"
    write_solution(path, solution, experiment_text=GLASS.read_text(encoding="utf-8"))
    return path


def changed(source: Path, target: Path, change: Change) -> Path:
    shutil.copy(source, target)
    with h5py.File(target, "r+") as file:
        change(file)
    return target


def replaced(name: str, make: Callable[[h5py.File, np.ndarray], object]) -> Change:
    """Another thing in the place of an array."""

    def change(file: h5py.File) -> None:
        values = np.asarray(file[name])
        del file[name]
        make(file, values)

    return change


def virtual(name: str) -> Change:
    def make(file: h5py.File, values: np.ndarray) -> None:
        layout = h5py.VirtualLayout(values.shape, values.dtype)
        layout[...] = h5py.VirtualSource("secret.h5", "x", values.shape)
        file.create_virtual_dataset(name, layout)

    return replaced(name, make)


def hostile(name: str, axis: int) -> dict[str, tuple[Change, str]]:
    """Changes of one array of numbers, and what is said of them."""
    return {
        "external link": (
            replaced(name, lambda f, v: f.__setitem__(name, h5py.ExternalLink("secret.h5", "x"))),
            f"'{name}' is a link to somewhere else",
        ),
        "soft link": (
            replaced(name, lambda f, v: f.__setitem__(name, h5py.SoftLink("/other"))),
            f"'{name}' is a link to somewhere else",
        ),
        "virtual": (virtual(name), f"'{name}' lies in another file"),
        "raw": (
            replaced(name, lambda f, v: f.create_dataset(name, v.shape, "f8", external=[("/dev/zero", 0, v.nbytes)])),
            f"'{name}' lies in another file",
        ),
        "unwritten": (
            replaced(name, lambda f, v: f.create_dataset(name, v.shape, "f8")),
            f"'{name}' claims {{bytes}} bytes that are not in the file",
        ),
        "unwritten chunks": (
            replaced(name, lambda f, v: f.create_dataset(name, v.shape, "f8", chunks=True, compression="gzip")),
            f"'{name}' claims {{bytes}} bytes that are not in the file",
        ),
        "bomb": (
            replaced(
                name,
                lambda f, v: f.create_dataset(
                    name, [2_000_000_000 if k == axis else n for k, n in enumerate(v.shape)], "f8", chunks=True
                ),
            ),
            "2000000000 values along",
        ),
        "shape": (
            replaced(name, lambda f, v: f.__setitem__(name, np.take(v, [0], axis))),
            f"'{name}' has 1 values along",
        ),
        "scalar": (replaced(name, lambda f, v: f.__setitem__(name, 1.0)), f"'{name}' has the shape ()"),
        "complex": (replaced(name, lambda f, v: f.__setitem__(name, v + 1j)), f"'{name}' is of type complex128"),
        "text": (replaced(name, lambda f, v: f.__setitem__(name, "text")), f"'{name}' is of type object"),
        "group": (replaced(name, lambda f, v: f.create_group(name)), f"'{name}' is no array"),
        "missing": (replaced(name, lambda f, v: None), f"'{name}' is missing"),
    }


def refused(reader: Callable[[Path], object], error: type[Exception], path: Path, told: str) -> None:
    with pytest.raises(error) as caught:
        reader(path)
    assert told in str(caught.value) and str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@pytest.mark.parametrize("case", hostile("fraction", 2))
def test_a_hostile_solution_is_refused(case: str, solution_file: Path, tmp_path: Path, run: Run) -> None:
    change, told = hostile("fraction", 2)[case]
    with h5py.File(tmp_path / "secret.h5", "w") as secret, h5py.File(solution_file) as file:
        secret["x"] = np.asarray(file["fraction"])
        told = told.format(bytes=secret["x"].nbytes)
    path = changed(solution_file, tmp_path / "hostile.h5", change)
    refused(read_solution, ConfigError, path, told)
    code, text = run("plot", path)
    assert (code, len(text.splitlines())) == (2, 1)
    assert not (tmp_path / "hostile_plot.png").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda f: f["fraction"].__setitem__(..., np.nan), "'fraction' [0, 0, 0] is not a finite number"),
        (
            lambda f: f.attrs.__setitem__("experiment", "\x1b]0;x\x07\x1b[2J = a"),
            "the experiment that it tells is none",
        ),
        (lambda f: f["depth"].__setitem__(..., f["depth"][...][:, ::-1]), "'depth' does not increase"),
        (lambda f: f["faces"].__setitem__(..., f["faces"][...][:, ::-1]), "'faces' does not increase"),
        (lambda f: f.attrs.__setitem__("model", "best"), "'best' is no model; known are electroneutral, full"),
        (lambda f: f.attrs.__setitem__("experiment", 3), "'experiment' is missing, or is no text"),
        (lambda f: f.attrs.__setitem__("experiment", 'title = "x"'), "the experiment that it tells is none"),
        (lambda f: f.attrs.__setitem__("experiment", "a = " + "[" * 50_000), "within one another without end"),
        (lambda f: f.attrs.__setitem__("experiment", "a = " + "1" * 5_000), "the experiment that it tells is none"),
        (lambda f: f.attrs.__setitem__("model", h5py.Empty("f")), "'model' is missing, or is no text"),
        (
            lambda f: f.attrs.__setitem__("title", "<script>\x1b[31m"),
            "its title is '<script>\N{REPLACEMENT CHARACTER}[31m'",
        ),
        (lambda f: f.attrs.__setitem__("title", np.arange(3)), "not a result of npp_jax, or damaged: it has no title"),
        (lambda f: f.attrs.__setitem__("schema_version", [1, 2]), "schema_version [1 2], this version reads 1"),
        (lambda f: f["report_status"].__setitem__((), 77), "'report_status' = 77 is no outcome"),
        (
            lambda f: f["report_status"].__setitem__((), int(Status.NOT_FINITE)),
            "has no finite result; there is nothing",
        ),
        (lambda f: f["species"].__setitem__(0, "Na"), "its species are Na, K, those of its experiment Li, K"),
    ],
)
def test_what_a_solution_says_is_checked(
    change: Change, told: str, solution_file: Path, tmp_path: Path, run: Run
) -> None:
    code, text = run("plot", changed(solution_file, tmp_path / "wrong.h5", change))
    assert (code, len(text.splitlines())) == (2, 1)
    assert text.startswith(f"npp-jax: {tmp_path / 'wrong.h5'}: ") and told in text
    assert "\x1b" not in text


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_count_that_is_no_whole_number_is_one_line(value: float, solution_file: Path, tmp_path: Path) -> None:
    change = replaced("report_cells", lambda f, v: f.__setitem__("report_cells", value))
    path = changed(solution_file, tmp_path / "count.h5", change)
    refused(read_solution, ConfigError, path, "or damaged (cannot convert")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["trace_surface_potential", "fraction", "field", "time", "report_profile_error"])
def test_a_number_beyond_all_quantities_is_refused(name: str, solution_file: Path, tmp_path: Path, run: Run) -> None:
    path = changed(solution_file, tmp_path / "far.h5", lambda f: f[name].__setitem__(..., -1e308))
    refused(read_solution, ConfigError, path, "is -1e+308: no quantity is so large")
    code, text = run("plot", path)
    assert (code, len(text.splitlines())) == (2, 1)


@pytest.mark.filterwarnings("error")
def test_what_absurd_numbers_of_a_sweep_make_of_a_figure_is_one_line(folder: Path, run: Run) -> None:
    def change(file: h5py.File) -> None:
        for name in ("chi2", "front_depth", "D_K_m2_s"):
            file[name][0] = 1e308

    code, text = run("plot", changed(folder / "study.h5", folder / "far.h5", change))
    assert code in (0, 2) and text.startswith(("npp-jax: ", "written: ")), text
    assert code == 0 or (len(text.splitlines()) == 1 and "far.h5: " in text)


@pytest.mark.filterwarnings("error")
def test_negative_numbers_on_a_logarithmic_axis_are_one_line(folder: Path, run: Run) -> None:
    path = changed(folder / "study.h5", folder / "negative.h5", lambda file: file["chi2"].__setitem__(..., -1e300))
    code, text = run("plot", path)
    assert code in (0, 2) and text.startswith(("npp-jax: ", "written: ")) and "Warning" not in text, text
    assert code == 0 or (len(text.splitlines()) == 1 and "negative.h5: " in text)


def test_what_cannot_be_drawn_is_told_with_the_file(
    solution_file: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise np.linalg.LinAlgError("Matrix is not\npositive definite")

    monkeypatch.setattr("npp_jax.commands.plot.figure_summary", fail)
    code, text = run("plot", solution_file)
    told = "its numbers cannot be drawn, is it damaged? (Matrix is not positive definite)"
    assert code == 2 and text == f"npp-jax: {solution_file}: {told}\n"


def test_a_soft_link_to_the_file_itself_does_no_harm(solution_file: Path, tmp_path: Path, run: Run) -> None:
    path = changed(solution_file, tmp_path / "loop.h5", lambda f: f.__setitem__("loop", h5py.SoftLink("/")))
    assert run("plot", path)[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("case", hostile("chi2", 0))
def test_a_hostile_sweep_is_refused(case: str, folder: Path, run: Run) -> None:
    change, told = hostile("chi2", 0)[case]
    path = changed(folder / "study.h5", folder / "hostile.h5", change)
    refused(read_sweep, SweepFileError, path, told.format(bytes=3 * 8))
    for command in (
        ("plot", path),
        ("export", path, "--csv", folder / "t.csv"),
        ("fit", folder / "study.toml", "--sweep", path),
    ):
        code, text = run(*command)
        assert (code, len(text.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda f: f["D_K_m2_s"].__setitem__(1, np.nan), "'D_K_m2_s' [1] is not a finite number"),
        (lambda f: f["D_K_m2_s"].__setitem__(1, -1e-20), "'D_K_m2_s' [1] = -1e-20 is not possible on a log scale"),
        (lambda f: f["D_K_m2_s"].attrs.__setitem__("low", "x"), "'D_K_m2_s: low' is missing, or is no finite number"),
        (lambda f: f["D_K_m2_s"].attrs.__setitem__("scale", "x"), "scale"),
        (lambda f: f["status"].__setitem__((0, 0), 99), "'status' holds numbers of no outcome"),
        (lambda f: f.attrs.__setitem__("parameters", 3), "'parameters' is missing, or holds no names"),
        (lambda f: f.attrs.__setitem__("parameters", ["none"]), "'none' is missing"),
        (lambda f: f.attrs.__delitem__("study"), "'study' is missing"),
    ],
)
def test_what_a_sweep_says_is_checked(change: Change, told: str, folder: Path) -> None:
    refused(read_sweep, SweepFileError, changed(folder / "study.h5", folder / "wrong.h5", change), told)


def test_profiles_of_no_candidates_are_told(folder: Path, run: Run) -> None:
    path = changed(folder / "study.h5", folder / "empty.h5", lambda f: f.create_dataset("profile_K", (0, 0, 0), "f8"))
    code, text = run("plot", path)
    assert (code, len(text.splitlines())) == (2, 1) and "'profile_K' holds no numbers of candidate" in text


@pytest.mark.parametrize("case", hostile("fraction", 1))
def test_a_hostile_profile_is_refused(case: str, tmp_path: Path, run: Run) -> None:
    drawn = np.random.default_rng(3).poisson(900.0, 60)
    rows = "\n".join(f"{5 * k},{count}" for k, count in enumerate(drawn))
    (tmp_path / "raw.csv").write_text(f"depth_nm,K (counts)\n{rows}\n", encoding="utf-8")
    code, text = run("import-sims", tmp_path / "raw.csv", "--species", "K=K", "--normalise", "K=bulk")
    assert code == 0, text
    change, told = hostile("fraction", 1)[case]
    path = changed(tmp_path / "raw.h5", tmp_path / "hostile.h5", change)
    refused(read_profile, SimsFileError, path, told.format(bytes=60 * 8))
    text = GLASS.read_text(encoding="utf-8")
    (tmp_path / "K.toml").write_text(text, encoding="utf-8")
    entry = f'[[experiments]]\nname = "K"\nfile = "K.toml"\nprofile = "{path.name}"\n'
    varied = '[[parameters]]\nname = "T"\nkeys = ["stages.0.temperature_K"]\nlow = 300.0\nhigh = 400.0\n'
    (tmp_path / "s.toml").write_text(f"schema_version = 1\n{entry}{varied}", encoding="utf-8")
    code, text = run("sweep", tmp_path / "s.toml", "--output", tmp_path)
    assert (code, len(text.splitlines())) == (2, 1) and "hostile.h5" in text


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("unable to lock file, errno = 37, error message = 'No locks available'", "HDF5_USE_FILE_LOCKING=FALSE"),
        ("unable to lock file, errno = 11, error message = 'Resource'", "another program has it open for writing"),
        ("truncated file: eof = 5000", "or damaged"),
        ("file signature not found", "not a result of"),
    ],
)
def test_a_file_that_cannot_be_opened_is_told_with_the_reason(
    reason: str, told: str, solution_file: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shutil.copy(solution_file, tmp_path / "K.h5")

    def refuse(*_: object, **__: object) -> h5py.File:
        raise OSError(f"Unable to synchronously open file ({reason})")

    monkeypatch.setattr(h5py, "File", refuse)
    code, text = run("plot", path)
    assert (code, len(text.splitlines())) == (2, 1)
    assert told in text and str(path) in text


def test_every_array_of_a_simulation_and_of_a_sweep_says_what_it_is(solution_file: Path, folder: Path) -> None:
    with h5py.File(solution_file) as file:
        check_described(file)
        assert file["time"].is_scale and file["trace_time"].is_scale
        # The time of each output is a scale of it, the depth a coordinate.
        assert [scale.name for scale in file["fraction"].dims[0].values()] == ["/output", "/time"]
        assert file["fraction"].attrs["coordinates"] == "depth"
    with h5py.File(folder / "study.h5") as file:
        check_described(file)
        assert file["depth_K"].is_scale and file["depth_K"].attrs["units"] == "nm"


def test_arrays_of_groups_have_the_axes_of_the_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        put(file, {"parameter": Array(["a", "b"], "1", "name", ("parameter",))})
        group = file.create_group("part")
        put(group, {"theta": Array(np.zeros((3, 2)), "K", "values", ("draw", "parameter"))})
        check_described(file)
        assert group["theta"].dims[1][0].name == "/parameter" and group["theta"].dims[0][0].name == "/part/draw"
    with reading(tmp_path / "a.h5", "a file") as reader:
        assert reader.array("part/theta", ("draw", "parameter"), finite=True).shape == (3, 2)
        assert reader.names("parameter", ("parameter",)) == ("a", "b")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file["part"]
        file["part"] = h5py.ExternalLink("b.h5", "/part")
    with pytest.raises(FileFault, match="'part' is a link"), reading(tmp_path / "a.h5", "a file") as reader:
        reader.array("part/theta", ("draw", "parameter"))


def test_a_text_that_no_attribute_holds_is_kept(solution_file: Path, tmp_path: Path, run: Run) -> None:
    long = GLASS.read_text(encoding="utf-8") + 3000 * "# a long comment, which HDF5 keeps in no attribute\n"
    write_solution(tmp_path / "long.h5", read_solution(solution_file), experiment_text=long)
    assert run("plot", tmp_path / "long.h5")[0] == 0

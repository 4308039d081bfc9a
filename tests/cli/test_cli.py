"""The command line as a user meets it: results on disk, exit codes, one line for wrong input."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import click
import h5py
import jax.numpy as jnp
import numpy as np
import pytest
import typer
from rich.text import Text
from typer.testing import CliRunner

from npp_jax.cli import app
from npp_jax.files import ConfigError
from npp_jax.files.solution import read_solution
from npp_jax.simulation import describe
from npp_jax.simulation.solution import Solution
from npp_jax.simulation.status import Status

STUDY = Path(__file__).parents[2] / "sweeps" / "lithium_borate_K.toml"


def _run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "npp_jax", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    done = _run("simulate", STUDY, "--output", folder, "--csv", folder / "csv")
    assert done.returncode == 0, done.stderr
    assert "status: done" in done.stdout
    return folder


def test_writes_results(results: Path) -> None:
    solution = read_solution(results / "lithium_borate_K.h5")
    assert float(solution.front_depth[0]) == pytest.approx(100e-9, rel=0.02)
    table = np.genfromtxt(results / "csv" / "profiles_1.csv", delimiter=",", names=True)
    assert table.dtype.names == ("depth_nm", "Li", "K", "potential_V", "field_V_m", "excess_charge_fraction")
    np.testing.assert_allclose(table["Li"], solution.fraction[0, 0], rtol=1e-8)
    assert table["potential_V"][0] == pytest.approx(10.0)
    assert table["potential_V"][-1] == 0.0
    trace = np.genfromtxt(results / "csv" / "trace.csv", delimiter=",", names=True)
    assert np.all(np.diff(trace["time_s"]) > 0.0)
    with h5py.File(results / "lithium_borate_K.h5") as file:
        assert file["fraction"].dims[1].label == "species"
        assert file["fraction"].dims[2][0].name == "/point"
        assert file["depth"].attrs["units"] == "m"
        assert "sed_fwhm_eV" in file.attrs["experiment"]


@pytest.mark.slow
def test_a_second_run_takes_compiled_code_and_says_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the compiler as a user has it."""
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "cache"))
    for _ in range(2):
        done = _run("simulate", STUDY, "--setting", "fast", "--output", tmp_path, "--no-figures", "--quiet")
        assert (done.returncode, done.stdout, done.stderr) == (0, "status: done\n", "")


def test_draws_stored_result_again(results: Path) -> None:
    figure = results / "again.png"
    done = CliRunner().invoke(app, ["plot", str(results / "lithium_borate_K.h5"), "--output", str(figure)])
    assert done.exit_code == 0, done.output
    assert figure.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "No such file"),
        ("schema_version = ", "not a TOML file"),
        ("schema_version = 2", "schema_version"),
        (STUDY.read_text().replace("potential_V = 10.0", "potential_V = 1e6"), "potential_V = 1000000.0"),
        (STUDY.read_text().replace('beam = "K"', 'beam = "Li"'), "bulk"),
    ],
    ids=["no-file", "no-toml", "version", "potential", "native-beam"],
)
def test_wrong_input(tmp_path: Path, text: str | None, expected: str) -> None:
    path = tmp_path / "case.toml"
    if text is not None:
        path.write_text(text)
    done = CliRunner().invoke(app, ["simulate", str(path)])
    assert done.exit_code == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("npp-jax: ")
    assert expected in last
    assert "Traceback" not in done.output


def test_draws_a_result_whose_trace_lies_elsewhere(results: Path, tmp_path: Path) -> None:
    moved = tmp_path / "case.h5"
    shutil.copy(results / "lithium_borate_K.h5", moved)
    with h5py.File(moved, "r+") as file:
        file.attrs["experiment"] = STUDY.read_text().replace("potential_V = 10.0", 'potential_trace = "trace.csv"')
    done = CliRunner().invoke(app, ["plot", str(moved)])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["simulate", STUDY, "--output", "taken"], "taken: a file is there; a folder is needed"),
        (["simulate", STUDY, "--csv", "taken"], "taken: a file is there; a folder is needed"),
        (["sweep", STUDY.with_name("one_distribution.toml"), "--output", "taken"], "taken: a file is there"),
        (["tracer", STUDY.with_name("llto_arrhenius.toml"), "--output", "taken"], "taken: a file is there"),
        (["plot", "taken"], "taken: not a result of npp_jax (HDF5)"),
        (["plot", "none.h5"], "none.h5: no such file"),
        (["plot", "none.h5", "--output", "figure.xyz"], "figure.xyz: the ending of a figure is one of"),
        (["export", "taken", "--csv", "table.csv"], "taken: not a file of `npp-jax sweep`"),
        # As of a file in a closed folder: it is neither missing nor to be written.
        (["plot", "n" * 300], f"{'n' * 300}: File name too long"),
        (["export", "n" * 300, "--csv", "table.csv"], f"{'n' * 300}: File name too long"),
        (["simulate", STUDY, "--output", "nowhere"], "nowhere: a link that leads nowhere is there; a folder is needed"),
    ],
)
def test_what_cannot_be_read_or_written_is_one_line(
    arguments: list, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken").write_text("")
    Path("nowhere").symlink_to("nothing")
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 2
    assert done.output.strip().startswith(f"npp-jax: {expected}") and "\n" not in done.output.strip()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupted_sweep_says_how_to_go_on(tmp_path: Path) -> None:
    study = STUDY.with_name("one_distribution.toml")
    # A shell has the jobs in its background ignore interrupts, and their children would too.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    run = f"{heard}; import runpy; runpy.run_module('npp_jax', run_name='__main__', alter_sys=True)"
    command = [sys.executable, "-c", run, "sweep", str(study), "--output", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        store = tmp_path / "one_distribution.sweep"
        until = time.monotonic() + 100.0
        while not store.exists() and time.monotonic() < until:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=100)
    assert process.returncode == 130
    assert told.splitlines()[-1] == "npp-jax: interrupted; what is done is kept, and the same command resumes"
    assert "Traceback" not in told


def test_a_run_that_refines_itself_says_so(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read_solution(results / "lithium_borate_K.h5")
    rough = replace(found, report=replace(found.report, status=jnp.asarray(Status.COARSE, jnp.int32)))
    crowded = replace(found, fraction=1.2 * found.fraction)

    def refined(*_: object, on_level: Callable[[int, Solution], None], **__: object) -> Solution:
        on_level(0, rough)
        return crowded

    monkeypatch.setattr("npp_jax.commands.simulate.simulate_to_target", refined)
    done = CliRunner().invoke(app, ["simulate", str(STUDY), "--output", str(tmp_path), "--no-figures"])
    assert done.exit_code == 0
    assert "nm (front) above the target, once more with 420 cells" in done.stderr
    assert "remark: Li fills all sites of its distribution" in done.stdout


def test_a_refusal_after_the_run_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> Solution:
        raise ConfigError("stages[0]: its charge is reached after its trace has ended")

    monkeypatch.setattr("npp_jax.commands.simulate.simulate_to_target", refused)
    done = CliRunner().invoke(app, ["simulate", str(STUDY), "--output", str(tmp_path), "--quiet"])
    assert done.exit_code == 2
    assert done.stderr == f"npp-jax: {STUDY}: stages[0]: its charge is reached after its trace has ended\n"


def _texts(command: click.Command, path: str = "npp-jax") -> Iterator[tuple[str, str]]:
    """All texts of help below a command, each with its place."""
    yield path, command.help or ""
    for parameter in command.params:
        yield f"{path} {parameter.name}", getattr(parameter, "help", None) or ""
    for name, inner in getattr(command, "commands", {}).items():
        yield from _texts(inner, f"{path} {name}")


def test_help_shows_words_in_brackets():
    """Rich takes `[next]` for a mark of its own, and shows nothing."""
    texts = dict(_texts(typer.main.get_command(app)))
    assert len(texts) > 100
    for place, text in texts.items():
        assert Text.from_markup(text).plain == text.replace("\\[", "["), place
    assert "a table [next]" in Text.from_markup(texts["npp-jax design file"]).plain


def test_a_blocking_electrode_names_the_model_that_it_needs(tmp_path: Path):
    poling = STUDY.with_name("thermal_poling.toml")
    done = CliRunner().invoke(app, ["simulate", str(poling), "--output", str(tmp_path)])
    assert done.exit_code == 2
    assert "--model full" in done.stderr and done.stderr.count("\n") == 1


def test_a_couple_is_told_in_micrometres_without_what_it_has_not(results: Path):
    beam = read_solution(results / "lithium_borate_K.h5")
    assert {"front / nm", "j / nA cm⁻²", "U / V", "charge / mC cm⁻²"} <= set(describe.table(beam).header)
    none = jnp.zeros_like(beam.charge)
    couple = replace(
        beam,
        charge=none,
        current_density=none,
        surface_potential=none + 3.2e-19,
        excess_charge=jnp.zeros_like(beam.excess_charge),
        front_depth=none + 96.28e-6,
    )
    told = describe.table(couple)
    assert told.header == ("time / h", "front / µm", "width / µm", "plateau", "front error / µm", "profile error")
    assert told.rows[-1][1] == "96.280"
    assert "front at 96.28 µm" in describe.line(couple)


@pytest.mark.parametrize("name", list(typer.main.get_command(app).commands))  # pyright: ignore[reportAttributeAccessIssue]
def test_help_shows_a_line_that_the_command_takes(name: str) -> None:
    command = typer.main.get_command(app).commands[name]  # pyright: ignore[reportAttributeAccessIssue]
    before, program, *words = (command.epilog or "").split()
    assert (before, program, words[0]) == ("Example:", "npp-jax", name)
    # Options that are not there, or not of their kind, are refused as on the command line.
    command.make_context(name, words[1:])
    shown = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"})
    assert " ".join(words) in " ".join(Text.from_ansi(shown.output).plain.split())


@pytest.mark.parametrize(
    ("words", "option", "after"),
    [
        (["export", "study.h5", "--csv", "--npz", "arrays.npz"], "--csv", "--npz"),
        (["sweep", "--output", "--resume", "study.toml"], "--output", "--resume"),
        (["plot", "study.h5", "--output", "--"], "--output", "--"),
    ],
)
def test_an_option_is_not_the_value_of_another(words: list[str], option: str, after: str) -> None:
    done = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert f"option '{option}' has no value: after it comes '{after}'" in done.stderr


@pytest.mark.parametrize("words", [["--output="], ["--output", ""], ["--output"]])
def test_an_empty_value_is_none(words: list[str]) -> None:
    done = CliRunner().invoke(app, ["plot", "study.h5", *words], env={"COLUMNS": "200"})
    assert done.exit_code == 2 and "option '--output' has no value" in done.stderr

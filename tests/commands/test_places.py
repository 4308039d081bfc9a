"""Where results may go: a command replaces its own of one input, tells the numbers first, and looks before it works."""

import io
import os
import shutil
import signal
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure

from npp_jax import __main__ as program
from npp_jax.commands.simulate import read_supported, run_simulation
from npp_jax.files.origin import Origin, check_targets
from npp_jax.files.writing import write_figure, write_text
from npp_jax.simulation.solution import Solution

SWEEPS = Path(__file__).parents[2] / "sweeps"
GLASS = SWEEPS / "lithium_borate_K.toml"
ARRHENIUS = SWEEPS / "llto_arrhenius.toml"

Run = Callable[..., tuple[int, str]]


def counted(path: Path) -> Path:
    """A table of counts of lithium and potassium, as a detector draws them."""
    drawn = np.random.default_rng(3).poisson([[900.0, 40.0]] * 60)
    rows = "\n".join(f"{5 * k},{li},{k_}" for k, (li, k_) in enumerate(drawn))
    path.write_text(f"depth_nm,Li (counts),K (counts)\n{rows}\n", encoding="utf-8")
    return path


Usage = namedtuple("Usage", "total used free")


@pytest.fixture(scope="module")
def solution() -> Solution:
    return run_simulation(read_supported(GLASS, "electroneutral"), model="electroneutral", setting="fast")


@pytest.fixture
def simulated(solution: Solution, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulations take no time, nor do their figures."""
    monkeypatch.setattr("npp_jax.commands.simulate.simulate_to_target", lambda *_, **__: solution)
    for module in ("simulate", "plot"):
        monkeypatch.setattr(f"npp_jax.commands.{module}.figure_summary", lambda *_: Figure(figsize=(1, 1)))


@pytest.fixture
def glasses(tmp_path: Path, simulated: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two experiment files of one name."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copy(GLASS, tmp_path / name / "K.toml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_simulation_replaces_its_own_results_alone(glasses: Path, run: Run) -> None:
    first = ("simulate", "a/K.toml", "--output", "out", "--csv", "tables", "--quiet")
    assert run(*first)[0] == 0
    assert run(*first)[0] == 0
    # What the study says may change, and where the whole lies.
    (glasses / "a/K.toml").write_text(GLASS.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
    assert run("simulate", "a/K.toml", "--output", "out", "--no-figures", "--quiet")[0] == 0
    assert run(*first)[0] == 0
    before = content(glasses)
    for other, told in (
        (("simulate", "b/K.toml", "--output", "out"), "there is a result of `npp-jax simulate`, and not of b/K.toml"),
        (("simulate", "a/K.toml", "--output", "out", "--model", "full"), "and not of a/K.toml (full)"),
        (
            ("simulate", "b/K.toml", "--output", "more", "--csv", "tables"),
            "profiles_1.csv: a file is there that",
        ),
        (("tracer", ARRHENIUS, "--output", "out", "--format", "png"), None),
        (("simulate", "a/K.toml", "--output", "out", "--csv", "a/K.toml"), "a/K.toml: a file is there; a folder"),
        (("simulate", "b/K.toml", "--output", "a/K.toml"), "a/K.toml: a file is there; a folder is needed"),
    ):
        code, text = run(*other, "--quiet")
        if told is not None:
            assert (code, len(text.splitlines())) == (2, 1), text
            assert told in text
    after = content(glasses)
    assert {name: after[name] for name in before} == before
    assert run("simulate", "b/K.toml", "--output", "out", "--csv", "tables", "--quiet", "--force")[0] == 0
    moved = shutil.move(glasses, glasses.parent / "moved")
    os.chdir(moved)
    assert run("simulate", "b/K.toml", "--output", "out", "--csv", "tables", "--quiet")[0] == 0


def test_tables_of_two_runs_are_not_mixed(
    glasses: Path, solution: Solution, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("simulate", "a/K.toml", "--output", "out", "--csv", "tables", "--quiet", "--no-figures")
    with monkeypatch.context() as patch:
        # One output twice.
        twice = jax.tree.map(lambda leaf: jnp.repeat(leaf, 2, 0) if np.shape(leaf)[:1] == (1,) else leaf, solution)
        patch.setattr("npp_jax.commands.simulate.simulate_to_target", lambda *_, **__: twice)
        glass = GLASS.read_text(encoding="utf-8").replace("charge_mC", "output_charges_C_m2 = [100.0]\ncharge_mC")
        (glasses / "a/K.toml").write_text(glass, encoding="utf-8")
        assert run(*command)[0] == 0
    tables = glasses / "tables"
    assert {p.name for p in tables.iterdir()} == {"profiles_1.csv", "profiles_2.csv", "trace.csv"}
    shutil.copy(GLASS, glasses / "a/K.toml")
    # An edited one stays, and is told.
    shutil.copytree(glasses, glasses.with_name("edited"))
    with monkeypatch.context() as patch:
        patch.chdir(glasses.with_name("edited"))
        Path("tables/profiles_2.csv").write_text("my notes")
        code, text = run(*command)
        assert code == 0 and "profiles_2.csv is not of this run" in " ".join(text.split())
        assert Path("tables/profiles_2.csv").read_text() == "my notes"
    code, text = run(*command)
    assert code == 0 and "not of this run" not in text
    assert {p.name for p in tables.iterdir()} == {"profiles_1.csv", "trace.csv"}
    # What is no longer what was written is not replaced.
    (tables / "trace.csv").write_text("my notes")
    code, text = run(*command)
    assert code == 2 and "trace.csv: a file is there that does not tell" in text
    assert (tables / "trace.csv").read_text() == "my notes"
    assert run(*command, "--force")[0] == 0
    # Tables that stay from an earlier run are told.
    code, text = run("simulate", "a/K.toml", "--output", "out", "--quiet", "--no-figures")
    assert code == 0 and "2 tables of an earlier run" in text


def test_a_figure_of_an_earlier_run_is_told(glasses: Path, run: Run) -> None:
    command = ("simulate", "a/K.toml", "--output", "out", "--quiet")
    assert "was there before" not in run(*command)[1]
    assert "was there before" not in run(*command)[1]
    code, text = run(*command, "--no-figures")
    assert code == 0 and f"warning: {Path('out/K.png')} was there before, and is not of this run" in text
    assert f"{Path('out/K.png')} was there before" in run(*command, "--format", "pdf")[1]


def test_of_two_commands_at_once_the_later_loses(
    glasses: Path, solution: Solution, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(*_, **__) -> Solution:
        monkeypatch.setattr("npp_jax.commands.simulate.simulate_to_target", lambda *_, **__: solution)
        write_text(glasses / "out" / "K.h5", "of another command")
        return solution

    monkeypatch.setattr("npp_jax.commands.simulate.simulate_to_target", meanwhile)
    command = ("simulate", "a/K.toml", "--output", "out", "--quiet", "--no-figures")
    with monkeypatch.context() as patch:
        # Another process has a memory of its own.
        patch.setattr("npp_jax.files.writing.note_state", lambda path: None)
        code, text = run(*command)
    assert code != 0 and "K.h5" in text and "another command has written it since this one began" in text
    assert (glasses / "out" / "K.h5").read_text() == "of another command"
    assert run(*command, "--force")[0] == 0


def test_no_result_replaces_what_is_read_even_with_force(glasses: Path, run: Run) -> None:
    text = GLASS.read_text(encoding="utf-8").replace("potential_V = 10.0", 'potential_trace = "trace.csv"')
    Path("driven.toml").write_text(text, encoding="utf-8")
    Path("trace.csv").write_text("time_s,potential_V\n0,10\n400000,10\n", encoding="utf-8")
    for force in ((), ("--force",)):
        code, told = run("simulate", "driven.toml", "--csv", ".", *force)
        assert code == 2 and "trace.csv: it would replace a data file" in told
    os.link("trace.csv", "driven.h5")
    code, told = run("simulate", "driven.toml", "--force")
    assert code == 2 and "driven.h5: it would replace a data file" in told


def test_a_sweep_does_not_replace_the_profile_of_its_study(folder: Path, run: Run) -> None:
    study = folder / "K.toml"
    (folder / "driven.toml").write_text(study.read_text(encoding="utf-8"), encoding="utf-8")
    text = (folder / "study.toml").read_text(encoding="utf-8").replace("K.toml", "driven.toml")
    study.write_text(text.replace("counts_per_fraction = 2000.0\n", "").replace("K.csv", "K.h5"), encoding="utf-8")
    raw = counted(folder / "raw.csv")
    names = ("--species", "Li=Li", "--species", "K=K", "--normalise", "Li=bulk", "--normalise", "K=0.001")
    code, told = run("import-sims", raw, "--out", folder / "K.h5", *names)
    assert code == 0, told
    before = (folder / "K.h5").read_bytes()
    code, told = run("sweep", study, "--output", folder, "--force")
    assert code == 2 and "K.h5: it would replace a data file" in told
    assert (folder / "K.h5").read_bytes() == before


def test_a_finished_sweep_is_not_replaced_by_that_of_another_study(folder: Path, run: Run) -> None:
    shutil.rmtree(folder / "study.sweep")
    other = folder / "other"
    other.mkdir()
    for name in ("K.toml", "K.csv", "trace.csv", "study.toml", "candidates.csv"):
        shutil.copy(folder / name, other)
    (other / "candidates.csv").write_text("D_K_m2_s\n6e-22\n", encoding="utf-8")
    before = (folder / "study.h5").read_bytes()
    code, told = run("sweep", other / "study.toml", "--output", folder, "--no-figures", "--quiet")
    assert code == 2 and "study.h5: holds another run (--force replaces it)" in told
    (folder / "study.h5").write_text("mine")
    code, told = run("sweep", folder / "study.toml", "--output", folder, "--no-figures", "--quiet")
    assert code == 2 and "a file is there that is no result of a sweep" in told
    assert (folder / "study.h5").read_text() == "mine"
    (folder / "study.h5").write_bytes(before)
    assert run("sweep", folder / "study.toml", "--output", folder, "--no-figures", "--quiet")[0] == 0


def test_two_commands_on_one_study_have_files_of_their_own(folder: Path, run: Run) -> None:
    (folder / "study_landscape.png").write_text("that of the fit")
    before = content(folder)
    code, told = run("plot", folder / "study.h5")
    assert code == 0, told
    assert run("plot", folder / "study.h5")[0] == 0
    after = content(folder)
    assert {name: after[name] for name in before} == before
    assert {"study_plot_pairs.png", "study_plot_landscape.png"} <= after.keys()
    code, told = run("plot", folder / "study.h5", "--output", folder / "study.png")
    assert code == 2 and "study_landscape.png: a file is there that does not tell" in told


def test_exports_replace_their_like(folder: Path, run: Run, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    for _ in range(2):
        assert run("export", folder / "study.h5", "--csv", table)[0] == 0
    (tmp_path / "v.csv").write_text("a table of the user", encoding="utf-8")
    before = content(folder)
    for wrong, told in (
        (("--csv", tmp_path / "v.csv"), "v.csv: what is there is another table, or none"),
        (("--csv", folder / "study.toml"), "study.toml: it is read by the study"),
        (("--csv", folder / "study.h5", "--force"), "study.h5: it would replace a data file"),
        (("--npz", folder / "K.csv"), "K.csv: a file is there that does not tell"),
        (("--csv", tmp_path / "x", "--npz", tmp_path / "x"), "x: two results would have this name"),
        (("--csv", folder / "study.sweep"), "study.sweep: a folder is there"),
    ):
        code, text = run("export", folder / "study.h5", *wrong)
        assert (code, len(text.splitlines())) == (2, 1) and told in text
    # Not even --force replaces what the study reads, which the sweep knows by what it holds.
    shutil.copy(folder / "K.csv", tmp_path / "elsewhere.csv")
    for name in ("study.toml", "K.toml", "K.csv", "trace.csv", "candidates.csv", tmp_path / "elsewhere.csv"):
        for option in ("--csv", "--npz"):
            code, text = run("export", folder / "study.h5", option, folder / name, "--force")
            assert (code, len(text.splitlines())) == (2, 1) and "it is read by the study" in text, text
    assert run("export", folder / "study.h5", "--csv", tmp_path / "v.csv", "--force")[0] == 0
    assert (tmp_path / "v.csv").read_bytes() == table.read_bytes()
    assert content(folder) == before
    # The table needs no profiles, which this sweep did not keep.
    code, text = run("export", folder / "study.h5", "--csv", tmp_path / "u.csv", "--npz", tmp_path / "u.npz")
    assert code == 2 and "u.csv is written" in text and (tmp_path / "u.csv").read_bytes() == table.read_bytes()


@pytest.mark.parametrize("form", ["png", "pdf", "svg", "eps", "ps", "jpg", "tif"])
def test_figures_carry_whose_they_are(form: str, tmp_path: Path) -> None:
    own, other = (Origin("plot", tmp_path / name) for name in ("a.h5", "b.h5"))
    path = tmp_path / f"f.{form}"
    write_figure(path, Figure(figsize=(1, 1)), origin=own)
    assert own.made(path) and not other.made(path)
    assert not Origin("fit", tmp_path / "a.h5").made(path)
    check_targets([path], own, force=False)


def test_the_numbers_are_told_before_the_files_are_written(
    glasses: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("simulate", "a/K.toml", "--output", "out", "--quiet")[0] == 0
    assert run("tracer", ARRHENIUS, "--output", "out", "--quiet")[0] == 0
    before, plain = content(glasses), os.replace

    def full(source: Path, target: Path) -> None:
        if Path(target).suffix == ".h5":
            raise OSError(28, "No space left on device")
        plain(source, target)

    monkeypatch.setattr(os, "replace", full)
    for command, number in (
        (("simulate", "a/K.toml"), "status: done"),
        (("tracer", ARRHENIUS), "E_a"),
    ):
        code, text = run(*command, "--output", "out")
        assert code == 2 and number in text
        assert text.splitlines()[-1].endswith(".h5: cannot be written: No space left on device")
    assert content(glasses) == before


def test_a_figure_that_fails_costs_no_number(glasses: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Figure:
        raise ValueError("array of sample points is empty")

    monkeypatch.setattr("npp_jax.commands.simulate.figure_summary", broken)
    monkeypatch.setattr("npp_jax.commands.tracer.arrhenius.arrhenius", broken)
    for command, stem in (("simulate", "K"), ("tracer", "llto_arrhenius")):
        code, text = run(command, "a/K.toml" if stem == "K" else ARRHENIUS, "--output", "out")
        assert code == 0
        assert f"warning: The figure '{stem}' could not be drawn: ValueError: array of sample points is empty" in text
        assert Path(f"out/{stem}.h5").exists() and not Path(f"out/{stem}.png").exists()


@pytest.mark.parametrize("command", ["simulate", "tracer", "sweep", "fit", "export", "plot"])
def test_a_folder_without_room_is_told_before_the_work(
    command: str, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for work in ("simulate.run_simulation", "tracer.run.run_tracer", "sweep.run_study", "fit.run.run_fit"):
        monkeypatch.setattr(f"npp_jax.commands.{work}", lambda *_, **__: pytest.fail("it worked"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100, 100, 0))
    inputs = {
        "simulate": (folder / "K.toml",),
        "tracer": (ARRHENIUS,),
        "export": (folder / "study.h5", "--csv", folder / "new" / "t.csv"),
        "plot": (folder / "study.h5", "--output", folder / "new" / "f.png"),
    }
    place = () if command in ("export", "plot") else ("--output", folder / "new")
    (folder / "new").mkdir()
    code, text = run(command, *inputs.get(command, (folder / "study.toml",)), *place)
    assert code == 2
    assert f"{folder / 'new'}: cannot be written: No space left on device: 0 MB of about" in text.splitlines()[-1]
    assert not list((folder / "new").iterdir())


def test_a_study_that_is_gone_when_the_work_is_done_costs_nothing(
    glasses: Path, run: Run, solution: Solution, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path("a/K.toml").read_text(encoding="utf-8")

    def meanwhile(*_: object, **__: object) -> Solution:
        Path("a/K.toml").unlink()
        return solution

    monkeypatch.setattr("npp_jax.commands.simulate.simulate_to_target", meanwhile)
    assert run("simulate", "a/K.toml", "--output", "out", "--quiet")[0] == 0
    with h5py.File("out/K.h5") as file:
        assert file.attrs["experiment"] == text


def test_a_device_is_no_place_for_a_result(folder: Path, run: Run) -> None:
    code, told = run("export", folder / "study.h5", "--csv", os.devnull, "--force")
    assert code == 2 and f"{os.devnull}: a device is there" in told


def test_odd_bytes_in_names(solution: Solution, simulated: None, tmp_path: Path, run: Run) -> None:
    """A folder and a file named in Latin-1."""
    place = tmp_path / os.fsdecode(b"Gl\xe4ser")
    try:
        place.mkdir()
    except OSError:
        pytest.skip("this file system has names in UTF-8 alone")
    study = place / os.fsdecode(b"K\xe4.toml")
    shutil.copy(GLASS, study)
    code, text = run("simulate", study, "--output", place, "--csv", place)
    assert code == 0, text
    assert "Gl\ufffdser" in text
    assert run("plot", place / os.fsdecode(b"K\xe4.h5"))[0] == 0
    assert run("simulate", place / os.fsdecode(b"\xe4.toml"))[0] == 2
    tracer = place / os.fsdecode(b"\xe4.toml")
    shutil.copy(ARRHENIUS, tracer)
    assert run("tracer", tracer, "--output", place)[0] == 0
    raw = counted(place / os.fsdecode(b"r\xe4.csv"))
    figure = place / os.fsdecode(b"r\xe4.png")
    code, text = run("import-sims", raw, "--species", "K=K", "--normalise", "K=bulk", "--figure", figure)
    assert code == 0 and raw.with_suffix(".h5").exists() and figure.exists(), text


def test_a_terminal_without_a_character_shows_a_mark(
    simulated: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "_listen", lambda: None)
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="cp1252") for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(sys, "argv", ["npp-jax", "simulate", str(GLASS), "--output", str(tmp_path)])
    with pytest.raises(SystemExit) as end:
        program.main()
    out.flush()
    text = out.buffer.getvalue().decode("cp1252")
    assert not end.value.code
    assert "?" in text and "written: " in text and "status: done" in text


def test_an_import_does_not_replace_a_simulation(glasses: Path, run: Run) -> None:
    assert run("simulate", "a/K.toml", "--output", "a", "--quiet")[0] == 0
    counted(glasses / "a/K.csv")
    imported = ("import-sims", "a/K.csv", "--species", "K=K", "--normalise", "K=bulk")
    code, text = run(*imported)
    assert code == 2 and "a/K.h5: there is a result of `npp-jax simulate`, not of `npp-jax import-sims`" in text
    for _ in range(2):
        code, text = run(*imported, "--out", "K.h5", "--figure", "K.png")
        assert code == 0, text
    code, text = run(*imported, "--out", "x.h5", "--figure", "x.h5")
    assert code == 2 and len(text.splitlines()) == 1
    with h5py.File("K.h5") as file:
        assert np.asarray(file["fraction"]).shape == (1, 60)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are of POSIX")
def test_a_pipe_in_the_place_of_a_result_is_not_waited_for(glasses: Path, run: Run) -> None:
    """As another account may have put it there."""

    def late(*_: object) -> None:
        raise AssertionError("it waits for the pipe")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(30)
    try:
        for name in ("K.h5", "K.png"):
            (glasses / name).mkdir()
            os.mkfifo(glasses / name / name)
            for more in ((), ("--force",)):
                code, text = run("simulate", "a/K.toml", "--output", name, "--quiet", *more)
                assert code == 2 and f"{name}/{name}: a device is there; a file is to be written" in text
        code, text = run("plot", "K.h5/K.h5")
        assert code == 2 and "K.h5/K.h5: a pipe or a device, not a file" in text
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)

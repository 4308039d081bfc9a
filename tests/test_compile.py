"""Traced programs that are kept between runs."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import npp_jax as npp
from npp_jax._compile import Program, keep_programs, programs, signature
from npp_jax.fitting import Objective
from npp_jax.store.disk import written_whole


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(programs, "_kept", None)
    keep_programs(tmp_path, written_whole)
    return tmp_path / "programs"


class Traced:
    """A function that counts how often it is traced."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, x: jax.Array, y: jax.Array) -> dict[str, jax.Array]:
        self.times += 1
        return {"sum": jnp.sum(x) + y, "pair": x * y}


def run(function: Traced, made_of: str = "one") -> dict[str, jax.Array]:
    # A new function each time: JAX remembers those that it has traced.
    return Program(lambda *x: function(*x), lambda: made_of)(jnp.arange(3.0), jnp.asarray(2.0))


def test_a_program_is_traced_once(folder: Path):
    function = Traced()
    first, second = run(function), run(function)
    assert function.times == 1 and len(list(folder.iterdir())) == 1
    assert float(first["sum"]) == 5.0 and np.array_equal(first["pair"], [0.0, 2.0, 4.0])
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_what_it_is_made_of_tells_programs_apart(folder: Path):
    function = Traced()
    run(function)
    run(function, "another")
    assert function.times == 2 and len(list(folder.iterdir())) == 2


def test_another_source_or_shape_is_another_program(folder: Path, monkeypatch: pytest.MonkeyPatch):
    function = Traced()
    run(function)
    Program(lambda *x: function(*x), lambda: "one")(jnp.arange(4.0), jnp.asarray(2.0))
    monkeypatch.setattr(programs, "_source", lambda: "other")
    run(function)
    assert function.times == 3 and len(list(folder.iterdir())) == 3


@pytest.mark.parametrize("content", [b"", b"x" * 100, None])
def test_a_damaged_program_is_traced_again_and_replaced(content: bytes | None, folder: Path):
    function = Traced()
    run(function)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] if content is None else content)
    assert float(run(function)["sum"]) == 5.0 and function.times == 2
    assert float(run(function)["sum"]) == 5.0 and function.times == 2


def test_without_a_folder_that_can_be_written_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(programs, "_kept", None)
    keep_programs(tmp_path / "file", written_whole)
    assert float(run(Traced())["sum"]) == 5.0


def test_what_has_no_text_is_not_kept(folder: Path):
    function = Traced()
    program = Program(function, lambda: signature(object(), values=True))
    assert float(program(jnp.arange(3.0), jnp.asarray(2.0))["sum"]) == 5.0
    assert not folder.exists()


def test_a_law_of_the_user_is_not_kept():
    class Law(npp.ConstantDiffusivity):
        """Of the same fields, and other values under the same name tomorrow."""

    assert signature(npp.ConstantDiffusivity(1e-20), values=True)
    with pytest.raises(TypeError, match="Law"):
        signature([Law(1e-20)], values=True)


def test_programs_that_were_not_used_for_long_are_removed(folder: Path, monkeypatch: pytest.MonkeyPatch):
    run(Traced())
    monkeypatch.setattr(programs, "_DAYS", -1.0)
    run(Traced(), "another")
    assert not list(folder.iterdir())


def test_an_error_of_the_function_is_told(folder: Path):
    def wrong(x: jax.Array) -> jax.Array:
        raise ZeroDivisionError("of its own")

    with pytest.raises(ZeroDivisionError, match="of its own"):
        Program(wrong, lambda: "wrong")(jnp.ones(1))


def test_signatures_differ_where_things_do(project_root: Path):
    study = npp.load_study(project_root / "sweeps" / "one_distribution.toml")
    objective = Objective(study.problem, npp.FAST)
    first = study.problem.measurements[0]
    assert first.profile is not None
    louder = replace(first, profile=replace(first.profile, sigma=2.0 * first.profile.sigma))
    others = [
        replace(objective, sampled=False),
        replace(objective, controls=npp.ACCURATE),
        replace(objective, problem=replace(study.problem, parameters=study.problem.parameters[:-1])),
        replace(objective, problem=replace(study.problem, measurements=(louder, *study.problem.measurements[1:]))),
    ]
    texts = {signature(one, values=True) for one in [objective, *others]}
    assert len(texts) == len(others) + 1
    assert signature(objective, values=True) == signature(replace(objective), values=True)


def test_a_simulation_is_the_same_from_a_kept_program(
    folder: Path, project_root: Path, monkeypatch: pytest.MonkeyPatch
):
    from npp_jax.simulation import simulate as module

    small = replace(npp.FAST, cells_behind=24, cells_ahead=12, steps=4, iterations=4, companion=False)
    experiment = npp.load_experiment(project_root / "sweeps" / "lithium_borate_K.toml")
    module._alone.cache_clear()
    first = npp.simulate(experiment, small)
    module._alone.cache_clear()

    def traced(*arguments: object) -> None:
        raise AssertionError("traced again")

    monkeypatch.setattr(module, "_simulated", traced)
    # Another temperature and another title are the same program.
    again = npp.simulate(replace(experiment, title="another"), small)
    module._alone.cache_clear()
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
        assert np.array_equal(a, b, equal_nan=True)
    assert (first.report.steps, first.report.cells, first.species) == (4, 36, again.species)


def test_a_program_of_many_shapes_keeps_the_last() -> None:
    """Compiled code takes pieces of memory, of which a process has so many."""
    program = Program(lambda x: {"twice": 2.0 * x}, lambda: "twice")
    for size in [*range(1, 2 * programs._FORMS), 1]:
        assert np.array_equal(program(jnp.ones(size))["twice"], np.full(size, 2.0))
    assert len(program._compiled) == programs._FORMS

"""Known answers: right with the compiler at hand, and a compiler that is wrong is refused."""

from pathlib import Path

import jax.numpy as jnp
import pytest
import typer

from npp_jax.cli.terminal import _check_compiler
from npp_jax.commands.known_answers import check_operations, check_simulations


def test_the_compiler_at_hand_is_right():
    found = [*check_operations(), *check_simulations()]
    assert [one for one in found if not one.right] == []
    assert len({one.name for one in found}) == len(found) >= 15


def test_a_wrong_compiler_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    note = tmp_path / "checked"
    monkeypatch.setattr(jnp, "arctan", lambda x: jnp.where(jnp.arange(x.size) % 7 == 3, x, jnp.atan(x)))
    with pytest.raises(typer.Exit) as refused:
        _check_compiler(note)
    text = capsys.readouterr().err
    assert refused.value.exit_code == 2 and "(arctan)" in text and text.count("\n") == 1
    assert not note.exists()


def test_a_right_compiler_is_checked_once(tmp_path: Path):
    note = tmp_path / "checked"
    _check_compiler(note)
    assert note.exists()

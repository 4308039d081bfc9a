"""What the user sees: documented names, and an import without side effects."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import npp_jax

ROOT = Path(__file__).resolve().parent.parent / "npp_jax"
SOURCES = sorted(ROOT.rglob("*.py"))
NAMES = [name for name in npp_jax.__all__ if name != "__version__"]

IMPORT_ONLY = """
import sys, jax
before = dict(jax.config.values)
import npp_jax
assert dict(jax.config.values) == before, "importing npp_jax changed a setting of JAX"
assert "matplotlib.pyplot" not in sys.modules, "importing npp_jax imported matplotlib.pyplot"
"""


def has_own_docstring(thing: object) -> bool:
    """Whether a docstring was written: a dataclass without one gets its signature instead."""
    text = (getattr(thing, "__doc__", None) or "").strip()
    written_by_dataclass = inspect.isclass(thing) and text.startswith(f"{thing.__name__}(")
    return bool(text) and not written_by_dataclass


def test_names_are_listed_once():
    assert len(set(npp_jax.__all__)) == len(npp_jax.__all__)


@pytest.mark.parametrize("name", npp_jax.__all__)
def test_name_exists(name: str):
    assert hasattr(npp_jax, name)


@pytest.mark.parametrize("name", NAMES)
def test_name_has_a_docstring(name: str):
    assert has_own_docstring(getattr(npp_jax, name))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_has_a_docstring(path: Path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_a_generated_docstring_does_not_count():
    import dataclasses

    @dataclasses.dataclass
    class Undocumented:
        value: float

    assert Undocumented.__doc__
    assert not has_own_docstring(Undocumented)


def test_import_changes_no_setting_and_prints_nothing():
    done = subprocess.run([sys.executable, "-c", IMPORT_ONLY], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

"""What the user sees: documented names, and an import without side effects."""

import ast
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import npp_jax

ROOT = Path(__file__).resolve().parent.parent / "npp_jax"
SOURCES = sorted(ROOT.rglob("*.py"))
NAMES = [name for name in npp_jax.__all__ if name not in ("__version__", "STATUS_ADVICE")]

IMPORT_ONLY = """
import sys, jax
import equinox
before = dict(jax.config.values)
brought = set(sys.modules)
import npp_jax
assert dict(jax.config.values) == before, "importing npp_jax changed a setting of JAX"
heavy = {"matplotlib", "scipy", "h5py", "xarray", "rich", "npp_jax.fitting", "npp_jax.sweeping", "npp_jax.figures"}
found = {name for name in heavy if name in sys.modules and name not in brought}
assert not found, f"importing npp_jax imported {found}"
assert set(npp_jax.__all__) <= set(dir(npp_jax))
npp_jax.Problem
assert "npp_jax.fitting" in sys.modules
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


@pytest.mark.parametrize("name", NAMES)
def test_name_is_on_the_page_of_python(name: str):
    page = (ROOT.parent / "docs" / "python.md").read_text(encoding="utf-8")
    assert re.search(rf"\b{name}\b", page)


@pytest.mark.parametrize("name", NAMES)
def test_name_is_in_the_reference(name: str):
    page = (ROOT.parent / "docs" / "api.md").read_text(encoding="utf-8")
    assert re.search(
        rf"^\.\. (auto(function|class|exception|module)|py:data):: (npp_jax\.)?{name}$", page, re.MULTILINE
    )


@pytest.mark.parametrize("name", npp_jax.tracer.__all__)
def test_tracer_name_has_a_docstring_and_is_on_the_page_of_python(name: str):
    page = (ROOT.parent / "docs" / "python.md").read_text(encoding="utf-8")
    assert has_own_docstring(getattr(npp_jax.tracer, name))
    assert re.search(rf"`{name}`", page)


def examples() -> str:
    """Code of the pages and notebooks, all of which the tests run but for the blocks of longer examples."""
    project = ROOT.parent
    pages = [project / "README.md", *(project / "docs").glob("*.md")]
    blocks = [
        block for page in pages for block in re.findall(r"```py(?:thon)?\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    ]
    for notebook in (project / "notebooks").glob("*.ipynb"):
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        blocks += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return "\n".join(blocks)


def test_every_name_has_an_example():
    code = examples()
    bare = [name for name in NAMES if not re.search(rf"\bnpp\.{name}\b", code)]
    bare += [f"tracer.{name}" for name in npp_jax.tracer.__all__ if not re.search(rf"\btracer\.{name}\b", code)]
    assert bare == []


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


def test_type_checkers_see_the_names_that_are_loaded_late():
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {node.module: tuple(a.name for a in node.names) for node in block.body if isinstance(node, ast.ImportFrom)}
    assert seen.pop("npp_jax") == npp_jax._PARTS
    assert seen == npp_jax._LAZY


def test_an_unknown_name_is_no_attribute():
    with pytest.raises(AttributeError, match="sweeps"):
        npp_jax.sweeps  # noqa: B018


def test_import_changes_no_setting_and_prints_nothing():
    done = subprocess.run([sys.executable, "-c", IMPORT_ONLY], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

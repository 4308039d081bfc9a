"""Who may import whom: the parts of the package and their one direction of dependence."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "npp_jax"
ROOT = Path(__file__).resolve().parent.parent / PACKAGE

# What serves every part: constants of nature, choices of the compiler, tables for people, the version
# that goes into files.
COMMON = {"_compile", "_version", "constants"}
GROUND = {"physics", "solver", "observe", "inference", "sims", "store", "text"}
LIBRARY = GROUND | {"simulation", "tracer", "fitting", "sweeping", "planning"}

MAY_IMPORT = {
    "_compile": set(),
    "_version": set(),
    "constants": set(),
    # Ground floor: none imports another.
    "physics": {"constants", "_compile"},
    "text": set(),
    "sims": {"constants", "_version", "text"},
    "store": {"text"},
    **{part: {"_compile"} for part in ("solver", "observe", "inference")},
    "simulation": COMMON | {"physics", "solver"},
    "tracer": COMMON | {"physics", "solver", "inference"},
    "fitting": COMMON | {"physics", "simulation", "observe", "inference"},
    "planning": COMMON | {"physics", "simulation", "observe", "inference", "fitting"},
    "sweeping": COMMON | {"text", "store", "physics", "simulation", "observe", "inference", "fitting"},
    "files": COMMON | LIBRARY,
    "figures": COMMON | LIBRARY,
    "commands": COMMON | LIBRARY | {"files", "figures"},
    "explorer": COMMON | LIBRARY | {"files", "figures", "commands"},
    "cli": COMMON | LIBRARY | {"files", "figures", "commands", "explorer", "__init__"},
    "__main__": {"cli"},
    # The public face gathers names from all parts but the commands.
    "__init__": COMMON | LIBRARY | {"files", "figures", "explorer"},
}


def part_of(module: str) -> str:
    """`npp_jax.physics.sed` belongs to `physics`; the package itself to `__init__`."""
    names = module.split(".")
    return names[1] if len(names) > 1 else "__init__"


def imported_modules(tree: ast.AST, module: str, is_package: bool) -> Iterator[str]:
    """Full names of what a module imports from this package, wherever in the file the import stands."""
    anchor = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = anchor.split(".")[: len(anchor.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            if base == PACKAGE:
                # `from npp_jax import physics` names a part, `from npp_jax import simulate` may name either.
                yield from (f"{PACKAGE}.{alias.name}" if alias.name in MAY_IMPORT else PACKAGE for alias in node.names)
            elif base.split(".")[0] == PACKAGE:
                yield base


def violations(source: str, module: str, is_package: bool = False) -> list[str]:
    """One line for each import that the table does not allow."""
    part = part_of(module)
    targets = {part_of(name) for name in imported_modules(ast.parse(source), module, is_package)} - {part}
    return [f"{module} imports {target}" for target in sorted(targets - MAY_IMPORT[part])]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = sorted(ROOT.rglob("*.py"))


def test_sources_are_found():
    assert ROOT / "__init__.py" in SOURCES


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_imports_go_one_way(path: Path):
    module = module_name(path)
    assert part_of(module) in MAY_IMPORT, f"{module} is in no part of the table; add it there"
    assert not violations(path.read_text(encoding="utf-8"), module, path.name == "__init__.py")


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("npp_jax.solver.newton", "from npp_jax.physics.sed import GaussianSED"),
        ("npp_jax.solver.newton", "from npp_jax import physics"),
        ("npp_jax.solver.newton", "import npp_jax.constants"),
        ("npp_jax.solver.newton", "from ..physics import sed"),
        ("npp_jax.solver.newton", "def f():\n    from npp_jax.physics.sed import GaussianSED"),
        ("npp_jax.physics.sample", "from npp_jax import VERSION"),
        ("npp_jax.simulation.simulate", "from npp_jax.files import load_experiment"),
        ("npp_jax.files.solution", "from npp_jax.figures.simulation import figure_summary"),
        ("npp_jax.observe.profile", "from npp_jax.simulation import Solution"),
        ("npp_jax.text.table", "from npp_jax.sims.errors import SimsFileError"),
        ("npp_jax.inference.refine", "from npp_jax.fitting import Problem"),
        ("npp_jax.commands.sweep", "from npp_jax.cli.terminal import start_jax"),
    ],
)
def test_a_wrong_import_is_found(module: str, source: str):
    assert len(violations(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("npp_jax.solver.newton", "from npp_jax.solver.sdirk import System\nfrom . import sdirk\nimport jax"),
        ("npp_jax.simulation.simulate", "from npp_jax.physics import theory\nfrom npp_jax.solver.newton import solve"),
        ("npp_jax.cli", "from npp_jax import files, figures, commands, __version__"),
    ],
)
def test_a_right_import_passes(module: str, source: str):
    assert not violations(source, module)


def test_the_table_has_no_cycle():
    order, left = [], {part: targets - {part} for part, targets in MAY_IMPORT.items()}
    while left:
        free = [part for part, targets in left.items() if targets <= set(order)]
        assert free, f"these parts import one another: {sorted(left)}"
        order += free
        for part in free:
            del left[part]


def test_nothing_else_lies_at_the_root():
    names = {path.stem for path in ROOT.glob("*.py")}
    assert names == {"__init__", "__main__", "_version", "constants"}


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_no_file_is_long(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def test_a_simulation_starts_without_what_it_does_not_use() -> None:
    # Fits, sweeps and the statistics of SciPy take a second to import, what draws half of one.
    code = "import sys, npp_jax.commands.simulate; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    unused = {"npp_jax.fitting", "npp_jax.sweeping", "npp_jax.tracer", "scipy.stats", "matplotlib.figure"}
    assert "npp_jax.figures.simulation" in loaded
    assert not unused & set(loaded)

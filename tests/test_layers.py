"""Who may import whom: the parts of the package and their one direction of dependence."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "npp_jax"
ROOT = Path(__file__).resolve().parent.parent / PACKAGE

# Names of axes hold no code and serve every part. The constants of nature serve every part that knows physics.
VOCABULARY = {"_typing"}
PHYSICAL = {"_typing", "constants"}
COMPILER = {"_compile"}

ENGINE = {"physics", "discretisation", "solver"}
RESULT = {"solution", "observables"}
WIRING = {
    "scaling",
    "step",
    "integrate",
    "seek",
    "two_ions",
    "two_ions_result",
    "mixture",
    "mixture_start",
    "mixture_result",
    "supported",
}
# The version of the package goes into what it writes.
VERSION = {"_version"}
LIBRARY = PHYSICAL | ENGINE | RESULT | WIRING | {"simulate", "observe", "fit", "sweep", "tracer"}
LEAVES = {
    "io",
    "config",
    "study",
    "sweep_cluster",
    "sweep_command",
    "sweep_progress",
    "fit_command",
    "fit_plots",
    "fit_report",
    "fit_summary",
    "fit_figures",
    "fit_files",
    "plots",
    "tracer_command",
    "tracer_lines",
    "tracer_maps",
    "tracer_plots",
    "tracer_report",
    "tracer_study",
    "sweep_plots",
    "cli",
}

MAY_IMPORT = {
    "_typing": set(),
    "_compile": set(),
    "_version": set(),
    "constants": set(),
    "physics": PHYSICAL,
    "discretisation": PHYSICAL | {"physics"},
    "solver": VOCABULARY,
    "observables": PHYSICAL | {"physics"},
    "solution": PHYSICAL | {"observables"},
    "scaling": PHYSICAL | {"physics", "discretisation"},
    "supported": PHYSICAL | {"physics", "scaling", "solution"},
    "step": PHYSICAL | ENGINE,
    "integrate": PHYSICAL | ENGINE | {"step"},
    "seek": PHYSICAL | ENGINE | {"step", "integrate"},
    "two_ions": PHYSICAL | ENGINE | {"scaling", "step", "integrate", "solution"},
    "two_ions_result": PHYSICAL | ENGINE | RESULT | {"scaling", "step", "integrate", "two_ions"},
    "mixture_start": PHYSICAL | ENGINE | {"scaling", "step", "integrate"},
    "mixture": PHYSICAL | ENGINE | {"scaling", "step", "integrate", "seek", "mixture_start"},
    "mixture_result": PHYSICAL | ENGINE | RESULT | {"scaling", "step", "integrate", "mixture"},
    "simulate": PHYSICAL | ENGINE | RESULT | WIRING,
    "observe": VOCABULARY | COMPILER,
    "fit": PHYSICAL | COMPILER | RESULT | {"physics", "solver", "integrate", "supported", "simulate", "observe"},
    "sweep": PHYSICAL | COMPILER | RESULT | {"solver", "fit", "simulate", "observe"},
    "tracer": PHYSICAL | ENGINE | RESULT | {"observe", "fit"},
    "io": LIBRARY | VERSION | {"config", "tracer_report"},
    "config": LIBRARY,
    "study": LIBRARY | {"config", "io"},
    "sweep_cluster": LIBRARY | VERSION,
    "sweep_progress": set(),
    "sweep_command": LIBRARY | VERSION | {"study", "sweep_cluster", "sweep_progress"},
    "fit_command": LIBRARY | {"study"},
    "fit_plots": LIBRARY | {"plots"},
    "fit_summary": LIBRARY | {"fit_command"},
    "fit_figures": LIBRARY | {"fit_command", "fit_plots", "fit_summary"},
    "fit_report": LIBRARY | {"fit_command", "fit_summary"},
    "fit_files": LIBRARY | VERSION | {"fit_command", "fit_figures", "fit_report", "fit_summary"},
    "plots": LIBRARY,
    "tracer_plots": LIBRARY | {"plots"},
    "tracer_report": LIBRARY,
    "tracer_study": LIBRARY | {"config"},
    "tracer_lines": LIBRARY | {"config", "io", "tracer_plots", "tracer_report", "tracer_study"},
    "tracer_maps": LIBRARY | {"config", "io", "tracer_plots", "tracer_report", "tracer_study"},
    "tracer_command": LIBRARY
    | {"config", "io", "tracer_lines", "tracer_maps", "tracer_plots", "tracer_report", "tracer_study"},
    "sweep_plots": LIBRARY | {"plots"},
    "cli": LIBRARY | LEAVES | {"__init__"},
    "__main__": {"cli"},
    # The public face gathers names from all parts; only the commands are not among them.
    "__init__": LIBRARY
    | VERSION
    | (LEAVES - {"cli", "sweep_cluster", "sweep_command", "sweep_progress", "tracer_command"}),
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
        ("npp_jax.simulate", "from npp_jax.config import load_experiment"),
        ("npp_jax.io.csv", "from npp_jax.plots import plot_profile"),
        ("npp_jax.observe", "from npp_jax.simulate import Solution"),
    ],
)
def test_a_wrong_import_is_found(module: str, source: str):
    assert len(violations(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("npp_jax.solver.newton", "from npp_jax.solver.status import Status\nfrom . import status\nimport jax"),
        ("npp_jax.simulate", "from npp_jax.physics import theory\nfrom npp_jax.solver.newton import solve"),
        ("npp_jax.cli", "from npp_jax import config, io, plots, __version__"),
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

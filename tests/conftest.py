"""Settings and fixtures of all tests.

npp_jax is imported by the tests and never here: the run-time check of array types has to be in place first.
"""

import gc
import mmap
import os
import platform
import random
from collections.abc import Callable, Iterator
from pathlib import Path

# Most of the time of the tests is compilation of programs that run once. Set before JAX reads it.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0".strip()

import jax
import jaxlib
import numpy as np
import pytest
from hypothesis import settings

MEMORY = 3_000_000_000
"""Bytes that a process of tests may hold from one module to the next."""

settings.register_profile("fixed", derandomize=True, deadline=None, print_blob=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("jax_dtype_promotion", "implicit promotion of array types: standard or strict", default="standard")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("fixed")
    # A program being traced is some million small objects that all live.
    gc.set_threshold(100_000, 50, 100)
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_numpy_dtype_promotion", config.getini("jax_dtype_promotion"))
    os.environ.setdefault("MPLBACKEND", "Agg")
    _compile_quickly()
    _keep_compiled_code(config)


def _compile_quickly() -> None:
    """Take the older emitters of a CPU: slower code in half of the time.

    Without optimisation, and with instructions that round a product and a sum once (FMA), they leave random numbers
    drawn by rejection unset now and then; without such instructions these are right. A flag that XLA does not know
    would end the process; it reads its flags with the first program.
    """
    library = Path(jaxlib.__file__).with_name("libjax_common.so")
    if platform.machine() not in ("x86_64", "AMD64") or not library.is_file():
        return
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as code:
        # A flag stands there as a text of its own; newer versions name flags that they know no more within others.
        if all(code.find(b"\0" + name + b"\0") >= 0 for name in (b"xla_cpu_use_fusion_emitters", b"xla_cpu_max_isa")):
            os.environ["XLA_FLAGS"] += " --xla_cpu_use_fusion_emitters=false --xla_cpu_max_isa=AVX"


def _keep_compiled_code(config: pytest.Config) -> None:
    """Keep compiled code between runs, for this process and, through the environment, for those it starts."""
    cache = getattr(config, "cache", None)
    if cache is None or "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    choices = {
        "jax_compilation_cache_dir": str(cache.mkdir("jax")),
        "jax_persistent_cache_min_compile_time_secs": 0.2,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    for name, value in choices.items():
        os.environ[name.upper()] = str(value)
        jax.config.update(name, value)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Files with long tests first: one that begins last would leave the other processes waiting for it.
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and jax.default_backend() != "gpu":
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="JAX finds no GPU"))


@pytest.fixture(autouse=True, scope="module")
def bounded_memory() -> Iterator[None]:
    """Compiled programs are let go between modules where they have become many; the disk keeps them."""
    yield
    held = Path("/proc/self/statm")
    if held.exists() and int(held.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") > MEMORY:
        jax.clear_caches()
        gc.collect()


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    """The global generators start every test in the same state."""
    random.seed(20240430)
    np.random.seed(20240430)


@pytest.fixture
def rng() -> np.random.Generator:
    """A NumPy generator of fixed seed."""
    return np.random.default_rng(20240430)


@pytest.fixture
def key() -> jax.Array:
    """A JAX random key of fixed seed."""
    return jax.random.key(20240430)


@pytest.fixture(scope="session")
def project_root(pytestconfig: pytest.Config) -> Path:
    """The folder of pyproject.toml."""
    return pytestconfig.rootpath


@pytest.fixture(scope="session")
def reference(project_root: Path) -> Callable[[str], Path]:
    """Folder of a converged reference solution: some belong to the repository, the others lie beside it."""

    def folder(case: str) -> Path:
        bundled = project_root / "tests" / "verification" / "reference" / case
        beside = project_root.parent / "shared" / "reference" / case
        if not bundled.is_dir() and not beside.is_dir():
            pytest.skip(f"no reference solution {case} at ../shared/reference")
        return bundled if bundled.is_dir() else beside

    return folder

"""Settings and fixtures of all tests.

npp_jax is imported by the tests and never here: the run-time check of array types has to be in place first.
"""

import os
import random
from pathlib import Path

# Most of the time of the tests is compilation of programs that run once. Set before JAX reads it.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0".strip()

import jax
import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("fixed", derandomize=True, deadline=None, print_blob=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("jax_dtype_promotion", "implicit promotion of array types: standard or strict", default="standard")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("fixed")
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_numpy_dtype_promotion", config.getini("jax_dtype_promotion"))
    os.environ.setdefault("MPLBACKEND", "Agg")
    _keep_compiled_code(config)


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
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and jax.default_backend() != "gpu":
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="JAX finds no GPU"))


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
def reference_dir(project_root: Path) -> Path:
    """Converged reference solutions, which are kept outside of the repository."""
    folder = project_root.parent / "shared" / "reference"
    if not folder.is_dir():
        pytest.skip("no reference solutions at ../shared/reference")
    return folder

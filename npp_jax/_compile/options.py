"""Choices of the compiler for programs that run a few times, where compilation is most of the time."""

import functools
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp

P = ParamSpec("P")
R = TypeVar("R")

_QUICK = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}

# Without optimisation and with instructions that round a product and a sum once (FMA), the older emitters leave random
# numbers drawn by rejection unset now and then: AVX has no such instructions.
_ONCE = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False, "xla_cpu_max_isa": "AVX"}


_WIDE = {"xla_cpu_prefer_vector_width": 512}


@functools.cache
def quick() -> dict[str, Any]:
    """Options that halve the compilation of a simulation on a CPU; it then runs up to a third slower.

    None of them on other devices, and where XLA does not know them.
    """
    return dict(_QUICK) if _known(_QUICK) else {}


@functools.cache
def once() -> dict[str, Any]:
    """Options for a program that runs once: a third of the compilation on a CPU, and three times the run.

    None of them on other devices; elsewhere than on x86, and where XLA does not know them, no optimisation alone.
    """
    if jax.default_backend() != "cpu":
        return {}
    if platform.machine() in ("x86_64", "AMD64") and _known(_ONCE):
        return dict(_ONCE)
    return {"xla_backend_optimization_level": 0}


@functools.cache
def wide() -> dict[str, Any]:
    """Options for a program that runs for long: vectors of 512 bits where the processor has them.

    The compiler would halve them. In double precision every number of a sweep of pairs of ions was the same to the last
    bit; in single precision they differ by rounding.
    """
    return dict(_WIDE) if _wide_vectors() and _known(_WIDE) else {}


@functools.cache
def _wide_vectors() -> bool:
    """Whether simulations run on a processor with vectors of 512 bits, as far as the system tells."""
    try:
        return jax.default_backend() == "cpu" and " avx512f " in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _known(options: dict[str, Any]) -> bool:
    """Whether the device is a CPU whose compiler knows the options."""
    if jax.default_backend() != "cpu":
        return False
    try:
        jax.jit(lambda x: x, compiler_options=options).lower(jnp.zeros(())).compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


def jit_small(function: Callable[..., Any], *, static: tuple[str, ...] = ()) -> Callable[..., Any]:
    """`jax.jit` of a short program that is not part of another: optimising its machine code is not worth the time."""

    @functools.cache
    def compiled() -> Callable[..., Any]:
        # The device is known with the first call; at import it must not be asked for.
        return jax.jit(function, static_argnames=static, compiler_options=once())

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return compiled()(*args, **kwargs)

    return wrapped


def own_promotion(function: Callable[P, R]) -> Callable[P, R]:
    """Trace a function with JAX's standard rules of promotion, whatever stricter ones the program around it has set."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            return function(*args, **kwargs)

    return wrapped

"""Choices of the compiler for programs that run a few times, where compilation is most of the time."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp

P = ParamSpec("P")
R = TypeVar("R")

_QUICK = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}


@functools.cache
def quick() -> dict[str, Any]:
    """Options that halve the compilation of a simulation on a CPU; it then runs up to a third slower.

    None of them on other devices, and where XLA does not know them.
    """
    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda x: x, compiler_options=_QUICK).lower(jnp.zeros(())).compile()
    except jax.errors.JaxRuntimeError:
        return {}
    return dict(_QUICK)


def jit_small(function: Callable[..., Any], *, static: tuple[str, ...] = ()) -> Callable[..., Any]:
    """`jax.jit` of a short program that is not part of another: optimising its machine code is not worth the time."""
    return jax.jit(function, static_argnames=static, compiler_options={"xla_backend_optimization_level": 0})


def own_promotion(function: Callable[P, R]) -> Callable[P, R]:
    """Trace a function with JAX's standard rules of promotion, whatever stricter ones the program around it has set."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            return function(*args, **kwargs)

    return wrapped

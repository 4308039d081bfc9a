"""A solution as a dictionary of arrays, and back: what a program that is kept returns, and what a file holds."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from npp_jax.simulation.quantities import REPORT, SOLUTION, TRACE
from npp_jax.simulation.solution import Report, Solution, Trace

_COUNTS = ("steps", "cells")


def numbers_of(solution: Solution) -> dict[str, Array]:
    """All arrays of a solution by their names, the counts of its report among them."""
    report = solution.report
    return {
        **{name: getattr(solution, name) for name in SOLUTION},
        **{f"trace_{name}": getattr(solution.trace, name) for name in TRACE},
        **{f"report_{name}": jnp.asarray(getattr(report, name)) for name in REPORT},
    }


def solution_of(numbers: Mapping[str, Any], species: tuple[str, ...], model: str) -> Solution:
    """The solution of which these are the arrays."""
    report = {name: numbers[f"report_{name}"] for name in REPORT}
    # Static in a report.
    report |= {name: int(report[name]) for name in _COUNTS}
    return Solution(
        species=species,
        model=model,
        **{name: numbers[name] for name in SOLUTION},
        trace=Trace(**{name: numbers[f"trace_{name}"] for name in TRACE}),
        report=Report(**report),
    )

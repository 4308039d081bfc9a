"""Figures: functions that take and return axes, one module a use case, loaded when it is first used."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from npp_jax.figures import fit, sims, simulation, sweep, tracer

__all__ = ["fit", "sims", "simulation", "sweep", "tracer"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'npp_jax.figures' has no attribute {name!r}")
    return importlib.import_module(f"npp_jax.figures.{name}")

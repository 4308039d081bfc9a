"""Figures: functions that take and return axes, one module a use case."""

from npp_jax.figures import fit, sims, simulation, sweep, tracer

__all__ = ["fit", "sims", "simulation", "sweep", "tracer"]

"""Unit, meaning and axes of every array of a solution, as files and labelled arrays name them."""

from typing import NamedTuple


class Quantity(NamedTuple):
    """What an array of a solution is."""

    units: str
    """Unit as in `m s-1`; `1` for a pure number."""
    long_name: str
    """What it is, in a few words."""
    dims: tuple[str, ...] = ()
    """Axes, those of a batch apart."""


_OUTPUT = ("output",)
_POINT = ("output", "point")
_STEP = ("step",)

SOLUTION = {
    "time": Quantity("s", "time from the start of the protocol", _OUTPUT),
    "charge": Quantity("C m-2", "charge passed per area", _OUTPUT),
    "current_density": Quantity("A m-2", "current density", _OUTPUT),
    "surface_potential": Quantity("V", "potential of the surface", _OUTPUT),
    "depth": Quantity("m", "depth", _POINT),
    "fraction": Quantity(
        "1", "number density over that of all mobile ions of the bulk", ("output", "species", "point")
    ),
    "potential": Quantity("V", "electric potential", _POINT),
    "faces": Quantity("m", "boundary of a cell", ("output", "face")),
    "field": Quantity("V m-1", "electric field", _POINT),
    "excess_charge": Quantity("1", "excess charge over the bulk density", _POINT),
    "front_depth": Quantity("m", "depth of the front of the native ion", _OUTPUT),
    "front_width": Quantity("m", "16-84 % width of the front", _OUTPUT),
    "plateau": Quantity("1", "native fraction at half the depth of its half value", _OUTPUT),
    "leading_edge": Quantity("m", "deepest depth with half of the foreign maximum", _OUTPUT),
}
"""Arrays of a `Solution`."""

TRACE = {
    "time": Quantity("s", "time from the start of the protocol", _STEP),
    "charge": Quantity("C m-2", "charge passed per area", _STEP),
    "current_density": Quantity("A m-2", "current density", _STEP),
    "surface_potential": Quantity("V", "potential of the surface", _STEP),
    "front_depth": Quantity("m", "depth of the front of the native ion", _STEP),
    "start": Quantity("s", "time at which the stage of the step began", _STEP),
}
"""Arrays of its `Trace`."""

REPORT = {
    "steps": Quantity("1", "time steps"),
    "cells": Quantity("1", "finite volumes"),
    "iterations": Quantity("1", "Newton iterations in all"),
    "newton_update": Quantity("1", "largest last change of a Newton iteration, weighted"),
    "profile_error": Quantity("1", "estimated root mean square error of the profiles", _OUTPUT),
    "front_error": Quantity("m", "estimated error of the front depth", _OUTPUT),
    "ion_balance": Quantity("1", "largest relative difference of foreign ions taken up and charge passed"),
    "time_error": Quantity("1", "largest relative distance from a requested output time"),
    "excess_charge": Quantity("1", "excess charge of largest modulus over the bulk density"),
    "status": Quantity("1", "outcome of the simulation"),
}
"""Arrays of its `Report`."""

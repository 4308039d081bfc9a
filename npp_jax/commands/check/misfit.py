"""Where a start is far from the data, and what that may mean."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from npp_jax.observe import MINIMUM_POINTS

MOST = 0.5
"""Share of χ² that is most of it."""
_TRANSIENT = 0.12
"""Share of the depths in which the transient of sputtering lies, if there is one."""
_BULK = 0.2
"""Share of the depths at the end that are those of the untouched glass."""
_ABOUT = 0.25
"""Share of the depth of the front by which one that lies elsewhere may be off."""
_MUCH_LESS = 0.2
"""Share of the squared deviations that two ions may have the other way round, beyond which they are not swapped."""
_LEVEL = 0.05
"""Relative difference of levels that is told of."""


class Seen(NamedTuple):
    """A measured profile and the same as the start has it."""

    species: tuple[str, ...]
    depth: Float[np.ndarray, " depth"]
    """Depths [nm]."""
    fraction: Float[np.ndarray, "species depth"]
    """Measured fractions [1]."""
    signal: Float[np.ndarray, "species depth"]
    """Those of the start [1]."""
    chi2: Float[np.ndarray, " depth"]
    """χ² of the points at each depth; zero where none counts."""
    front: tuple[float, float]
    """Depth and width of the front of the start [nm]."""


def cause(seen: Seen) -> str:
    """Where most of χ² lies, with what may explain it; where to look if it is spread, or the front is elsewhere."""
    total, depth = float(seen.chi2.sum()), seen.depth
    used = np.flatnonzero(seen.chi2 > 0.0)
    place = seen.front[0]
    if not total > 0.0 or not depth[used[0]] < place < depth[used[-1]]:
        return "see the figure"
    first, span = float(depth[used[0]]), float(depth[used[-1]] - depth[used[0]])
    return (
        _swapped(seen)
        or _transient(seen, first, span, total)
        or _bulk(seen, first + (1.0 - _BULK) * span, total)
        or _front(seen, total)
        or "see the figure"
    )


def _swapped(seen: Seen) -> str:
    if len(seen.species) != 2:
        return ""
    used = seen.chi2 > 0.0
    given, other = (
        float(np.sum((rows[:, used] - seen.signal[:, used]) ** 2)) for rows in (seen.fraction, seen.fraction[::-1])
    )
    if other > _MUCH_LESS * given:
        return ""
    return f"each ion looks as the other should: are the columns of {' and '.join(seen.species)} swapped?"


def _transient(seen: Seen, first: float, span: float, total: float) -> str:
    near = seen.depth <= first + _TRANSIENT * span
    held = np.cumsum(np.where(near, seen.chi2, 0.0)) / total
    if held[-1] <= MOST:
        return ""
    # What is left of it is no more than points beside it have.
    end = int(np.flatnonzero(near & (seen.chi2 > 5.0 * np.median(seen.chi2[~near])))[-1])
    if end + MINIMUM_POINTS >= len(held):
        # A transient leaves a profile below it.
        return ""
    below = float(seen.depth[end + 1])
    return (
        f"{held[end]:.0%} of it above {below:.4g} nm: a transient of sputtering? first_depth_nm = {below:.4g} leaves "
        "it out (--first-depth-nm of npp-jax new)"
    )


def _bulk(seen: Seen, begin: float, total: float) -> str:
    deep = seen.depth > begin
    measured, modelled = (np.median(rows[:, deep], axis=1) for rows in (seen.fraction, seen.signal))
    k = int(np.argmax(modelled))
    share = float(seen.chi2[deep].sum()) / total
    if share < 0.5 * _BULK or abs(measured[k] - modelled[k]) < _LEVEL * modelled[k]:
        return ""
    name = seen.species[k]
    return (
        f"{share:.0%} of it in the bulk, where {name} is {measured[k]:.3g} in the profile and {modelled[k]:.3g} in the "
        f"model: are bulk fractions and scale of the numbers right (observation.{name}.sensitivity as a parameter)?"
    )


def _front(seen: Seen, total: float) -> str:
    place, width = seen.front
    half = max(2.0 * width, _ABOUT * place)
    if half > 2.0 * _ABOUT * place:
        # No front, but a slope over most of the profile.
        return ""
    about = np.abs(seen.depth - place) < half
    at, behind = (float(seen.chi2[where].sum()) / total for where in (about, seen.depth <= place - half))
    if at > MOST:
        ends = f"from {seen.depth[about][0]:.4g} to {seen.depth[about][-1]:.4g} nm"
        return (
            f"{at:.0%} of it at the front, {ends}: its place is that of charge and depth scale, its width that of "
            "depth resolution and potential"
        )
    if behind > MOST:
        return f"{behind:.0%} of it behind the front, where fractions are those of the laws of D, which a fit finds"
    return ""

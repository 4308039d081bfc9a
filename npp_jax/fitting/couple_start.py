"""Where the free form of a couple starts, and the ranges of what it fits: from what Boltzmann and Matano tell."""

import math

import numpy as np
from jaxtyping import Float

from npp_jax.inference import Parameter, Prior
from npp_jax.physics.boltzmann_matano import Interdiffusion

RANGE = 30.0
"""How far D at a knot may be from what Boltzmann and Matano tell, as a factor."""

PRIOR = 2.0
"""Standard deviation of ln D at a knot: it holds D where the profile tells nothing."""

ENDS = 0.005
"""Standard deviation of the fractions of the ends: that of the scale of a probe, which moves them together with all
points between, and of a profile that stops short of them."""

_SCATTERS, _SHARE = 8.0, 0.45
"""How far the end of a phase may lie on its own side of its last point, in standard deviations, and beyond it, as a
share of the jump."""

_ABOVE_NOISE = 3.0
"""Distance from both ends, in standard deviations of the points, at which D of Boltzmann and Matano is a start."""

_LEAST_PHASE = 0.005
"""Least width that a phase starts with, as a share of the whole rise."""


def _limits(found: Interdiffusion, sigma: np.ndarray) -> list[tuple[float, float, float]]:
    """Fractions at which phases end, in the order of the depth, with their ranges: each goes on straight half way to
    the next point.
    """
    told = list[tuple[float, float, float]]()
    for last in np.flatnonzero(np.diff(found.phase)).tolist():
        jump = float(found.fraction[last + 1] - found.fraction[last])
        half = 0.5 * float(found.depth[last + 1] - found.depth[last])
        for at, sign in ((last, math.copysign(1.0, jump)), (last + 1, math.copysign(1.0, -jump))):
            own = np.flatnonzero(found.phase == found.phase[at])
            near = own[np.argsort(np.abs(own - at), kind="stable")[:5]]
            beyond = _SHARE * abs(jump)
            # A phase keeps its own half.
            inside = min(_SCATTERS * float(sigma[at]), max(0.45 * float(np.ptp(found.fraction[own])), 0.1 * beyond))
            value = float(found.fraction[at])
            slope = float(np.polyfit(found.depth[near], found.fraction[near], 1)[0]) if len(near) > 2 else 0.0
            rise = min(max(slope * math.copysign(half, jump), 0.0), 0.5 * beyond)
            low, high = sorted((value - sign * inside, value + sign * beyond))
            told.append((low, value + sign * rise, high))
    return told


def _ordered(limits: list[tuple[float, float, float]], ends: tuple[float, float]) -> list[tuple[float, float, float]]:
    """Limits that start where each phase has some width: noise may put the end of one beyond its other end."""
    rise = ends[1] - ends[0]
    # Shares of the rise, in the order of the depth: the far end of a phase is not before its near one.
    starts = np.array([0.0, *((at - ends[0]) / rise for _, at, _ in limits), 1.0])
    for near in range(0, len(starts), 2):
        lack = _LEAST_PHASE - (starts[near + 1] - starts[near])
        if lack <= 0.0:
            continue
        first, last = near == 0, near + 2 == len(starts)
        starts[near] -= 0.0 if first else lack if last else 0.5 * lack
        starts[near + 1] += 0.0 if last else lack if first else 0.5 * lack
    moved = ends[0] + rise * starts[1:-1]
    # So does the whole range of what bounds the first and the last phase.
    least, most = sorted((ends[0] + _LEAST_PHASE * rise, ends[1] - _LEAST_PHASE * rise))
    kept = [(max(low, least), min(high, most)) for low, _, high in limits]
    if any(min(low, at) >= max(high, at) for (low, high), at in zip(kept, moved.tolist(), strict=True)):
        raise ValueError(
            f"no room for a phase beside the ends {ends[0]:.3g} and {ends[1]:.3g}: the profile shows too little of "
            "one, or a gap lies in the noise of an end"
        )
    return [(min(low, at), at, max(high, at)) for (low, high), at in zip(kept, moved.tolist(), strict=True)]


def starts_of(
    found: Interdiffusion, sigma: Float[np.ndarray, " point"], counts: tuple[int, ...]
) -> tuple[tuple[Parameter, ...], list[float]]:
    """What is fitted, and where it starts."""
    limits = _limits(found, sigma)
    limits = _ordered(limits, found.ends)
    edges = np.array([found.ends[0], *(start for _, start, _ in limits), found.ends[1]]).reshape(-1, 2)
    made, start = list[Parameter](), list[float]()
    # In the flat ends D is that of the noise.
    away = np.min(np.abs(found.fraction[:, None] - np.asarray(found.ends)), axis=1)
    seen = np.isfinite(found.D) & (away > _ABOVE_NOISE * found.scatter)
    seen = seen if seen.any() else np.isfinite(found.D)
    for k, (edge, count) in enumerate(zip(edges, counts, strict=True)):
        known = seen & (found.phase == k)
        known = known if known.any() else seen
        for n, place in enumerate(np.linspace(edge[0], edge[1], count)):
            near = np.argsort(np.abs(found.fraction[known] - place), kind="stable")[:5]
            D = float(np.median(found.D[known][near]))
            made.append(Parameter(f"D_{k}_{n}", (), D / RANGE, D * RANGE, "log", prior=Prior(D, PRIOR)))
            start.append(D)
    for n, (low, at, high) in enumerate(limits):
        made.append(Parameter(f"limit_{n}", (), low, high))
        start.append(at)
    place, span = 1e6 * found.matano, 1e6 * float(found.depth[-1] - found.depth[0])
    for name, end in zip(("first_end", "second_end"), found.ends, strict=True):
        made.append(Parameter(name, (), end - 4.0 * ENDS, end + 4.0 * ENDS, prior=Prior(end, ENDS)))
        start.append(end)
    made.append(Parameter("position_um", (), place - 0.1 * span, place + 0.1 * span))
    return tuple(made), [*start, place]

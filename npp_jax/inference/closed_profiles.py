"""Profile likelihoods of parameters without a range: as wide as it takes for their intervals to close."""

from collections.abc import Sequence

import numpy as np

from npp_jax.inference.parameter import Parameter, Parameters
from npp_jax.inference.profile import Profile, profile_grid, profile_likelihood
from npp_jax.inference.refine import ResidualsAndJacobian
from npp_jax.inference.refine_result import RefineOptions
from npp_jax.inference.uncertainty import Covariance

_WIDTHS = (3.5, 10.0, 30.0)
"""Half widths of the grids that are tried, in standard errors; each has twice the points of the one before."""


def closed_profiles(
    function: ResidualsAndJacobian,
    parameters: Parameters,
    covariance: Covariance,
    wanted: Sequence[int],
    *,
    points: int,
    options: RefineOptions | None = None,
) -> tuple[Profile, ...]:
    """Profile likelihoods of some parameters; an interval that is open at the end of the grid is looked for beyond it.

    Where the likelihood is far from normal, as that of few data, it reaches further than standard errors say.

    Parameters
    ----------
    function, parameters, options
        As for `profile_likelihood`.
    covariance
        Covariance at the minimum.
    wanted
        Places of the parameters to profile; all of them determined.
    points
        Values of the first grid of each.
    """
    found: dict[int, Profile] = {}
    left = list(wanted)
    for doubled, width in enumerate(_WIDTHS):
        if not left:
            break
        count = (points - 1) * 2**doubled + 1
        grids = {parameters[k].name: profile_grid(covariance, parameters, k, points=count, width=width) for k in left}
        profiles = profile_likelihood(
            function, parameters, covariance.theta, grids, covariance=covariance, options=options
        )
        for k, profile in zip(left, profiles, strict=True):
            found[k] = _joined(found.get(k), profile)
        left = [k for k in left if _goes_on(parameters[k], found[k])]
    return tuple(found[k] for k in wanted)


def _joined(narrow: Profile | None, wide: Profile) -> Profile:
    """The wide profile, with the ends that the narrow one has found: its values are closer."""
    if narrow is None:
        return wide
    both = zip(narrow.interval, wide.interval, narrow.open_ends, strict=True)
    low, high = (far if is_open else near for near, far, is_open in both)
    open_ends = (narrow.open_ends[0] and wide.open_ends[0], narrow.open_ends[1] and wide.open_ends[1])
    return wide._replace(interval=(low, high), open_ends=open_ends)


def _goes_on(parameter: Parameter, profile: Profile) -> bool:
    """Whether an end is open although the range goes on, and the last values could be fitted."""
    inside = profile.values[0] > parameter.low, profile.values[-1] < parameter.high
    fitted = np.isfinite(profile.delta_chi2[[0, -1]])
    return any(o and i and bool(f) for o, i, f in zip(profile.open_ends, inside, fitted, strict=True))

"""What an import knows of depth scale, sensitivities and backgrounds, as parameters of a fit with priors.

All points of a profile share these errors, so that its standard deviations cannot hold them.
"""

import dataclasses
import math

import numpy as np

from npp_jax.fitting.observed import is_observed
from npp_jax.fitting.problem import Measurement, Problem
from npp_jax.inference.parameter import Parameter, Parameters, Prior

WIDTH = 6.0
"""Half range of such a parameter, in standard deviations of its prior."""


def with_systematic(problem: Problem) -> Problem:
    """The problem with a parameter for each systematic error that its profiles tell of, unless it has one of its own.

    Depth scale and sensitivities vary on a logarithmic scale about those of the observation, the background linearly.
    They stand behind the parameters of the problem, named after the experiment where several are measured.
    """
    measured = [m for m in problem.measurements if m.profile is not None]
    taken = {parameter.name for parameter in problem.parameters}
    added: list[Parameter] = []
    for measurement in measured:
        own = {k for p in problem.parameters if problem.enters(p, measurement) for k in p.keys}
        for parameter in _known(measurement):
            name = parameter.name
            if len(measured) > 1 or name in taken:
                name = f"{measurement.name.replace('/', '_')}_{name}"
            if parameter.keys[0] not in own and name not in taken:
                taken.add(name)
                added.append(dataclasses.replace(parameter, name=name))
    return dataclasses.replace(problem, parameters=(*problem.parameters, *added)) if added else problem


def is_systematic(parameter: Parameter) -> bool:
    """Whether a parameter is one of how an experiment is seen, known beforehand: nobody asks for its likelihood."""
    return parameter.prior is not None and bool(parameter.keys) and all(is_observed(key) for key in parameter.keys)


def _known(measurement: Measurement) -> Parameters:
    """Parameters of the systematic errors of one profile."""
    profile, seen, nuisance = measurement.profile, measurement.observation, measurement.nuisance
    if profile is None or profile.systematic is None or seen is None:
        return ()
    found = []
    known, name = profile.systematic, (measurement.name,)
    if (sigma := float(known.depth_scale)) > 0.0:
        found.append(_relative("depth_scale", "observation.depth_scale", float(seen.depth_scale), sigma, name))
    for k, ion in enumerate(profile.species):
        sigma = float(known.sensitivity[k])
        # What the study solves for it knows better.
        if sigma > 0.0 and not np.any(np.asarray(nuisance.sensitivity_sigma) > 0.0):
            key = f"observation.{ion}.sensitivity"
            found.append(_relative(f"{ion}_sensitivity", key, float(seen.sensitivity[k]), sigma, name))
        sigma, level = float(known.background[k]), float(seen.background[k])
        if sigma > 0.0 and not np.any(np.asarray(nuisance.background_sigma) > 0.0):
            low, high = level - WIDTH * sigma, level + WIDTH * sigma
            key = (f"observation.{ion}.background",)
            prior = Prior(level, sigma)
            found.append(Parameter(f"{ion}_background", key, low, high, experiments=name, prior=prior))
    return tuple(found)


def _relative(name: str, key: str, value: float, sigma: float, experiments: tuple[str, ...]) -> Parameter:
    low, high = value * math.exp(-WIDTH * sigma), value * math.exp(WIDTH * sigma)
    return Parameter(name, (key,), low, high, "log", experiments=experiments, prior=Prior(value, sigma))


def extended(starts: np.ndarray, problem: Problem) -> np.ndarray:
    """Starts of the parameters that a problem had, with the middle of the priors of those that were added.

    Parameters
    ----------
    starts
        Parameters, shape [start, parameter].
    problem
        The problem with its systematic errors.
    """
    added = problem.parameters[starts.shape[1] :]
    middle = [parameter.prior.mean if parameter.prior else math.nan for parameter in added]
    return np.concatenate([starts, np.tile(np.array(middle, float), (len(starts), 1))], axis=1)

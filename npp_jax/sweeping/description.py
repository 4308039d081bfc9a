"""What the arrays of a sweep are: units, axes and meaning, for the file that `Store.finish` writes."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import jax
import numpy as np

from npp_jax.fitting import Measurement, Problem
from npp_jax.fitting.units import split_unit
from npp_jax.inference import Parameter
from npp_jax.observe import expected_by_data
from npp_jax.simulation.status import Status
from npp_jax.store.assemble import Coordinate, Variable
from npp_jax.sweeping.profiles import labels

_EACH = ("experiment",)

OBSERVABLES = {
    "front_depth": Variable("m", "depth of the front", _EACH),
    "front_width": Variable("m", "distance between 16 and 84 % of the front", _EACH),
    "plateau": Variable("1", "native fraction behind the front", _EACH),
    "charge": Variable("C m-2", "charge passed", _EACH),
    "time": Variable("s", "time", _EACH),
    "excess_charge": Variable("1", "excess charge of largest modulus over the bulk density", _EACH),
    "profile_error": Variable("1", "estimated numerical error of the profile", _EACH),
    "status": Variable(
        "1",
        "outcome of the simulation",
        _EACH,
        {"flag_values": [int(s) for s in Status], "flag_meanings": " ".join(s.name.lower() for s in Status)},
    ),
    "chi2": Variable("1", "χ² of profile and records with the best sensitivities, backgrounds and gains", _EACH),
    "reevaluated_with": Variable(
        "1",
        "settings that gave the result",
        (),
        {"flag_values": [0, 1, 2], "flag_meanings": "first_evaluation finer_settings full_model"},
    ),
}
"""Arrays that every sweep has."""


def parameter_variables(parameters: Sequence[Parameter]) -> dict[str, Variable]:
    """The parameters, with the keys that they set, and the range and scale over which they vary."""
    return {
        p.name: Variable(
            split_unit(p)[1],
            f"parameter {p.name}",
            attributes={"low": float(p.low), "high": float(p.high), "scale": p.scale}
            | ({"keys": list(p.keys)} if p.keys else {}),
        )
        for p in parameters
    }


def shared_values(problem: Problem) -> dict[str, Coordinate]:
    """Names of the experiments, and the profiles that were measured on them."""
    measurements = problem.measurements
    points = [measurement.points for measurement in measurements]
    shared = {
        "experiment": Coordinate(tuple(m.name for m in measurements), "1", "experiment"),
        "points": Coordinate(np.array(points), "1", "measured points that count", _EACH),
        "expected_chi2": Coordinate(
            np.array([expected_of(measurement) for measurement in measurements]),
            "1",
            "mean and variance of χ² if model and noise are right",
            (*_EACH, "moment"),
        ),
    }
    for measurement, label in zip(measurements, labels(m.name for m in measurements), strict=True):
        if measurement.profile is not None:
            shared |= _measured(measurement, label)
    return shared


def data_checksum(problem: Problem) -> str:
    """SHA-256 of all that was measured and of the experiments it was measured on, in hexadecimal; titles apart."""
    parts = [replace(m, experiment=replace(m.experiment, title="")) for m in problem.measurements]
    leaves, structure = jax.tree.flatten(parts)
    digest = hashlib.sha256(str(structure).encode())
    for leaf in leaves:
        values = np.asarray(leaf)
        digest.update(f"{values.dtype}{values.shape}".encode() + values.tobytes())
    return digest.hexdigest()


def expected_of(measurement: Measurement) -> tuple[float, float]:
    """Mean and variance of χ² of an experiment with a right model, as far as its data tell them."""
    mean, variance, profile = float(measurement.points), 2.0 * measurement.points, measurement.profile
    if profile is not None and profile.censored is None:
        means, variances = expected_by_data(measurement.likelihood, profile)
        told = np.asarray(profile.weight) > 0.0
        mean, variance = mean + np.sum(means[told] - 1.0), variance + np.sum(variances[told] - 2.0)
    return float(mean), float(variance)


def _measured(measurement: Measurement, label: str) -> dict[str, Coordinate]:
    profile = measurement.profile
    assert profile is not None
    axes = (f"species_{label}", f"depth_{label}")
    of = f"of {measurement.name}"
    values = {
        "measured": (profile.fraction, "measured profile"),
        "sigma": (profile.sigma, "standard deviation of the profile"),
        "weight": (profile.weight, "weight of the points of the profile"),
    }
    if profile.censored is not None:
        values["below"] = (profile.censored, "one where the profile only tells that it is below 'measured'")
    return {
        axes[0]: Coordinate(profile.species, "1", f"species of the profile {of}"),
        axes[1]: Coordinate(np.asarray(profile.depth), "nm", f"depth of the profile {of}"),
        **{
            f"{name}_{label}": Coordinate(np.asarray(array), "1", f"{text} {of}", axes)
            for name, (array, text) in values.items()
        },
    }

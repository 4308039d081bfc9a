"""What is found of a set of candidates."""

from typing import NamedTuple

from jaxtyping import Array, Bool, Float, Int


class Evaluation(NamedTuple):
    """What was found for each candidate; first axes candidate and experiment."""

    front_depth: Float[Array, "candidate experiment"]
    """Depth of the front at the output point of the measurement [m]."""
    front_width: Float[Array, "candidate experiment"]
    """Distance between 16 and 84 % of the front [m]."""
    plateau: Float[Array, "candidate experiment"]
    """Native fraction behind the front [1]."""
    charge: Float[Array, "candidate experiment"]
    """Charge passed [C/m²]."""
    time: Float[Array, "candidate experiment"]
    """Time [s]."""
    excess_charge: Float[Array, "candidate experiment"]
    """Excess charge of largest modulus, fraction of the bulk density [1]."""
    profile_error: Float[Array, "candidate experiment"]
    """Estimated numerical error of the profile, NaN where it was not estimated [1]."""
    status: Int[Array, "candidate experiment"]
    """`Status` of the simulation."""
    chi2: Float[Array, "candidate experiment"]
    """χ² of profile and records with the best sensitivities, backgrounds and gains; NaN where nothing was measured."""


class Predicted(NamedTuple):
    """What was predicted for all profiles and records, in the order of `Problem.data`."""

    residuals: list[Float[Array, "candidate residual"]]
    signals: list[Float[Array, "candidate *data"]]
    """Signals that were compared with the data: [candidate, species, depth] of a profile in fractions of the bulk
    signal, [candidate, point] of a record in its unit."""
    finite: Bool[Array, " candidate"]
    """Whether all simulations are finite."""

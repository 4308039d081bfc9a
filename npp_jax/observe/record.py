"""What is recorded besides profiles: a current, a potential or a charge in the course of time, and numbers of the
material; their noise, and the calibration that all points of a record share.

This part knows no simulator: a prediction is a list of numbers in the unit of the record.
"""

import math
from collections.abc import Sequence
from typing import Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from npp_jax._compile import concrete
from npp_jax.observe.arrays import as_leaf

Recorded = Literal["current", "potential", "charge", "conductivity", "activation_energy"]

RECORDED: dict[Recorded, tuple[str, str]] = {
    "current": ("current density", "A m-2"),
    "potential": ("surface potential", "V"),
    "charge": ("charge passed", "C m-2"),
    "conductivity": ("conductivity", "S m-1"),
    "activation_energy": ("activation energy", "eV"),
}
"""What is recorded, in words, and its unit."""

IN_TIME: tuple[Recorded, ...] = ("current", "potential", "charge")
"""Those that are recorded in the course of time."""

_SECOND_DIFFERENCE = math.sqrt(6.0)
"""Standard deviation of y[k-1] - 2 y[k] + y[k+1] where that of y is one."""
_FEW_STEPS = 2
"""Steps between points of which the longest is no pause, however long it is."""
_MEDIAN = 0.6744897501960817
"""Median modulus of a normal number of standard deviation one."""


class Record(eqx.Module):
    """Recorded values with their standard deviations: signal = gain × quantity."""

    quantity: Recorded = eqx.field(static=True)
    """What was recorded."""
    at: Float[Array, " point"]
    """Time of each point from the start of the protocol [s]; of a conductivity the temperature [K]."""
    value: Float[Array, " point"]
    """Recorded values [A/m², V, C/m², S/m or eV]."""
    sigma: Float[Array, " point"]
    """Standard deviation of each, without what the gain has in common [same unit]."""
    span: Float[Array, " point"] | None
    """Time over which each point is a mean, about its time; zero or None where it is the value there [s]."""
    gain: Float[Array, ""]
    """Recorded value over the true one [1]."""
    gain_sigma: float = eqx.field(static=True)
    """Standard deviation of the gain, which is solved for; zero: known [1]."""
    output: int | None = eqx.field(static=True)
    """Output point to which a charge belongs, numbered from 0 over all stages; None where times tell it."""

    def __init__(
        self,
        quantity: Recorded,
        at: ArrayLike | Sequence,
        value: ArrayLike | Sequence,
        sigma: ArrayLike | Sequence,
        span: ArrayLike | Sequence | None = None,
        gain: ArrayLike = 1.0,
        gain_sigma: float = 0.0,
        output: int | None = None,
    ):
        """Check and hold a record.

        Parameters
        ----------
        quantity
            `current`, `potential`, `charge`, `conductivity` or `activation_energy`.
        at
            Times from the start of the protocol [s], temperatures of conductivities [K]; anything for one number.
        value, sigma
            Recorded values and their standard deviations, in SI units, eV of an energy; a number serves all points.
        span
            Time over which each point is a mean, about its time; zero of values at a time. [s]
        gain, gain_sigma
            Recorded value over the true one, and its standard deviation if it is to be solved for.
        output
            Output point to which a single charge belongs.

        Raises
        ------
        ValueError
            In one line. Values are checked outside of compiled functions only.
        """
        if quantity not in RECORDED:
            raise ValueError(f"quantity = '{quantity}': known are {', '.join(RECORDED)}")
        if output is not None and quantity != "charge":
            raise ValueError(f"{quantity}: a charge alone belongs to an output")
        self.quantity, self.output, self.gain_sigma = quantity, output, float(gain_sigma)
        given = (jnp.atleast_1d(as_leaf(values)) for values in (at, value, sigma))
        self.at, self.value, self.sigma = jnp.broadcast_arrays(*given)
        if self.at.ndim != 1 or not self.at.size:
            raise ValueError(f"{quantity}: a list of points is needed, got the shape {self.at.shape}")
        if output is not None and self.at.size != 1:
            raise ValueError(f"{quantity}: an output has one value, got {self.at.size}")
        self.span = None if span is None else jnp.broadcast_to(as_leaf(span), self.at.shape)
        self.gain = as_leaf(gain)
        self._check()

    def _check(self) -> None:
        if not 0.0 <= self.gain_sigma < math.inf:
            raise ValueError(f"gain_sigma = {self.gain_sigma:g} of the {self.quantity}: it must not be negative")
        if not concrete(self.at, self.value, self.sigma, self.gain):
            return
        for name, allowed in (("at", "not negative"), ("value", "finite"), ("sigma", "positive")):
            numbers = np.asarray(getattr(self, name))
            good = np.isfinite(numbers) & {"at": numbers >= 0.0, "value": True, "sigma": numbers > 0.0}[name]
            if not good.all():
                k = int(np.argmin(good))
                raise ValueError(f"{name} of the {self.quantity}, point {k}, is {numbers[k]:.6g}: it must be {allowed}")
        if not 0.0 < float(self.gain) < np.inf:
            raise ValueError(f"gain = {float(self.gain):g} of the {self.quantity}: it must be positive")

    @property
    def solved(self) -> bool:
        """Whether the gain is solved for."""
        return self.gain_sigma > 0.0

    @property
    def size(self) -> int:
        """Number of residuals."""
        return self.at.size + int(self.solved)

    def best_gain(self, prediction: Float[Array, " point"]) -> Float[Array, ""]:
        """Gain that brings a prediction nearest to the record, if it is solved for.

        Least of Σ (g y - d)²/σ² + (g - g₀)²/σ_g².
        """
        if not self.solved:
            return self.gain
        weight, prior = 1.0 / self.sigma**2, 1.0 / self.gain_sigma**2
        best = jnp.sum(weight * prediction * self.value) + prior * self.gain
        return best / (jnp.sum(weight * prediction**2) + prior)

    def residuals(self, prediction: Float[Array, " point"]) -> tuple[Float[Array, " residual"], Float[Array, " point"]]:
        """(signal - data)/σ, with the pull of the gain behind them where it is solved for; and the signal.

        Parameters
        ----------
        prediction
            The quantity at the points, or its means over their spans.
        """
        gain = self.best_gain(prediction)
        signal = gain * prediction
        found = (signal - self.value) / self.sigma
        if self.solved:
            found = jnp.concatenate([found, ((gain - self.gain) / self.gain_sigma)[None]])
        return found, signal


def scatter(value: Float[ArrayLike, " point"]) -> float:
    """Standard deviation of the noise of a smooth course that is sampled evenly, from its second differences.

    Their median modulus, which single jumps do not change. Slow drifts are no noise to it.
    """
    second = np.diff(np.asarray(value, float), 2)
    return float(np.median(np.abs(second))) / (_SECOND_DIFFERENCE * _MEDIAN) if second.size else math.nan


def gathered(
    at: Float[np.ndarray, " point"],
    value: Float[np.ndarray, " point"],
    sigma: Float[np.ndarray, " point"],
    most: int,
    cuts: Sequence[float] = (),
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """A dense course as some `most` means, each over the time from the first to the last of equally many neighbours.

    No mean reaches over one of the times `cuts`, at which the course may jump, nor over a pause of the recording. The
    course is a straight line between two points, and their noise is independent.

    Returns
    -------
    Middles of these times, means, their standard deviations, and the lengths of the times, zero of a point that is left
    alone; None where nothing was gathered.
    """
    each = -(-len(at) // most)
    if each == 1:
        return at, value, sigma, None
    parts = [
        run
        for part in np.array_split(np.arange(len(at)), len(at) // each)
        for piece in np.split(part, np.searchsorted(at[part], np.sort(np.asarray(cuts, float))))
        if piece.size
        for run in _without_pause(at, piece)
    ]
    weights = [_trapezoid(at[part]) for part in parts]
    middle = np.array([0.5 * (at[part[0]] + at[part[-1]]) for part in parts])
    mean = np.array([w @ value[part] for w, part in zip(weights, parts, strict=True)])
    error = np.array([np.sqrt(w**2 @ sigma[part] ** 2) for w, part in zip(weights, parts, strict=True)])
    return middle, mean, error, np.array([at[part[-1]] - at[part[0]] for part in parts])


def _without_pause(at: np.ndarray, part: np.ndarray) -> list[np.ndarray]:
    """Points before and after a step that takes most of the time of all, of more than three."""
    steps = np.diff(at[part])
    if steps.size > _FEW_STEPS and steps.max() > 0.5 * steps.sum():
        return np.split(part, [int(np.argmax(steps)) + 1])
    return [part]


def _trapezoid(at: np.ndarray) -> np.ndarray:
    """Weights of points in the mean over the time from the first to the last."""
    steps = np.diff(at)
    if not steps.size:
        return np.ones(1)
    return 0.5 * (np.append(steps, 0.0) + np.append(0.0, steps)) / steps.sum()

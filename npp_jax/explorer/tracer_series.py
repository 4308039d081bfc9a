"""What a page shows of a fit of isotope data: measured fractions beside those of the model, panel by panel."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from npp_jax.tracer.chain_fit import ChainModel
from npp_jax.tracer.fit import EvolutionModel
from npp_jax.tracer.grain_fit import MapModel
from npp_jax.tracer.measured import MeasuredProfile
from npp_jax.tracer.profile_fit import ProfileModel
from npp_jax.tracer.tracer_fit import TracerFit

_LENGTHS = (("mm", 1e-3), ("µm", 1e-6), ("nm", 1e-9))


class Series(NamedTuple):
    """Measured fractions along a line, or of a map, and which of the data of the fit they are."""

    panel: str
    label: str
    position: Float[np.ndarray, " point"] | None
    """Positions, in the unit of `unit`; None for a map."""
    unit: str
    measured: Float[np.ndarray, "*shape"]
    error: Float[np.ndarray, "*shape"] | None
    place: int
    pixel: float = 1.0
    """Edge of a pixel of a map, in the unit of `unit`."""


def series_of(fit: TracerFit, specimens: Sequence[str] = ()) -> list[Series]:
    """Series of a fit of any kind, in the order of its data; specimens of an evolution have names."""
    model = fit.model
    match model:
        case MapModel():
            counts: Any = model.measured
            total = np.asarray(counts.counted + counts.other)
            with np.errstate(invalid="ignore"):
                fraction = np.where(total > 0.0, np.asarray(counts.counted) / total, np.nan)
            return [Series("map", "map", None, "µm", fraction, None, 0, 1e6 * model.grains.pixel_size)]
        case EvolutionModel():
            profiles = [
                (
                    f"[{k + 1}] {specimens[k]}" if specimens else f"specimen {k + 1}",
                    "start" if j == 0 else f"anneal {j}",
                    profile,
                )
                for k in range(len(model.specimens))
                for j, profile in enumerate(model.measured(k))
            ]
        case ChainModel():
            profiles = [
                (f"after stage {k + 1}", "profile", profile)
                for k, profile in enumerate(model.profiles)
                if profile is not None
            ]
        case ProfileModel():
            profiles = [("profile", "profile", model.profile)]
        case _:
            raise TypeError(f"no series are known of {type(model).__name__}")
    extent = max(float(np.ptp(np.asarray(profile.position))) for *_, profile in profiles)
    unit, length = next((pair for pair in _LENGTHS if extent > pair[1]), _LENGTHS[-1])
    return [_series(panel, label, profile, unit, length, k) for k, (panel, label, profile) in enumerate(profiles)]


def _series(panel: str, label: str, profile: MeasuredProfile, unit: str, length: float, place: int) -> Series:
    fraction = np.asarray(profile.fraction)
    error = np.broadcast_to(np.asarray(profile.error), fraction.shape)
    return Series(panel, label, np.asarray(profile.position) / length, unit, fraction, error, place)


def chi2_of(fit: TracerFit, modelled: list[np.ndarray]) -> float:
    """Misfit of the data for modelled fractions."""
    pairs = zip(fit.model.data, modelled, strict=True)
    return float(sum(np.sum(np.asarray(data.residual(jnp.asarray(fraction))) ** 2) for data, fraction in pairs))

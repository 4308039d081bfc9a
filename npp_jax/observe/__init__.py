"""What SIMS sees of a profile: depth resolution, sensitivity, background, noise; and how well data agree with it.

Lengths are in nanometres, signals in fractions of the bulk content of the native ion. This part knows no simulator: a
profile is a list of cells with their averages.
"""

from npp_jax.observe.profile import DepthProfile, check, within
from npp_jax.observe.response import AbstractResponse, DowsettResponse, GaussianResponse, MRIResponse, NoResponse

__all__ = [
    "AbstractResponse",
    "DepthProfile",
    "DowsettResponse",
    "GaussianResponse",
    "MRIResponse",
    "NoResponse",
    "check",
    "within",
]

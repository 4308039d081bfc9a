"""Tables of what a single isotope profile is fitted with, and of what is known beforehand."""

from typing import Literal

from pydantic import Field, model_validator

from npp_jax.commands.tracer.tables import Positive
from npp_jax.files import ConfigTable, Diffusion, Fraction, Time
from npp_jax.physics.limits import Limits, above, between
from npp_jax.tracer.profile_fit import LIMITS, Transport

LOGARITHMIC = ("D_m2_s", "Dt_m2", "k_m_s", "kt_m", "fast_ratio")
"""Parameters that are found on a logarithmic scale."""

FRACTIONS = ("surface", "base")
"""Isotope fractions; noise may lead their ranges out of 0 to 1."""

FAR = 10.0
"""Modulus that no isotope fraction has, whatever its noise."""


class KnownTable(ConfigTable):
    """[[known]]: what is known of a parameter beforehand."""

    name: str
    """Name: D_m2_s or Dt_m2, k_m_s or kt_m, surface, base, origin_m, fast_ratio, fast_share or D_slope."""
    low: float | None = None
    """Least value."""
    high: float | None = None
    """Greatest value."""
    prior_mean: float | None = None
    """Centre of a Gaussian prior."""
    prior_sigma: Positive | None = None
    """Its standard deviation; the relative one of D, Dt, k, kt and fast_ratio."""

    @model_validator(mode="after")
    def _complete(self) -> "KnownTable":
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high go together")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"low = {self.low:g} must be less than high = {self.high:g}")
        if (self.prior_mean is None) != (self.prior_sigma is None):
            raise ValueError("prior_mean and prior_sigma go together")
        if self.low is None and self.prior_mean is None:
            raise ValueError("low and high, or prior_mean and prior_sigma, are needed")
        allowed = _allowed(self.name)
        for key, value in (("low", self.low), ("high", self.high), ("prior_mean", self.prior_mean)):
            if value is not None and not allowed.hold(value):
                raise ValueError(f"{key} = {value:g} of {self.name} must be {allowed}")
        if self.low is not None and self.high is not None:
            if self.name in FRACTIONS and not (self.low < 1.0 and self.high > 0.0):
                raise ValueError(f"low = {self.low:g} and high = {self.high:g} of {self.name} hold no fraction, 0 to 1")
            if self.prior_mean is not None and not self.low <= self.prior_mean <= self.high:
                raise ValueError(f"prior_mean = {self.prior_mean:g} must be from low = {self.low:g} to {self.high:g}")
        return self


def _allowed(name: str) -> Limits:
    """What the ends of the range of a parameter, and the centre of its prior, may be."""
    if name in LIMITS:
        return between(*LIMITS[name])
    if name in FRACTIONS:
        return between(-FAR, FAR)
    return above(0.0) if name in LOGARITHMIC else Limits()


class ModelTable(ConfigTable):
    """[model]: solution that a single profile is fitted with."""

    source: Literal["constant-surface", "surface-exchange", "finite-source"] = "constant-surface"
    """What the sample was in contact with."""
    duration_h: Time | None = None
    """Time of the exchange; without it Dt is found, and D is not."""
    start_D_m2_s: Diffusion | None = None
    """D to start from."""
    start_length_um: Positive | None = None
    """Length 2√(Dt) to start from, without a duration."""
    start_k_m_s: Positive | None = None
    """Surface exchange coefficient to start from."""
    source_um: Positive | None = None
    """Thickness of a finite source, which diffuses as the sample does; depths count from its outer, closed surface."""
    thickness_um: Positive | None = None
    """Thickness of a plate with a closed back, half of one exchanged from both sides; half infinite, if not given."""
    transport: Transport = "one-path"
    """One D, a faster path beside it, or a D that changes with the fraction."""
    rivals: list[Transport] = Field(default_factory=list)
    """What the same profile is fitted with as well, to be compared by AIC and BIC."""
    base: Fraction | None = None
    """Fraction of the untouched sample; found, if not given."""
    find_origin: bool = False
    """Whether the position of the surface is found too."""

    @model_validator(mode="after")
    def _complete(self) -> "ModelTable":
        if (self.start_k_m_s is not None) != (self.source == "surface-exchange" and self.duration_h is not None):
            raise ValueError("start_k_m_s belongs to source = 'surface-exchange' with duration_h, which needs it")
        if (self.source_um is not None) != (self.source == "finite-source"):
            raise ValueError("source_um belongs to source = 'finite-source', which needs it")
        if (self.start_D_m2_s is None) == (self.start_length_um is None):
            raise ValueError("give one of start_D_m2_s and start_length_um, a rough 2√(Dt)")
        if self.start_D_m2_s is not None and self.duration_h is None:
            raise ValueError("without duration_h only Dt can be found: give start_length_um instead of start_D_m2_s")
        plain = self.source == "constant-surface" and self.thickness_um is None
        if not plain and any(transport != "one-path" for transport in (self.transport, *self.rivals)):
            raise ValueError("transport and rivals need source = 'constant-surface' and no thickness_um")
        if len({self.transport, *self.rivals}) != 1 + len(self.rivals):
            raise ValueError("rivals: each differs from transport and from the others")
        return self

    def names(self) -> tuple[str, ...]:
        """Names of the parameters that are found, those of the rivals too."""
        timed = self.duration_h is not None
        transports = {self.transport, *self.rivals}
        entering = {
            "D_m2_s": timed,
            "Dt_m2": not timed,
            "k_m_s": timed and self.source == "surface-exchange",
            "kt_m": not timed and self.source == "surface-exchange",
            "fast_ratio": "two-path" in transports,
            "fast_share": "two-path" in transports,
            "D_slope": "composition-dependent" in transports,
            "surface": True,
            "base": self.base is None,
            "origin_m": self.find_origin,
        }
        return tuple(name for name, enters in entering.items() if enters)

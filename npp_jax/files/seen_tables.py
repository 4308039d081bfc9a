"""Tables on how an experiment is seen: depth resolution, sensitivity and background, noise."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from npp_jax.files.errors import ConfigTable

Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Exposure = Annotated[float, Field(ge=1e-3, le=1e15)]
"""Counts at fraction one."""


Width = NotNegative | dict[str, NotNegative]
"""A length, or one for each ion."""


class ResponseTable(ConfigTable):
    """[experiments.response]: depth resolution; a length is a number, or a table with one for each ion."""

    kind: Literal["none", "gaussian", "dowsett", "mri"] = "none"
    """Shape: none, a Gaussian, that of Dowsett (two exponentials and a Gaussian), or mixing, roughness and information
    depth (MRI)."""
    leading_nm: Width | None = None
    """Length of the rise, towards the surface."""
    trailing_nm: Width | None = None
    """Length of the decay, towards the depth."""
    sigma_nm: Width | None = None
    """Standard deviation of the Gaussian."""
    mixing_nm: Width | None = None
    """Length of the zone that the beam mixes."""
    roughness_nm: Width | None = None
    """Standard deviation of the roughness."""
    information_nm: Width | None = None
    """Depth from which the signal comes."""

    @model_validator(mode="after")
    def _complete(self) -> "ResponseTable":
        needed = {
            "none": set(),
            "gaussian": {"sigma_nm"},
            "dowsett": {"leading_nm", "trailing_nm", "sigma_nm"},
            "mri": {"mixing_nm", "roughness_nm", "information_nm"},
        }
        given = self.model_fields_set - {"kind"}
        if given != needed[self.kind]:
            raise ValueError(f"kind = '{self.kind}' takes {', '.join(sorted(needed[self.kind])) or 'nothing else'}")
        return self


class NuisanceTable(ConfigTable):
    """[experiments.nuisance]: what is known of sensitivity and background, which are solved for."""

    sensitivity_sigma: NotNegative = 0.0
    """Relative standard deviation of the sensitivity of each ion; 0 where it is known."""
    background_sigma: NotNegative = 0.0
    """Standard deviation of the background of each ion, as a fraction; 0 where it is known."""


class LikelihoodTable(ConfigTable):
    """[experiments.likelihood]: law of the noise."""

    kind: Literal["gaussian", "student", "poisson"] = "gaussian"
    """Gaussian, Student's t for outliers, or Poisson for counts."""
    relative_sigma: NotNegative = 0.0
    """Further relative standard deviation, as of a drift of the yield."""
    degrees: Positive | None = None
    """Degrees of freedom of `student`; 4 if not given."""

    @model_validator(mode="after")
    def _complete(self) -> "LikelihoodTable":
        if self.degrees is not None and self.kind != "student":
            raise ValueError("degrees belongs to kind = 'student'")
        return self

"""Tables of a study file for what is recorded besides profiles: courses in time, and numbers of the material."""

from typing import Annotated

from pydantic import Field, model_validator

from npp_jax.files.errors import ConfigTable
from npp_jax.files.limits import within
from npp_jax.files.seen_tables import NotNegative, Positive
from npp_jax.physics import keys

Temperature = Annotated[float, within(keys.STAGE["temperature_K"])]


class CourseTable(ConfigTable):
    """What records in the course of time have in common."""

    relative_sigma: NotNegative = 0.0
    """Standard deviation of each point over its value; adds in squares to the absolute one."""
    estimate_sigma: bool = False
    """Whether the standard deviation is that of the scatter of neighbouring points, instead of being given."""
    gain_sigma: NotNegative = 0.0
    """Standard deviation of the factor that all points share, about 1; it is solved for. 0 where it is known."""
    first_time_s: NotNegative = 0.0
    """Points before are left out."""
    last_time_s: Positive | None = None
    """Points behind are left out."""
    points: Annotated[int, Field(ge=5, le=100_000)] = 200
    """Most points; of a denser record means of neighbouring points are taken, and compared with means."""

    def check_noise(self, absolute: str, file: str | None) -> None:
        """Refuse a record without noise, or with two.

        Raises
        ------
        ValueError
            In one line.
        """
        given = {name for name in ("relative_sigma", absolute) if getattr(self, name)}
        if self.estimate_sigma and (given or file is None):
            raise ValueError(f"estimate_sigma takes no relative_sigma, no {absolute}, and needs a file")
        if not self.estimate_sigma and not given:
            raise ValueError(f"relative_sigma, {absolute} or estimate_sigma = true is needed")


class CurrentTable(CourseTable):
    """[experiments.current]: measured current density, a column time_s and one of current_density_A_m2."""

    file: str
    """Table of two columns; other units stand in the titles, times are from the start of the protocol."""
    sigma_A_m2: NotNegative = 0.0
    """Absolute standard deviation of each point."""

    @model_validator(mode="after")
    def _complete(self) -> "CurrentTable":
        self.check_noise("sigma_A_m2", self.file)
        return self


class PotentialTable(CourseTable):
    """[experiments.potential]: measured surface potential, a column time_s and one of potential_V."""

    file: str
    """Table of two columns; other units stand in the titles, times are from the start of the protocol."""
    sigma_V: NotNegative = 0.0
    """Absolute standard deviation of each point."""

    @model_validator(mode="after")
    def _complete(self) -> "PotentialTable":
        self.check_noise("sigma_V", self.file)
        return self


class ChargeTable(CourseTable):
    """[experiments.charge]: measured charge, a column time_s and one of charge_C_m2, or one number at an output."""

    file: str | None = None
    """Table of two columns; other units stand in the titles, times are from the start of the protocol."""
    value_C_m2: Positive | None = None
    """Charge that has passed by an output, instead of a file."""
    output: int | None = None
    """Output point of that charge, from 0 over all stages; the last, if not given."""
    sigma_C_m2: NotNegative = 0.0
    """Absolute standard deviation of each point."""

    @model_validator(mode="after")
    def _complete(self) -> "ChargeTable":
        if (self.file is None) == (self.value_C_m2 is None):
            raise ValueError("either file or value_C_m2 is needed")
        if self.output is not None and self.file is not None:
            raise ValueError("output belongs to value_C_m2, and only there")
        self.check_noise("sigma_C_m2", self.file)
        return self


class ConductivityTable(ConfigTable):
    """[[experiments.conductivity]]: measured conductivity of the untouched sample at a temperature."""

    temperature_K: Temperature
    """Temperature."""
    value_S_m: Annotated[float, within(keys.ION["conductivity_S_m"])]
    """Conductivity."""
    relative_sigma: NotNegative = 0.0
    """Its standard deviation over its value; adds in squares to the absolute one."""
    sigma_S_m: NotNegative = 0.0
    """Its absolute standard deviation."""

    @model_validator(mode="after")
    def _complete(self) -> "ConductivityTable":
        if not (self.relative_sigma or self.sigma_S_m):
            raise ValueError("relative_sigma or sigma_S_m is needed")
        return self


class ActivationTable(ConfigTable):
    """[experiments.activation_energy]: activation energy of σT of the untouched sample, as from an Arrhenius plot."""

    value_eV: Annotated[float, within(keys.ION["activation_energy_eV"])]
    """Activation energy."""
    sigma_eV: Positive
    """Its standard deviation."""

"""Tables of a study file: experiments, measured profiles, the parameters that vary, design, sweep and fit."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from npp_jax.files import ConfigTable
from npp_jax.inference import Parameter, ParameterError, Prior
from npp_jax.sweeping import KeptProfiles

Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]


class ResponseTable(ConfigTable):
    """[experiments.response]: depth resolution."""

    kind: Literal["none", "gaussian", "dowsett"] = "none"
    leading_nm: NotNegative | None = None
    trailing_nm: NotNegative | None = None
    sigma_nm: NotNegative | None = None

    @model_validator(mode="after")
    def _complete(self) -> "ResponseTable":
        needed = {"none": set(), "gaussian": {"sigma_nm"}, "dowsett": {"leading_nm", "trailing_nm", "sigma_nm"}}
        given = self.model_fields_set - {"kind"}
        if given != needed[self.kind]:
            raise ValueError(f"kind = '{self.kind}' takes {', '.join(sorted(needed[self.kind])) or 'nothing else'}")
        return self


class NuisanceTable(ConfigTable):
    """[experiments.nuisance]: what is known of sensitivity and background, which are solved for."""

    sensitivity_sigma: NotNegative = 0.0
    background_sigma: NotNegative = 0.0


class LikelihoodTable(ConfigTable):
    """[experiments.likelihood]: law of the noise."""

    kind: Literal["gaussian", "student", "poisson"] = "gaussian"
    relative_sigma: NotNegative = 0.0
    degrees: Positive | None = None

    @model_validator(mode="after")
    def _complete(self) -> "LikelihoodTable":
        if self.degrees is not None and self.kind != "student":
            raise ValueError("degrees belongs to kind = 'student'")
        return self


class ExperimentEntry(ConfigTable):
    """[[experiments]]."""

    name: str = Field(min_length=1)
    file: str
    profile: str | None = None
    output: int = -1
    depth_scale: Positive = 1.0
    first_depth_nm: NotNegative = 0.0
    last_depth_nm: Positive | None = None
    counts_per_fraction: Positive | None = None
    response: ResponseTable = ResponseTable()
    nuisance: NuisanceTable = NuisanceTable()
    likelihood: LikelihoodTable = LikelihoodTable()


class ParameterTable(ConfigTable):
    """[[parameters]]."""

    name: str = Field(min_length=1)
    keys: list[str] = Field(min_length=1)
    experiments: list[str] | None = None
    low: float
    high: float
    scale: Literal["linear", "log", "logit"] = "linear"
    levels: int | None = None
    prior_mean: float | None = None
    prior_sigma: Positive | None = None

    def parameter(self) -> Parameter:
        """The parameter that the table describes.

        Raises
        ------
        ParameterError
            In one line.
        """
        if (self.prior_mean is None) != (self.prior_sigma is None):
            raise ParameterError(f"{self.name}: prior_mean and prior_sigma belong together; one of them is missing")
        prior = None
        if self.prior_mean is not None and self.prior_sigma is not None:
            prior = Prior(self.prior_mean, self.prior_sigma)
        return Parameter(
            self.name,
            tuple(self.keys),
            self.low,
            self.high,
            self.scale,
            experiments=None if self.experiments is None else tuple(self.experiments),
            prior=prior,
            levels=self.levels,
        )


class RivalTable(ConfigTable):
    """[[fit.rivals]]: another model of the same data, told by what differs."""

    name: str = Field(min_length=1)
    separate: list[str] = Field(default_factory=list)
    without: list[str] = Field(default_factory=list)
    parameters: list[ParameterTable] = Field(default_factory=list)
    files: dict[str, str] = Field(default_factory=dict)
    set: dict[str, Any] = Field(default_factory=dict)
    contains_first: bool | None = None
    free_form_knots: Annotated[int, Field(ge=4, le=60)] | None = None


class PosteriorTable(ConfigTable):
    """[fit.posterior]: draws from the posterior; no table, no draws."""

    chains: Annotated[int, Field(ge=4, le=1024)] = 16
    warm_up: Annotated[int, Field(ge=20, le=100_000)] = 100
    draws: Annotated[int, Field(ge=20, le=1_000_000)] = 150
    steps: Annotated[int, Field(ge=1, le=100)] = 3
    seed: Annotated[int, Field(ge=0)] = 0


class FitTable(ConfigTable):
    """[fit]."""

    starts: Annotated[int, Field(ge=1, le=4096)] = 16
    setting: Literal["accurate", "fast"] = "accurate"
    model: Literal["electroneutral", "full"] = "electroneutral"
    method: Literal["levenberg-marquardt", "lbfgs", "adam"] = "levenberg-marquardt"
    iterations: Annotated[int, Field(ge=1, le=10_000)] | None = None
    profile_points: Annotated[int, Field(ge=0, le=101)] = 9
    posterior: PosteriorTable | None = None
    rivals: list[RivalTable] = Field(default_factory=list)


class DesignTable(ConfigTable):
    """[design]."""

    kind: Literal["sobol", "latin-hypercube", "random", "grid", "table"] = "sobol"
    candidates: Annotated[int, Field(ge=1, le=2**30)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    file: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> "DesignTable":
        if (self.kind == "table") != (self.file is not None):
            raise ValueError("file belongs to kind = 'table', and only there")
        if (self.kind in ("grid", "table")) == (self.candidates is not None):
            raise ValueError("candidates belongs to the kinds sobol, latin-hypercube and random, which need it")
        return self


class ProfileGridTable(ConfigTable):
    """[sweep.profile_grid]: evenly spaced depths in the sample."""

    first_nm: NotNegative = 0.0
    last_nm: Positive
    points: Annotated[int, Field(ge=2, le=10_000)]

    @model_validator(mode="after")
    def _increasing(self) -> "ProfileGridTable":
        if not self.first_nm < self.last_nm:
            raise ValueError(f"first_nm = {self.first_nm:g} must be less than last_nm = {self.last_nm:g}")
        return self


class SweepTable(ConfigTable):
    """[sweep]."""

    model: Literal["electroneutral", "full"] = "electroneutral"
    dtype: Literal["float64", "float32"] = "float64"
    chunk: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Candidates evaluated at once; None for what suits the device."""
    error_estimate: bool = True
    profiles: bool = False
    profile_grid: ProfileGridTable | None = None

    @model_validator(mode="after")
    def _complete(self) -> "SweepTable":
        if self.profile_grid is not None and not self.profiles:
            raise ValueError("profile_grid belongs to profiles = true, and only there")
        if self.model == "full" and self.dtype == "float32":
            raise ValueError("dtype = 'float32' does not resolve the currents of the full model; allowed is 'float64'")
        return self

    @property
    def kept(self) -> KeptProfiles | None:
        """Profiles that the sweep keeps."""
        grid = self.profile_grid
        if not self.profiles or grid is None:
            return KeptProfiles() if self.profiles else None
        return KeptProfiles(np.linspace(grid.first_nm, grid.last_nm, grid.points))


class StudyTable(ConfigTable):
    """A whole study file."""

    schema_version: Literal[1]
    title: str = ""
    experiments: list[ExperimentEntry] = Field(min_length=1)
    parameters: list[ParameterTable] = Field(min_length=1)
    design: DesignTable = DesignTable(candidates=4096)
    sweep: SweepTable = SweepTable()
    fit: FitTable = FitTable()
    truth: dict[str, float] = Field(default_factory=dict)
    """Values behind synthetic profiles, by the names of the parameters; reports set them beside the result."""

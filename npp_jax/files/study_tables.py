"""Tables of a study file: experiments, measured profiles, the parameters that vary, design, sweep and fit."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from npp_jax.files import ConfigTable, Name
from npp_jax.files.next_tables import NextTable
from npp_jax.files.parameter_table import ParameterTable
from npp_jax.files.record_tables import (
    ActivationTable,
    ChargeTable,
    ConductivityTable,
    CurrentTable,
    PotentialTable,
)
from npp_jax.files.seen_tables import Exposure, LikelihoodTable, NotNegative, NuisanceTable, Positive, ResponseTable
from npp_jax.sweeping import KeptProfiles


class ExperimentEntry(ConfigTable):
    """[[experiments]]."""

    name: Name
    """Name, by which parameters and reports call the experiment."""
    file: str
    """Experiment file, as it is found from the study."""
    profile: str | None = None
    """What was measured: a table, or a file of `npp-jax import-sims`."""
    output: int = -1
    """Output point that the profile shows, from 0 over all stages; -1 is the last."""
    depth_scale: Positive = 1.0
    """True depth over depth of the file."""
    sputter_ratio: Positive = 1.0
    """Sputter rate of the exchanged material over that of the bulk, to which the depths of the file belong."""
    first_depth_nm: NotNegative = 0.0
    """Points above are left out: the transient at the surface."""
    last_depth_nm: Positive | None = None
    """Points below are left out."""
    detection_limits: dict[str, Positive] | None = None
    """Least fraction that is told from none, by ion; points at or below it only tell that they are below."""
    counts_per_fraction: Exposure | None = None
    """Counts at fraction one, for a table; a file of `import-sims` tells its own."""
    response: ResponseTable = ResponseTable()
    """Depth resolution."""
    nuisance: NuisanceTable = NuisanceTable()
    """What is known of sensitivities and backgrounds, which are solved for."""
    likelihood: LikelihoodTable = LikelihoodTable()
    """Law of the noise."""
    current: CurrentTable | None = None
    """Measured current density, [experiments.current], where the potential is given."""
    potential: PotentialTable | None = None
    """Measured surface potential, [experiments.potential], where the current is given."""
    charge: ChargeTable | None = None
    """Measured charge, [experiments.charge]."""
    conductivity: list[ConductivityTable] | None = None
    """Measured conductivities of the untouched sample, [[experiments.conductivity]]."""
    activation_energy: ActivationTable | None = None
    """Measured activation energy of the untouched sample, [experiments.activation_energy]."""


class RivalTable(ConfigTable):
    """[[fit.rivals]]: another model of the same data, told by what differs."""

    name: Name
    """Name in the report."""
    separate: list[str] = Field(default_factory=list)
    """Parameters that get a value for each experiment."""
    without: list[str] = Field(default_factory=list)
    """Parameters that stay at the value of the files."""
    parameters: list[ParameterTable] = Field(default_factory=list)
    """Further parameters."""
    files: dict[str, str] = Field(default_factory=dict)
    """Other experiment files, by the names of the experiments."""
    set: dict[str, Any] = Field(default_factory=dict)
    """Keys of the experiment files with another value."""
    contains_first: bool | None = None
    """Whether the first model is a case of it, for the likelihood ratio."""
    free_form_knots: Annotated[int, Field(ge=4, le=60)] | None = None
    """Knots of a distribution, or of a D(c), of free form."""


class PosteriorTable(ConfigTable):
    """[fit.posterior]: draws from the posterior; no table, no draws."""

    chains: Annotated[int, Field(ge=4, le=1024)] = 16
    """Chains."""
    warm_up: Annotated[int, Field(ge=20, le=100_000)] = 100
    """Draws of each chain that adapt the sampler and are thrown away."""
    draws: Annotated[int, Field(ge=20, le=1_000_000)] = 150
    """Draws of each chain that are kept."""
    steps: Annotated[int, Field(ge=1, le=100)] = 3
    """Jacobians for one draw."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the random numbers."""


class FitTable(ConfigTable):
    """[fit]."""

    starts: Annotated[int, Field(ge=1, le=4096)] = 16
    """Best candidates of the sweep that are refined."""
    setting: Literal["fast", "accurate", "fine", "finest"] = "accurate"
    """Cells, steps and iterations of the simulations; the last two for data of so many counts that a warning asks for
    them."""
    model: Literal["electroneutral", "full"] = "electroneutral"
    """Equations."""
    method: Literal["levenberg-marquardt", "lbfgs", "adam"] = "levenberg-marquardt"
    """How starts are refined."""
    iterations: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Most iterations of each start; by Levenberg–Marquardt the best start may take up to four times as many more. If
    not given, what suits the method."""
    profile_points: Annotated[int, Field(ge=0, le=101)] = 9
    """Points of each profile likelihood; 0 for none."""
    posterior: PosteriorTable | None = None
    """Draws from the posterior, [fit.posterior]; none without it."""
    rivals: list[RivalTable] = Field(default_factory=list)
    """Other models of the same data, one [[fit.rivals]] each."""


class DesignTable(ConfigTable):
    """[design]."""

    kind: Literal["sobol", "latin-hypercube", "random", "grid", "table"] = "sobol"
    """How candidates are spread over the ranges."""
    candidates: Annotated[int, Field(ge=1, le=2**30)] | None = None
    """Number of candidates."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the random numbers."""
    file: str | None = None
    """Table of candidates, with a column for each parameter."""

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
    """First depth."""
    last_nm: Positive
    """Last depth."""
    points: Annotated[int, Field(ge=2, le=10_000)]
    """Number of depths."""

    @model_validator(mode="after")
    def _increasing(self) -> "ProfileGridTable":
        if not self.first_nm < self.last_nm:
            raise ValueError(f"first_nm = {self.first_nm:g} must be less than last_nm = {self.last_nm:g}")
        return self


class SweepTable(ConfigTable):
    """[sweep]."""

    model: Literal["electroneutral", "full"] = "electroneutral"
    """Equations."""
    setting: Literal["fast", "accurate"] = "fast"
    """Cells, steps and iterations of the first evaluation."""
    dtype: Literal["float64", "float32"] = "float64"
    """Precision."""
    chunk: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Candidates evaluated at once; what suits the device, if not given."""
    error_estimate: bool = True
    """Whether a second run on a coarser mesh estimates the numerical error."""
    profiles: bool = False
    """Whether the profiles of all candidates are kept, and what was recorded besides."""
    profile_grid: ProfileGridTable | None = None
    """Depths at which they are kept; those of the data, if not given."""

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
    """Version of the format."""
    title: str = ""
    """One line for reports."""
    experiments: list[ExperimentEntry] = Field(min_length=1)
    """What was measured, one [[experiments]] each."""
    parameters: list[ParameterTable] = Field(min_length=1)
    """What varies, one [[parameters]] each."""
    design: DesignTable = DesignTable(candidates=4096)
    """Candidates of the sweep, [design]."""
    sweep: SweepTable = SweepTable()
    """How they are evaluated, [sweep]."""
    fit: FitTable = FitTable()
    """How the best are refined, [fit]."""
    next: NextTable | None = None
    """Experiments that could be made next, [next]."""
    truth: dict[str, float] = Field(default_factory=dict)
    """Values behind synthetic profiles, by the names of the parameters; reports set them beside the result."""

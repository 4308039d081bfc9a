"""[next]: experiments that could be made next, of which `npp-jax design` says what they would tell."""

from typing import Annotated, Any

from pydantic import Field

from npp_jax.files.errors import ConfigTable, Name
from npp_jax.files.parameter_table import ParameterTable
from npp_jax.files.seen_tables import Exposure, LikelihoodTable, NotNegative, NuisanceTable, Positive, ResponseTable


class ProposalTable(ConfigTable):
    """[[next.experiments]]: an experiment that could be made, or several that differ in some values."""

    name: Name
    """Name; that of each of several ends in its values."""
    like: str | None = None
    """Experiment of the study whose parameters it shares, and whose file it is unless one is named."""
    file: str | None = None
    """Experiment file, as it is found from the study."""
    set: dict[str, Any] = Field(default_factory=dict)
    """Keys of the experiment file with another value."""
    vary: dict[str, list[Any]] = Field(default_factory=dict)
    """Values that some keys may take, each with each: keys of the experiment file, or of this table."""
    ions: list[str] | None = None
    """Ions that are measured; all of the experiment, if not given."""
    first_depth_nm: NotNegative = 0.0
    """First depth of the profile."""
    depth_nm: Positive
    """Last depth of the profile."""
    points: Annotated[int, Field(ge=5, le=10_000)] = 60
    """Number of points, evenly spaced."""
    output: int = -1
    """Output point at which the sample is taken out, from 0 over all stages; -1 is the last."""
    counts_per_fraction: Exposure | None = None
    """Counts at fraction one, whose noise is that of counting."""
    sigma: Positive | None = None
    """Standard deviation of the fractions where they are not counted."""
    response: ResponseTable = ResponseTable()
    """Depth resolution."""
    nuisance: NuisanceTable = NuisanceTable()
    """What would be known of sensitivities and backgrounds."""
    likelihood: LikelihoodTable | None = None
    """Law of the noise: of counting where there are counts, else normal, if not given."""
    cost_h: NotNegative = 0.0
    """Work that it costs beside the time of its stages, in hours."""


class NextTable(ConfigTable):
    """[next]."""

    goal: str = "D"
    """What is to be learnt: D, A or E of optimal design, of all parameters of the study; or the name of a parameter, or
    that of a rival."""
    choose: Annotated[int, Field(ge=1, le=20)] = 3
    """How many experiments are chosen, one after the other."""
    by_hour: bool = False
    """Whether what counts is the gain for each hour."""
    draws: Annotated[int, Field(ge=1, le=1024)] = 16
    """Sets of parameters over which the gain is averaged."""
    experiments: list[ProposalTable] = Field(min_length=1)
    """Experiments that could be made, one [[next.experiments]] each."""
    parameters: list[ParameterTable] = Field(default_factory=list)
    """Parameters that enter these alone, as D of an ion that no profile shows yet."""

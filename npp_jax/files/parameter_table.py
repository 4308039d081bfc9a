"""[[parameters]]: a number that varies."""

from typing import Literal

from pydantic import Field

from npp_jax.files.errors import ConfigTable, Name
from npp_jax.files.seen_tables import Positive
from npp_jax.inference import Parameter, ParameterError, Prior


class ParameterTable(ConfigTable):
    """[[parameters]]."""

    name: Name
    """Name, a column of all tables."""
    keys: list[str] = Field(min_length=1)
    """Keys of the experiments that take its value; those of how an experiment is seen begin with `observation`."""
    experiments: list[str] | None = None
    """Experiments that it enters; all, if not given."""
    low: float
    """Least value."""
    high: float
    """Greatest value."""
    scale: Literal["linear", "log", "logit"] = "linear"
    """Where it varies evenly."""
    levels: int | None = None
    """Number of values in a grid, both ends among them."""
    prior_mean: float | None = None
    """Centre of a Gaussian prior, in the unit of the parameter."""
    prior_sigma: Positive | None = None
    """Its standard deviation on the scale; for `log` the relative one."""

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

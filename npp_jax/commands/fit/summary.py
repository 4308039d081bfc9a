"""What a fit says in short: experiments that were measured, and warnings."""

from npp_jax.commands.fit.run import Fitted
from npp_jax.fitting import Measurement, data_warnings


def measured_of(fitted: Fitted) -> list[Measurement]:
    """Experiments with a profile."""
    return [m for m in fitted.hypothesis.problem.measurements if m.profile is not None]


def warnings(fitted: Fitted) -> list[str]:
    """What a reader of the numbers has to know, one sentence each: of the data, of the fit, of the posterior."""
    posterior = [] if fitted.posterior is None else fitted.posterior.warnings(list(fitted.result.names))
    return [*data_warnings(fitted.hypothesis.problem), *fitted.result.warnings(), *posterior]

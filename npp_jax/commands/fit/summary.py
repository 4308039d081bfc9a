"""What a fit says in short: experiments that were measured, lines of the terminal, and warnings."""

import math
from collections.abc import Iterator

from npp_jax.commands.fit.run import FitOutcome, Fitted
from npp_jax.fitting import Measurement, data_warnings
from npp_jax.inference import estimate_texts


def measured_of(fitted: Fitted) -> list[Measurement]:
    """Experiments with a profile."""
    return [m for m in fitted.hypothesis.problem.measurements if m.profile is not None]


def warnings(fitted: Fitted) -> list[str]:
    """What a reader of the numbers has to know, one sentence each: of the data, of the fit, of the posterior."""
    posterior = [] if fitted.posterior is None else fitted.posterior.warnings(list(fitted.result.names))
    return [*data_warnings(fitted.hypothesis.problem), *fitted.result.warnings(), *posterior]


def lines(outcome: FitOutcome) -> Iterator[str]:
    """Parameters with their intervals, χ², and the rivals."""
    main, result = outcome.main, outcome.main.result
    for name in result.names:
        found = result[name]
        best, sigma, interval = estimate_texts(found)
        number, times, power = best.partition(" × ")
        error = f"± {sigma.removesuffix(times + power)}" if math.isfinite(found.sigma) else sigma
        told = f"({number} {error}){times}{power}" if times and math.isfinite(found.sigma) else f"{best} {error}"
        yield f"{name:24s} {told}   95 %: {interval}   ({found.how})"
    if main.posterior is not None:
        texts = main.posterior.interval_texts(result.parameters)
        for name, text, r_hat in zip(result.names, texts, main.posterior.r_hat, strict=True):
            yield f"{name:24s} posterior   95 %: {text}   (R-hat {r_hat:.3f})"
    yield f"χ² {result.chi2:.1f} for {result.points} points, probability {result.p_value:.2g}"
    for rival in outcome.rivals:
        worse = rival.result.criteria.bic - result.criteria.bic
        yield f"rival '{rival.hypothesis.name}': χ² {rival.result.chi2:.1f}, BIC {worse:+.1f}"

"""What a fit says in short: intervals of the parameters, and warnings."""

from npp_jax.commands.fit.run import Fitted
from npp_jax.fitting import Measurement, data_warnings
from npp_jax.inference import REASON_ADVICE, Reason

UNLIKELY = 1e-3
"""Probability of the misfit below which the model is said not to explain the data."""


def measured_of(fitted: Fitted) -> list[Measurement]:
    """Experiments with a profile."""
    return [m for m in fitted.hypothesis.problem.measurements if m.profile is not None]


def intervals(fitted: Fitted) -> dict[str, tuple[float, float, str]]:
    """95 % interval of each parameter and where it is from: profile likelihood if there is one, else covariance."""
    found = {}
    profiles = {profile.name: profile for profile in fitted.result.profiles}
    for k, parameter in enumerate(fitted.hypothesis.parameters):
        if parameter.name in profiles:
            profile = profiles[parameter.name]
            sides = ("open below", "open above")
            is_open = [side for side, flag in zip(sides, profile.open_ends, strict=True) if flag]
            found[parameter.name] = (*profile.interval, ", ".join(["profile likelihood", *is_open]))
        else:
            low, high = (float(end) for end in fitted.result.covariance.interval[k])
            found[parameter.name] = (low, high, "covariance")
    return found


def warnings(fitted: Fitted) -> list[str]:
    """What a reader of the numbers has to know, one sentence each."""
    result = fitted.result
    reason = Reason(int(result.refined.reason[result.best]))
    found = [] if reason is Reason.CONVERGED else [f"The fit ended thus: {REASON_ADVICE[reason]}."]
    for k, parameter in enumerate(fitted.hypothesis.parameters):
        side = int(result.refined.at_bound[result.best, k])
        if side:
            found.append(f"{parameter.name} is at the {'upper' if side > 0 else 'lower'} end of its range.")
    if result.p_value < UNLIKELY:
        freedom = round(result.points - result.effective)
        found.append(
            f"The model does not explain the data: misfit {result.chi2:.0f} for {freedom} degrees of freedom "
            f"(probability {result.p_value:.1g}). The intervals below hold only for a model that does."
        )
    if any(profile.improved for profile in result.profiles):
        found.append("A profile likelihood found a lower misfit than the fit: start from more candidates.")
    failed, made = int(result.refined.failed_evaluations.sum()), int(result.refined.evaluations.sum())
    if failed:
        found.append(f"{failed} of {made} evaluations failed; their steps were rejected.")
    if fitted.posterior is not None:
        found += fitted.posterior.warnings([parameter.name for parameter in fitted.hypothesis.parameters])
    return [*data_warnings(fitted.hypothesis.problem), *found]

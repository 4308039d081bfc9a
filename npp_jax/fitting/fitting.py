"""A fit from its starts to what it says: best parameters, how it ended, covariance, profile likelihoods, words."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax.fitting import words
from npp_jax.fitting.chance import probability
from npp_jax.fitting.jacobian import Expansion, LinearModel
from npp_jax.fitting.mesh_error import with_mesh
from npp_jax.fitting.minima import Minimum, distinct_minima
from npp_jax.fitting.systematic import is_systematic
from npp_jax.inference.descent import Method, descend, with_rows
from npp_jax.inference.estimate import Estimate, estimate
from npp_jax.inference.identifiability import Identifiability, identifiability
from npp_jax.inference.parameter import Parameters
from npp_jax.inference.prior import with_priors
from npp_jax.inference.profile import Profile, profile_likelihood
from npp_jax.inference.refine import ResidualsAndJacobian, go_on, refine
from npp_jax.inference.refine_result import Iteration, RefineOptions, RefineResult
from npp_jax.inference.transform import Ranges, ranges_of, theta_slope
from npp_jax.inference.uncertainty import Covariance, InformationCriteria, covariance, information_criteria

if TYPE_CHECKING:
    import xarray
FAR = 5.0
"""χ² for each degree of freedom above which no profile likelihood is sought: it rests on a model that may be right."""
_OTHER_MINIMA = 2  # from which refits of the profiles may start as well


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FitResult:
    """What a fit found; `result["sed_fwhm_eV"]` is one parameter with its uncertainty."""

    parameters: Parameters
    theta: Float[np.ndarray, " parameter"]
    """Best parameters. [units of the parameters]"""
    chi2: float
    """χ² of the data at the best parameters, without priors."""
    chi2_of: dict[str, float]
    """The same for each profile, by the name of its experiment, and for each record."""
    points: int
    """Residuals of the data: points that are not masked, and priors of what is solved for."""
    p_value: float
    """Probability of a larger χ² if model and noise are right."""
    effective: float
    """Number of parameters that the data determine: that of the free ones, fewer where priors hold them."""
    criteria: InformationCriteria
    covariance: Covariance
    profiles: tuple[Profile, ...]
    """Profile likelihoods; empty if none were asked for, or the model is `far_off`."""
    identifiability: Identifiability
    refined: RefineResult
    """How each start ended; the last may be one that a profile likelihood found."""
    expansion: Expansion
    """Residuals, signals and their slopes at the best parameters, with a first axis of one."""
    mesh: Float[np.ndarray, " parameter"]
    """How far each parameter would move without errors of cells and steps, in standard errors; zero if `far_off`."""
    path: Float[np.ndarray, "step parameter"]
    """Where the best start came along, from its start to the minimum."""

    @property
    def best(self) -> int:
        """The start that ended at the best parameters."""
        return self.refined.best()

    @property
    def far_off(self) -> bool:
        """Whether the model misses the data by so much that no profile likelihood is sought."""
        return self.chi2 > FAR * max(self.points - self.effective, 1.0)

    @property
    def minima(self) -> tuple[Minimum, ...]:
        """The distinct minima in which starts ended, lowest first."""
        return distinct_minima(self.refined, self.covariance, ranges_of(self.parameters))

    @property
    def agreeing(self) -> int:
        """How many starts ended in the best minimum."""
        return next((minimum.starts for minimum in self.minima if minimum.start == self.best), 1)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(parameter.name for parameter in self.parameters)

    def __getitem__(self, name: str) -> Estimate:
        if name not in self.names:
            raise KeyError(f"no parameter is called '{name}'; known are {', '.join(self.names)}")
        return estimate(self.parameters, self.covariance, self.profiles, self.names.index(name))

    def warnings(self) -> list[str]:
        """What a reader of the numbers has to know, one sentence each."""
        return words.warnings(self)

    def sentence(self) -> str:
        """What was found, and how sure it is."""
        return words.sentence(self)

    def summary(self) -> str:
        """A table of the parameters with 95 % intervals, χ², warnings, and how the fit ended."""
        return words.table(self).text()

    def to_xarray(self) -> "xarray.Dataset":
        """Best parameters, errors, intervals and covariance, and where each start ended, with names for their axes.

        Needs xarray, of the extra `xarray`.
        """
        return words.dataset(self)

    def _repr_html_(self) -> str:
        return words.table(self).html(self.sentence())

    def __repr__(self) -> str:
        return words.line(self)


def fit(
    model: LinearModel,
    starts: Float[np.ndarray, "start parameter"],
    *,
    penalty: Callable[[ResidualsAndJacobian], ResidualsAndJacobian] | None = None,
    method: Literal["levenberg-marquardt"] | Method = "levenberg-marquardt",
    profile_points: int = 9,
    options: RefineOptions | None = None,
    on_iteration: Callable[[Iteration], Any] | None = None,
    on_refined: Callable[[FitResult], Any] | None = None,
    on_ends: Callable[[int, int], Any] | None = None,
) -> FitResult:
    """Refine the starts, and find what the data say about the parameters at the best end.

    Parameters
    ----------
    model
        Residuals and Jacobian of the data; its problem says which parameters vary, with their priors.
    starts
        Where to begin. [units of the parameters]
    penalty
        Appends further residuals, for example a prior of smoothness.
    method
        How the starts are refined; profile likelihoods are by Levenberg–Marquardt always.
    profile_points
        Points of the curve of each profile likelihood, which do not change its interval; no profile for zero, or where
        χ² is more than `FAR` for each degree of freedom.
    options
        Numerical choices of `refine`.
    on_iteration, on_ends
        Are told how far the starts and the profile likelihoods are; see `refine` and `profile_likelihood`.
    on_refined
        Is given the fit with the intervals of its covariance, before profile likelihoods are sought.

    Raises
    ------
    ValueError
        A start is outside of its range.
    """
    parameters = model.objective.problem.parameters

    def augment(function: ResidualsAndJacobian) -> ResidualsAndJacobian:
        function = with_priors(function, parameters)
        return function if penalty is None else penalty(function)

    posterior = augment(model)
    visited: list[np.ndarray] = []

    def recorded(theta: Array) -> tuple[Array, ...]:
        visited.append(np.asarray(theta))
        return posterior(theta)

    def recorded_gradient(theta: Array) -> tuple[Array, Array, Array]:
        visited.append(np.asarray(theta))
        return model.cost_and_gradient(theta)

    if method == "levenberg-marquardt":
        refined = refine(recorded, parameters, jnp.asarray(starts), options=options, on_iteration=on_iteration)
        best, ended = refined.best(), np.asarray(refined.theta)

        def recorded_alone(theta: Array) -> tuple[Array, ...]:
            visited.append(np.concatenate([ended[:best], np.asarray(theta), ended[best + 1 :]]))
            return posterior(theta)

        refined = go_on(recorded_alone, parameters, refined, options=options, on_iteration=on_iteration)
    else:
        refined = descend(
            with_rows(recorded_gradient, augment),
            posterior,
            parameters,
            starts,
            method=method,
            options=options,
            on_iteration=on_iteration,
        )
    result = _result(model, posterior, refined, visited, len(starts))
    if not profile_points or result.far_off:
        return with_mesh(model, result)
    if on_refined is not None:
        on_refined(result)
    profiles = _profiles(posterior, result, profile_points, options, on_ends)
    lowest = min(profiles, key=lambda profile: profile.lowest_delta)
    if lowest.improved:
        # The minimum was not the lowest: its profiles tell where to go on.
        more = refine(recorded, parameters, jnp.asarray(lowest.lowest[None]), options=options)
        refined = jax.tree.map(lambda *parts: jnp.concatenate(parts), refined, more)
        result = _result(model, posterior, refined, visited, len(starts))
        profiles = _profiles(posterior, result, profile_points, options, on_ends)
    return with_mesh(model, dataclasses.replace(result, profiles=profiles))


def _result(
    model: LinearModel,
    posterior: ResidualsAndJacobian,
    refined: RefineResult,
    visited: list[np.ndarray],
    starts: int,
) -> FitResult:
    """What is found without profile likelihoods."""
    parameters = model.objective.problem.parameters
    ranges = ranges_of(parameters)
    found = _errors(posterior, refined, ranges)
    best = refined.best()
    theta = refined.theta[best]
    expansion = model.expand(theta[None])
    residual = np.asarray(expansion.residual[0])
    chi2 = float(residual @ residual)
    by_scaled = np.asarray(expansion.jacobian[0] * theta_slope(ranges, theta))
    # Diagonal and trace of the matrix that maps data to fitted data.
    leverage = np.einsum("rp,pq,rq->r", by_scaled, np.asarray(found.scaled), by_scaled)
    effective = float(np.sum(leverage))
    tells = np.asarray(jnp.any(expansion.jacobian[0] != 0.0, axis=1)) | (residual != 0.0)
    used = int(np.sum(tells))
    signals = [signal[0] for signal in expansion.signals]
    return FitResult(
        parameters=parameters,
        theta=np.asarray(theta),
        chi2=chi2,
        chi2_of=_by_data(model, residual),
        points=used,
        p_value=probability(model.objective.problem, signals, tells, chi2, leverage),
        effective=effective,
        criteria=information_criteria(chi2, used, effective),
        covariance=found,
        profiles=(),
        identifiability=identifiability(expansion.jacobian[0], theta, parameters),
        refined=refined,
        expansion=expansion,
        mesh=np.zeros(len(parameters)),
        path=_path(visited, best, starts, np.asarray(theta)),
    )


def _by_data(model: LinearModel, residual: np.ndarray) -> dict[str, float]:
    data = model.objective.problem.data
    ends = np.cumsum([part.size for part in data])
    return {d.name: float(part @ part) for d, part in zip(data, np.split(residual, ends[:-1]), strict=True)}


def _errors(posterior: ResidualsAndJacobian, refined: RefineResult, ranges: Ranges) -> Covariance:
    """Covariance at the best end, given the parameters that are held there: those at an end of their range, and those
    on which the residuals do not depend.
    """
    best = refined.best()
    _, jacobian, *_ = posterior(refined.theta[best][None])
    held = (refined.at_bound[best] != 0) | refined.insensitive[best]
    return covariance(jacobian[0], refined.theta[best], ranges, held=held)


def _profiles(
    posterior: ResidualsAndJacobian,
    result: FitResult,
    points: int,
    options: RefineOptions | None,
    on_ends: Callable[[int, int], Any] | None,
) -> tuple[Profile, ...]:
    return profile_likelihood(
        posterior,
        result.parameters,
        result.refined.theta[result.best],
        [parameter.name for parameter in result.parameters if not is_systematic(parameter)],
        points=points,
        covariance=result.covariance,
        others=[m.theta for m in result.minima if m.start != result.best][:_OTHER_MINIMA],
        options=options,
        on_ends=on_ends,
    )


def _path(visited: list[np.ndarray], best: int, starts: int, end: np.ndarray) -> np.ndarray:
    """Trial points of the best start without repetitions, up to the end."""
    rows, row = ([theta for theta in visited if len(theta) == starts], best) if best < starts else (visited[-1:], 0)
    table = np.stack([theta[row] for theta in rows])
    moved = np.concatenate([[True], np.any(np.diff(table, axis=0) != 0.0, axis=1)])
    return np.concatenate([table[moved], end[None]])

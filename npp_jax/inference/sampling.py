"""Posterior of the parameters by Hamiltonian Monte Carlo (extra `bayes`: blackjax), many chains at once.

The density is exp(-½ Σ r²) on the scaled coordinate s, uniform inside the ranges; priors are among the residuals.
Chains move in the unbounded coordinate z of `transform`, with ds/dz in the density: no trajectory meets a wall. The
gradient is -Jᵀ r with the forward Jacobian of the fit; it leaves out the motion of the mesh. The draws do not suffer
from that: leapfrog with any force that is a function of position alone is reversible and keeps the volume, and a
trajectory is accepted by the density itself (R. M. Neal, "MCMC using Hamiltonian dynamics", Handbook of Markov Chain
Monte Carlo, chapter 5 (2011)). A point that cannot be evaluated has density zero.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from npp_jax._compile import jit_small, quick
from npp_jax.inference.parameter import Parameters
from npp_jax.inference.posterior import Posterior, PosteriorError, PosteriorOptions, check_blackjax
from npp_jax.inference.refine import ResidualsAndJacobian
from npp_jax.inference.transform import Ranges, from_unbounded, log_volume, ranges_of, to_unbounded, unbounded_slope

_TARGET_ACCEPTANCE = 0.8


_JITTER = 0.5  # of the step, so that no trajectory closes on itself and a chain in a tail finds a short one


_APART = 2.0  # standard deviations of the starts, in those of the fit


_DEEPEST = 4.0  # fall of ln density for each parameter, twice what is expected there, beyond which a start is nearer


_RETREATS = 8


_MARGIN = 0.02  # of the range, within which the curvature at a best point at the wall is taken


def log_density(function: ResidualsAndJacobian, ranges: Ranges) -> Callable[[Array], Array]:
    """Logarithm of the density of one z, with the gradient -Jᵀ r; mapped over a batch it is evaluated as one batch."""

    @jax.custom_batching.custom_vmap
    def both(z: Array) -> tuple[Array, Array]:
        value, gradient = batch(z[None])
        return value[0], gradient[0]

    @both.def_vmap
    def _(size: int, batched: list[bool], z: Array) -> tuple[tuple[Array, Array], tuple[bool, bool]]:
        return batch(z if batched[0] else jnp.broadcast_to(z, (size, *z.shape))), (True, True)

    def batch(z: Array) -> tuple[Array, Array]:
        residual, jacobian, *accepted = function(from_unbounded(ranges, z))
        value = -0.5 * jnp.sum(residual**2, axis=1)
        gradient = -jnp.einsum("nr,nrp->np", residual, jacobian) * unbounded_slope(ranges, z)
        good = jnp.isfinite(value) & jnp.all(jnp.isfinite(gradient), axis=1)
        good = good & accepted[0] if accepted else good
        return jnp.where(good, value, -jnp.inf), jnp.where(good[:, None], gradient, 0.0)

    @jax.custom_vjp
    def data(z: Array) -> Array:
        return both(z)[0]

    data.defvjp(both, lambda gradient, change: (change * gradient,))
    return lambda z: data(z) + log_volume(ranges, z)


def sample_posterior(
    function: ResidualsAndJacobian,
    parameters: Parameters,
    best: Float[np.ndarray, " parameter"],
    jacobian: Float[np.ndarray, "residual parameter"],
    *,
    options: PosteriorOptions | None = None,
    on_draw: Callable[[int], Any] | None = None,
) -> Posterior:
    """Draw from the posterior of the parameters.

    Parameters
    ----------
    function
        Residuals and Jacobian, priors included, for a batch; it is compiled into the sampler.
    parameters
        The parameters.
    best
        Best parameters of the fit, around which the chains start. [units of the parameters]
    jacobian
        ∂r/∂θ there, priors included: the first mass matrix.
    options
        Numerical choices.
    on_draw
        Called with the number of draws made, for showing progress.

    Raises
    ------
    MissingExtra
        blackjax is not installed.
    PosteriorError
        A parameter has neither a finite range nor data that determine it, or a chain found no point of finite density.
    """
    check_blackjax()
    from blackjax.adaptation.step_size import dual_averaging_adaptation
    from blackjax.mcmc import hmc

    options = options or PosteriorOptions()
    ranges, density = ranges_of(parameters), log_density(function, ranges_of(parameters))
    centre, spread = _geometry(parameters, ranges, best, jacobian)
    key = jax.random.key(options.seed)
    kernel: Callable[..., Any] = hmc.build_kernel()
    started: Any = hmc.HMCState

    def one(words: Array, state: hmc.HMCState, step: Array, mass: Array):
        after, info = kernel(jax.random.wrap_key_data(words), state, density, step, mass, options.steps)
        return after, info.acceptance_rate, info.is_accepted, jnp.isneginf(info.proposal.logdensity)

    noise = np.asarray(jax.random.normal(jax.random.fold_in(key, 0), (options.chains, len(parameters))))
    shift = _APART * noise @ np.linalg.cholesky(spread).T
    advance = _in_groups(jax.vmap(one, in_axes=(0, 0, 0, None)), options.chains)
    mass, half, kept, accepted, failed = jnp.asarray(spread), options.warm_up // 2, [], [], 0

    def at(position: np.ndarray) -> Any:
        # From density zero a trajectory of step zero is accepted: it evaluates where it stands, and compiles nothing.
        nowhere = jnp.full(options.chains, -jnp.inf), jnp.zeros_like(position)
        words = jax.random.key_data(jax.random.split(key, options.chains))
        return advance(words, started(jnp.asarray(position), *nowhere), jnp.zeros(options.chains), mass)[0]

    highest = np.asarray(at(np.broadcast_to(centre, shift.shape)).logdensity)
    state = at(centre + shift)
    for _ in range(_RETREATS):
        far = ~(np.asarray(state.logdensity) >= highest - _DEEPEST * len(parameters))
        if not far.any():
            break
        shift = np.where(far[:, None], 0.5 * shift, shift)
        state = at(centre + shift)

    # At first each chain has a step of its own, or one that begins far out in a bent valley would wait there for a
    # step that the others do not need.
    begin, learn, settle = (jax.jit(jax.vmap(part)) for part in dual_averaging_adaptation(_TARGET_ACCEPTANCE))
    step = np.full(options.chains, 1.6 / len(parameters) ** 0.25)
    tuned = begin(step)
    words, jitters = _random_numbers(key, options.warm_up + options.draws, options.chains)
    for draw, (word, jitter) in enumerate(zip(words, jitters, strict=True)):
        state, rate, taken, wrong = advance(word, state, step * jitter, mass)
        kept.append((np.asarray(state.position), np.asarray(state.logdensity)))
        accepted.append(float(np.mean(np.asarray(taken))))
        failed += int(np.sum(np.asarray(wrong)))
        if draw < options.warm_up:
            tuned = learn(tuned, rate if draw < half else jnp.full_like(rate, jnp.mean(rate)))
            step = np.exp(np.asarray(tuned.log_step_size))
        if draw + 1 == half:
            mass = jnp.asarray(_pooled([z for z, _ in kept[half // 2 :]], spread))
            step = np.full_like(step, np.median(np.asarray(settle(tuned))))
            tuned = begin(step)
        if draw + 1 == options.warm_up:
            step = np.full_like(step, np.median(np.asarray(settle(tuned))))
        if on_draw is not None:
            on_draw(draw + 1)
    trajectories = options.chains * (options.warm_up + options.draws)
    z = np.stack([z for z, _ in kept[options.warm_up :]], axis=1)
    value = np.stack([value for _, value in kept[options.warm_up :]], axis=1)
    if not np.all(np.isfinite(value)):
        lost = int(np.sum(~np.isfinite(value).all(axis=1)))
        raise PosteriorError(f"{lost} of {options.chains} chains found no point that can be evaluated")
    share = float(np.mean(accepted[options.warm_up :]))
    return _summary(ranges, z, value, share, failed, trajectories, trajectories * options.steps)


def _random_numbers(key: Array, draws: int, chains: int) -> tuple[np.ndarray, np.ndarray]:
    """Words of the keys [draw, chain, word], and factors of the steps [draw]."""

    def of(draw: Array) -> tuple[Array, Array]:
        keys = jax.random.split(jax.random.fold_in(key, 2 * draw + 1), chains)
        return jax.random.key_data(keys), jax.random.uniform(jax.random.fold_in(key, 2 * draw + 2), minval=-1.0)

    words, share = jit_small(jax.vmap(of))(jnp.arange(draws))
    return np.asarray(words), 1.0 + _JITTER * np.asarray(share)


def _geometry(
    parameters: Parameters, ranges: Ranges, best: np.ndarray, jacobian: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Centre of the starts in z, and the covariance of the linear model there; an unknown one has that of its range."""
    z = np.asarray(to_unbounded(ranges, jnp.asarray(best)))
    limit = np.log(1.0 / _MARGIN - 1.0)
    z = np.where(np.isfinite(ranges.low), np.clip(z, -limit, limit), z)
    sensitivity = jacobian * np.asarray(unbounded_slope(ranges, jnp.asarray(z)))
    # -d²/dz² ln [σ(z) σ(-z)] = 2 σ(z) σ(-z).
    fraction = 1.0 / (1.0 + np.exp(-z))
    curvature = np.diag(np.where(np.isfinite(ranges.low), 2.0 * fraction * (1.0 - fraction), 0.0))
    precision = sensitivity.T @ sensitivity + curvature
    unit = np.sqrt(np.diag(precision))
    loose = [parameter.name for parameter, value in zip(parameters, unit, strict=True) if not value > 0.0]
    if loose:
        raise PosteriorError(f"{loose[0]}: the data do not depend on it and its range is infinite; give it a prior")
    value, vector = np.linalg.eigh(precision / np.outer(unit, unit))
    root = vector / np.sqrt(np.maximum(value, 1e-12 * value[-1])) / unit[:, None]
    return z, root @ root.T


def _pooled(positions: list[np.ndarray], before: np.ndarray) -> np.ndarray:
    """Covariance of the draws of all chains, with that of the fit counted as ten draws for each parameter."""
    z = np.concatenate(positions)
    weight = 10.0 * len(before)
    return (len(z) * np.atleast_2d(np.cov(z.T)) + weight * before) / (len(z) + weight)


def _in_groups(function: Callable[..., Any], chains: int) -> Callable[..., Any]:
    """Chains in one group for each core, at least four in each; one compilation, threads side by side."""
    cores = (os.cpu_count() or 1) if jax.default_backend() == "cpu" else 1
    groups = next(count for count in range(max(1, min(cores, chains // 4)), 0, -1) if chains % count == 0)
    size = chains // groups
    program: list[Callable[..., Any]] = []

    def advance(words: Array | np.ndarray, state: Any, step: Array | np.ndarray, mass: Array) -> Any:
        parts = [
            jax.tree.map(lambda leaf, k=k: np.asarray(leaf)[k * size : (k + 1) * size], (words, state, step))
            for k in range(groups)
        ]
        if not program:
            program.append(jax.jit(function).lower(*parts[0], mass).compile(compiler_options=quick()))
        with ThreadPoolExecutor(groups) as pool:
            done = list(pool.map(lambda part: jax.device_get(program[0](*part, mass)), parts))
        # In NumPy, as everything between two steps: an operation of JAX by itself takes longer than a step.
        return jax.tree.map(lambda *leaves: np.concatenate(leaves), *done)

    return advance


def _summary(
    ranges: Ranges, z: np.ndarray, value: np.ndarray, accepted: float, failed: int, trajectories: int, evaluations: int
) -> Posterior:
    from blackjax import diagnostics

    theta = np.asarray(from_unbounded(ranges, jnp.asarray(z)))
    # Ranks do not ask for the coordinate.
    measures = jit_small(lambda z: (diagnostics.rhat(z), diagnostics.ess_bulk(z), diagnostics.ess_tail(z)))
    r_hat, ess_bulk, ess_tail = (np.atleast_1d(np.asarray(found)) for found in measures(jnp.asarray(z)))
    return Posterior(
        theta=theta,
        log_density=value,
        mean=theta.mean(axis=(0, 1)),
        standard_deviation=theta.std(axis=(0, 1), ddof=1),
        interval=np.quantile(theta, [0.025, 0.975], axis=(0, 1)).T,
        r_hat=r_hat,
        ess_bulk=ess_bulk,
        ess_tail=ess_tail,
        accepted=accepted,
        failed=failed,
        trajectories=trajectories,
        evaluations=evaluations,
    )

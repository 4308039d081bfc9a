"""Known answers, which tell whether the compiler at hand computes what it should.

Releases of jaxlib have computed wrong values on a CPU without a word (jax issues 33479, 39103, 39352). Each check
evaluates something that the package uses and compares it with NumPy or SciPy, or with stored values.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy import special

from npp_jax.constants import NM
from npp_jax.inference import Parameter
from npp_jax.inference.refine import refine
from npp_jax.inference.refine_result import RefineOptions
from npp_jax.physics import (
    ConstantDiffusivity,
    Experiment,
    GaussianSED,
    IonBeamPotential,
    Sample,
    SEDDiffusivity,
    Species,
    Stage,
)
from npp_jax.simulation.simulate import FAST, simulate
from npp_jax.solver.block_tridiagonal import solve


class KnownAnswer(NamedTuple):
    """One comparison."""

    name: str
    """What was computed."""
    error: float
    """Largest difference from the right value, relative to the largest of them."""
    tolerance: float
    """Largest difference that rounding explains."""

    @property
    def right(self) -> bool:
        """Whether the values are right."""
        return self.error <= self.tolerance


def check_operations() -> Iterator[KnownAnswer]:
    """Check operations that models and likelihoods are made of; a second or two of compilation."""
    x = np.concatenate([-np.geomspace(1e-6, 20.0, 150), np.geomspace(1e-6, 20.0, 150)])
    positive = np.abs(x)
    pairs: tuple[tuple[str, Callable, Callable, np.ndarray], ...] = (
        ("exp", jnp.exp, np.exp, x),
        ("expm1", jnp.expm1, np.expm1, x),
        ("log", jnp.log, np.log, positive),
        ("log1p", jnp.log1p, np.log1p, positive),
        ("sqrt", jnp.sqrt, np.sqrt, positive),
        ("tanh", jnp.tanh, np.tanh, x),
        ("arctan", jnp.arctan, np.arctan, x),
        ("erf", jax.scipy.special.erf, special.erf, x),
        ("normal distribution", jax.scipy.special.ndtr, special.ndtr, x),
        ("log gamma function", jax.scipy.special.gammaln, special.gammaln, positive),
        ("Bessel function", jax.scipy.special.i1e, special.i1e, x),
    )
    arguments = {name: jnp.asarray(at) for name, _, _, at in pairs}
    found = jax.jit(lambda at: {name: function(at[name]) for name, function, _, _ in pairs})(arguments)
    for name, _, right, at in pairs:
        yield KnownAnswer(name, _error(found[name], right(at)), 1e-11)
    for dtype, rows in ((jnp.float64, 16_385), (jnp.float32, 32_769)):
        yield KnownAnswer(f"sums over {rows} rows, {jnp.dtype(dtype).name}", *_row_sums(dtype, rows))
    yield _block_tridiagonal()
    drawn = jax.jit(lambda key: jax.random.poisson(key, 10.0, (4096,)))(jax.random.key(0))
    yield KnownAnswer("mean of 4096 Poisson numbers of mean 10", float(abs(np.mean(np.asarray(drawn)) - 10.0)), 0.3)


def check_simulations() -> Iterator[KnownAnswer]:
    """Check a small simulation with its derivatives, and a fit, against stored values; some ten seconds."""

    def front(logarithms: Array) -> Array:
        width, D = jnp.exp(logarithms)
        law = SEDDiffusivity(D_bulk=1.3e-18, sed=GaussianSED(0.25 * width), vacancy_fraction=0.1)
        experiment = Experiment(
            sample=Sample(thickness=500e-6, permittivity=9.0, bulk_density=1.4e28),
            species=(Species("Li", law, 1.0), Species("K", ConstantDiffusivity(9.7e-22 * D))),
            stages=(Stage(IonBeamPotential("K", 10.0), 350.0, charge=201.0),),
        )
        solution = simulate(experiment, _SMALL)
        return jnp.stack([solution.front_depth[-1] / NM, solution.plateau[-1]])

    origin = jnp.zeros(2)
    yield KnownAnswer("simulation", _error(jax.jit(front)(origin), _FRONT), 1e-6)
    yield KnownAnswer("derivatives", _error(jax.jit(jax.jacfwd(front))(origin), _BY_PARAMETER), 1e-5)
    yield KnownAnswer("fit", _error(_misra(), np.array([2.3894212918e2, 5.5015643181e-4])), 1e-7)


# Converged, and with a first step of its own, so that what is stored does not depend on where an iteration starts or on
# the steps of `fast`.
_SMALL = replace(
    FAST,
    cells_behind=40,
    cells_ahead=20,
    steps=8,
    start_share=0.005,
    companion=False,
    iterations=12,
    extra_iterations=(12,),
    tolerance=1e-12,
)
# Front depth [nm] and plateau of that experiment with these settings, and their derivatives by ln(width), ln(D).
_FRONT = np.array([100.446607449, 0.1147600985])
_BY_PARAMETER = np.array([[44.3059176192, 5.6848981409], [0.4214842216, 0.0536416927]])


def _misra() -> np.ndarray:
    """Fit of y = b₁ (1 - exp[-b₂ x]), data set Misra1a of the NIST Statistical Reference Datasets."""
    x = jnp.array([77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0])
    y = jnp.array([10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78])
    residual = lambda b: b[0] * (1.0 - jnp.exp(-b[1] * x)) - y  # noqa: E731
    function = jax.jit(
        lambda theta: (jax.vmap(residual)(theta), jax.vmap(jax.jacfwd(residual))(theta), jnp.ones(len(theta), bool))
    )
    parameters = (Parameter("b1", ("b1",), 100.0, 500.0), Parameter("b2", ("b2",), 1e-5, 1e-2, "log"))
    options = RefineOptions(offset=1e-9)
    return np.asarray(refine(function, parameters, jnp.array([[250.0, 5e-4]]), options=options).theta[0])


def _row_sums(dtype, rows: int) -> tuple[float, float]:
    numbers = jnp.arange(rows, dtype=dtype)
    columns = jnp.stack((numbers, jnp.zeros_like(numbers), jnp.zeros_like(numbers)), axis=1)
    matrix = jnp.eye(3, dtype=dtype)
    squares = jax.jit(jax.vmap(lambda row: jnp.sum((matrix @ row) ** 2)))(columns)
    return _error(squares, np.arange(rows, dtype=float) ** 2), 1e-6


def _block_tridiagonal(cells: int = 40) -> KnownAnswer:
    """A system of two unknowns a cell, against the dense solution."""
    rng = np.random.default_rng(0)
    lower, upper = (rng.normal(size=(2, 2, cells)) for _ in range(2))
    diagonal = rng.normal(size=(2, 2, cells)) + 6.0 * np.eye(2)[:, :, None]
    right = rng.normal(size=(2, cells))
    dense = np.zeros((cells, 2, cells, 2))
    for k in range(cells):
        dense[k, :, k, :] = diagonal[:, :, k]
        if k:
            dense[k, :, k - 1, :] = lower[:, :, k]
        if k < cells - 1:
            dense[k, :, k + 1, :] = upper[:, :, k]
    wanted = np.linalg.solve(dense.reshape(2 * cells, -1), right.T.reshape(-1)).reshape(cells, 2).T
    block = lambda a: tuple(tuple(jnp.asarray(entry)[:, None] for entry in row) for row in a)  # noqa: E731
    vector = tuple(jnp.asarray(part)[:, None] for part in right)
    (found,) = jax.jit(solve)(block(lower), block(diagonal), block(upper), vector)
    return KnownAnswer("block tridiagonal systems", _error(np.stack(found)[..., 0], wanted), 1e-10)


def _error(found, wanted: np.ndarray) -> float:
    difference = np.max(np.abs(np.asarray(found, float) - wanted))
    return float(difference / np.max(np.abs(wanted))) if np.isfinite(difference) else np.inf

"""Fit of a measured profile of ion exchange from a melt: K and Na into a lithium glass.

Usage: python benchmarks/glass_exchange.py [--data DIR] [--starts N] [--save]

Reads `edx_profile_step1.csv` (EDX, measured: J. Lin, FEM_diffusion_in_glass, MIT licence), evaluates the model at the
parameters published with the data, then fits five parameters (three tracer diffusion coefficients and the composition
of the surface) from starts spread over decades, with Na and with Li as the faster counter-ion, and ranks the two.
Exit status 1 if the published mean square is not reproduced to 2 % or no fit reaches it, 2 if the data are not there.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import record
from scipy.stats import qmc

jax.config.update("jax_enable_x64", True)

from npp_jax.inference import (
    Parameter,
    Parameters,
    RefineOptions,
    RefineResult,
    covariance,
    profile_likelihood,
    ranges_of,
    refine,
)
from npp_jax.inference.refine_result import REASON_ADVICE, Reason
from npp_jax.physics import ConstantDiffusivity, Experiment, Reservoir, Sample, Species, Stage
from npp_jax.simulation.simulate import FAST, simulate

TOTAL = 19.37
"""Alkali oxides of the glass, Li not being measured [mol%]."""
OPTIONS = RefineOptions(offset=1e-3)
"""The mesh follows the parameters and the derivatives hold it: a relative offset of 10⁻³, which is 0.05 standard errors
for these data, is as close as the two agree."""
BULK = {"Li": 9.86, "Na": 9.22, "K": 0.29}
PUBLISHED = (3.73e-4, 12.2, 0.1865, 2.133, 12.71)
"""Published D of K, Na, Li [µm²/s], surface K₂O and Na₂O [mol%]."""
PUBLISHED_MEAN_SQUARE = 0.218
"""Mean square residual at these values over both oxides [mol%²]."""
EDGE = 16
"""Points at the edge, an artefact of EDX, left out as in the published fit."""


def ranges(fast: str) -> Parameters:
    """Parameters with their ranges, `fast` (Na or Li) being the faster of the two counter-ions."""
    D = {ion: (1.0, 1e3) if ion == fast else (1e-2, 1.0) for ion in ("Na", "Li")}
    return (
        Parameter("D_K", (), 1e-5, 1e-2, "log"),
        Parameter("D_Na", (), *D["Na"], "log"),
        Parameter("D_Li", (), *D["Li"], "log"),
        Parameter("surface_K", (), 0.5, 5.0),
        Parameter("surface_Na", (), 9.3, 14.3),
    )


# Wide diffusion profiles need few cells.
CONTROLS = replace(FAST, cells_behind=50, cells_ahead=30, steps=12, iterations=10, tolerance=1e-9, companion=False)


def experiment(theta: jax.Array) -> Experiment:
    """Exchange at 395 °C for four hours, half of the thickness of the sheet."""
    D = dict(zip(("K", "Na", "Li"), theta[:3] * 1e-12, strict=True))
    surface = {"K": theta[3] / TOTAL, "Na": theta[4] / TOTAL, "Li": 1.0 - (theta[3] + theta[4]) / TOTAL}
    bulk = {"K": BULK["K"] / TOTAL, "Na": BULK["Na"] / TOTAL}
    bulk["Li"] = 1.0 - bulk["K"] - bulk["Na"]
    return Experiment(
        # The number density of the alkali ions does not enter the fractions.
        sample=Sample(jnp.asarray(400e-6), jnp.asarray(7.0), jnp.asarray(8.7e27)),
        species=tuple(
            Species(name, ConstantDiffusivity(D[name]), jnp.asarray(bulk[name])) for name in ("Li", "Na", "K")
        ),
        stages=(Stage(Reservoir(surface), jnp.asarray(668.15), duration=jnp.asarray(14400.0)),),
    )


def read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Depths [m] and oxides Na₂O, K₂O [mol%], shape [oxide, point]."""
    table = np.genfromtxt(folder / "edx_profile_step1.csv", delimiter=",", names=True)[EDGE:]
    return table["depth_um"] * 1e-6, np.stack([table["Na2O_molpct"], table["K2O_molpct"]])


def residuals(theta: jax.Array, depth: jax.Array, measured: jax.Array) -> jax.Array:
    """Simulated less measured oxides [mol%], all points in a row."""
    fractions = simulate(experiment(theta), CONTROLS).profile(depth)
    return (TOTAL * fractions[1:] - measured).ravel()


def mean_square(theta: jax.Array, depth: jax.Array, measured: jax.Array) -> jax.Array:
    """Mean square residual over both oxides [mol%²]."""
    return jnp.mean(residuals(theta, depth, measured) ** 2)


def spread_starts(parameters: Parameters, count: int) -> np.ndarray:
    """Scrambled Sobol points over the whole ranges (fixed seed)."""
    unit = qmc.Sobol(len(parameters), seed=1).random(count)
    low, high = (np.array([getattr(b, end) for b in parameters]) for end in ("low", "high"))
    log = np.array([b.scale == "log" for b in parameters])
    return np.where(log, low * (high / low) ** unit, low + unit * (high - low))


@jax.jit
def evaluate(theta: jax.Array, depth: jax.Array, measured: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Residuals of a batch of parameters, and their Jacobians."""

    def one(t: jax.Array) -> tuple[jax.Array, jax.Array]:
        value = residuals(t, depth, measured)
        return value, value

    jacobian, value = jax.vmap(jax.jacfwd(one, has_aux=True))(theta)
    return value, jacobian


def fit(parameters: Parameters, depth: np.ndarray, measured: np.ndarray, starts: np.ndarray) -> RefineResult:
    """Least squares from all starts."""
    return refine(lambda theta: evaluate(theta, depth, measured), parameters, starts, options=OPTIONS)


def one_sided(
    parameters: Parameters, result: RefineResult, k: int, depth: np.ndarray, measured: np.ndarray
) -> dict[str, tuple[float, float]]:
    """Parameters at an end of their range, with the interval of their profile likelihoods up to there."""
    held = result.at_bound[k] != 0
    names = [parameter.name for parameter, end in zip(parameters, held, strict=True) if end]
    if not names:
        return {}
    square = jnp.asarray(2.0 * result.cost[k] / measured.size)
    jacobian = evaluate(result.theta[k][None], depth, measured)[1]
    errors = covariance(jacobian[0], result.theta[k], ranges_of(parameters), variance=square, held=held)
    profiles = profile_likelihood(
        lambda theta: evaluate(theta, depth, measured), parameters, result.theta[k], names,
        points=0, covariance=errors, variance=float(square), options=OPTIONS,
    )  # fmt: skip
    return {profile.name: (profile.ends[0].value, profile.ends[1].value) for profile in profiles}


def show(parameters: Parameters, result: RefineResult, depth: np.ndarray, measured: np.ndarray) -> list[dict]:
    """Print and return the best end of a fit, with what the data say of each parameter."""
    rows = []
    k = result.best()
    square = 2.0 * float(result.cost[k]) / measured.size
    reached = int(np.sum(np.asarray(result.cost) < 1.001 * float(result.cost[k])))
    print(f"  {square:.4f} mol%², reached by {reached} of {len(result.cost)} starts")
    print(f"  {REASON_ADVICE[Reason(int(result.reason[k]))]}")
    jacobian = evaluate(result.theta[k][None], depth, measured)[1][0]
    spread = covariance(jacobian, result.theta[k], ranges_of(parameters), variance=jnp.asarray(square))
    limits = one_sided(parameters, result, k, depth, measured)
    for parameter, value, interval, end in zip(
        parameters, result.theta[k], spread.interval, result.at_bound[k], strict=True
    ):
        note, (low, high) = "", limits.get(parameter.name, interval)
        if int(end) != 0:
            note = "  at an end of its range; the other end is its limit, by its profile likelihood"
        elif parameter.name.startswith("D_") and float(high) > 1.5 * float(low):
            note = "  only weakly determined"
        print(f"  {parameter.name:11s} {float(value):10.4g}   95 %: {float(low):.4g} to {float(high):.4g}{note}")
        ends = [float(low), float(high)]
        rows.append({"name": parameter.name, "value": float(value), "interval": ends, "remark": note.strip()})
    return rows


def main() -> int:
    """Evaluate, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared/data/iox-glass-k-na-li")
    parser.add_argument("--starts", type=int, default=8)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/glass_exchange.json")
    options = parser.parse_args()
    if not (options.data / "edx_profile_step1.csv").is_file():
        print(f"no edx_profile_step1.csv in {options.data}: nothing to fit")
        return 2
    depth, measured = read(options.data)
    published = float(jax.jit(mean_square)(jnp.asarray(PUBLISHED), depth, measured))
    print(
        f"mean square residual at the published parameters: {published:.4f} mol%² (published {PUBLISHED_MEAN_SQUARE})"
    )
    fits = []
    for fast in ("Na", "Li"):
        parameters = ranges(fast)
        fits.append((fast, parameters, fit(parameters, depth, measured, spread_starts(parameters, options.starts))))
    fits.sort(key=lambda entry: float(jnp.min(entry[2].cost)))
    found = []
    for rank, (fast, parameters, result) in enumerate(fits, start=1):
        print(f"minimum {rank}: {fast} faster than {'Li' if fast == 'Na' else 'Na'}")
        found.append(
            {
                "minimum": f"{fast} faster than {'Li' if fast == 'Na' else 'Na'}",
                "mean_square": 2.0 * float(jnp.min(result.cost)) / measured.size,
                "parameters": show(parameters, result, depth, measured),
            }
        )
    best = 2.0 * float(jnp.min(fits[0][2].cost)) / measured.size
    if options.save:
        content = {"published": published, "stated": PUBLISHED_MEAN_SQUARE, "fits": found}
        record.save("glass_exchange", content)
    good = abs(published / PUBLISHED_MEAN_SQUARE - 1.0) <= 0.02 and best <= PUBLISHED_MEAN_SQUARE
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

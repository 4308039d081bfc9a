"""Derivatives of a simulation: their error against a refined solution, and their cost in plain runs.

Usage: python benchmarks/gradients.py [--candidates N] [--models ...] [--settings ...]

For spread candidates of the box of p9, the derivatives by the logarithm of each of seven parameters (the vacancy
fraction and the width of the distribution included) of the native profile at 60 fixed depths, of the front depth and
of the logarithm of the time, in the settings `fast` and `accurate`, are compared with central differences of a run
with 350 cells and 64 steps. Error of a profile: RMS of the difference over the RMS of the reference, or over `SEEN`
where that is larger: nothing is learnt of a parameter that hardly changes what is observed, however exact its
derivative. Printed are the median, the 90 % quantile and the share below 2 %, over the candidates whose reference is
known to 0.5 % (from two widths of the difference).
Cost: processor time of profile and Jacobian, seven directions, over that of the profile alone.
"""

import argparse
import platform
import time
from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

from throughput import spread

from npp_jax.physics import (
    ConstantDiffusivity,
    Drive,
    Experiment,
    GaussianSED,
    IonBeamPotential,
    Sample,
    SEDDiffusivity,
    Species,
    Stage,
)
from npp_jax.simulation.simulate import ACCURATE, FAST, simulate

NAMES = (
    "sed_fwhm_eV",
    "vacancy_fraction",
    "D_foreign_m2_s",
    "potential_V",
    "temperature_K",
    "thickness_um",
    "charge_C_m2",
)
SETTINGS = {"fast": FAST, "accurate": ACCURATE}
REFINED = replace(ACCURATE, cells_behind=260, cells_ahead=90, steps=64, trace=False, companion=False)
DEPTHS = 60
KNOWN = 5e-3
"""Largest difference of two references that counts as knowing the derivative."""
SEEN = 1e-3
"""Least change that is seen when a parameter changes e-fold: of a fraction, of the front depth over the range of the
profile, of ln time."""
WANTED = 2.0
"""Error of a derivative that is good enough [%]."""


def experiment(theta: jax.Array) -> Experiment:
    """Candidates from logarithms of their parameters, shape [parameter, candidate]."""
    value = dict(zip(NAMES, jnp.exp(theta), strict=True))
    native = SEDDiffusivity(
        D_bulk=jnp.asarray(1e-18),
        sed=GaussianSED(value["sed_fwhm_eV"]),
        vacancy_fraction=value["vacancy_fraction"],
        immobile_fraction=jnp.asarray(0.0),
    )
    foreign = ConstantDiffusivity(D=value["D_foreign_m2_s"])
    front = IonBeamPotential("K", Drive.constant(value["potential_V"]))
    return Experiment(
        sample=Sample(1e-6 * value["thickness_um"], jnp.asarray(9.0), jnp.asarray(1.4e28)),
        species=(Species("Li", native, jnp.asarray(1.0)), Species("K", foreign, jnp.asarray(0.0))),
        stages=(Stage(front, value["temperature_K"], charge=value["charge_C_m2"]),),
    )


def outputs(theta: jax.Array, depth: jax.Array, controls, model: str) -> jax.Array:
    """Native profile at the depths [depth, candidate], then front depth over its range, then ln time."""
    found = simulate(experiment(theta), replace(controls, trace=False, companion=False), model=model)
    return jnp.concatenate([found.profile(depth)[0], found.front_depth[:1] / depth[-1], jnp.log(found.time[:1])])


def with_jacobian(function: Callable[[jax.Array], jax.Array], theta: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Outputs and ∂ outputs/∂ θ, [parameter, output, candidate], as fits take them: simulated once for all directions.

    Candidates do not depend on one another.
    """

    def move(row: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jax.jvp(function, (theta,), (jnp.broadcast_to(row[:, None], theta.shape),))

    return jax.vmap(move, out_axes=(None, 0))(jnp.eye(len(theta)))


def differences(function: Callable[[jax.Array], jax.Array], theta: jax.Array, step: float) -> jax.Array:
    """The same by central differences."""
    moved = [
        (function(theta.at[k].add(step)) - function(theta.at[k].add(-step))) / (2.0 * step) for k in range(len(theta))
    ]
    return jnp.stack(moved)


def rms(values: np.ndarray) -> np.ndarray:
    """Root of the mean square over the outputs, shape [parameter, candidate]."""
    return np.sqrt(np.mean(values**2, axis=1))


def processor_time(run: Callable[[], jax.Array]) -> float:
    """Median of five, after a first run."""
    jax.block_until_ready(run())
    seconds = []
    for _ in range(5):
        begin = time.process_time()
        jax.block_until_ready(run())
        seconds.append(time.process_time() - begin)
    return float(np.median(seconds))


def main() -> None:
    """Print errors for each parameter, and the cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--candidates", type=int, default=32)
    parser.add_argument("--models", nargs="*", default=["electroneutral", "full"])
    parser.add_argument("--settings", nargs="*", default=list(SETTINGS))
    options = parser.parse_args()
    print(f"{jax.devices()[0].platform}, {platform.machine()}, jax {jax.__version__}, {options.candidates} candidates")
    rows = spread(options.candidates)
    theta = jnp.log(jnp.asarray([[row[name] for row in rows] for name in NAMES]))
    for model in options.models:
        solve = jax.jit(lambda e, model=model: simulate(e, REFINED, model=model))
        depth = 1.5 * solve(experiment(theta)).front_depth[-1] * jnp.linspace(0.0, 1.0, DEPTHS)[:, None]
        refined = jax.jit(lambda t, depth=depth, model=model: outputs(t, depth, REFINED, model))
        wide, narrow = (np.asarray(differences(refined, theta, step)) for step in (2e-3, 1e-3))
        for setting in options.settings:
            function = lambda t, s=setting, d=depth, m=model: outputs(t, d, SETTINGS[s], m)  # noqa: E731
            forward = jax.jit(lambda t, f=function: with_jacobian(f, t))
            found = np.asarray(forward(theta)[1])
            plain = jax.jit(function)
            cost = processor_time(lambda f=forward: f(theta)) / processor_time(lambda f=plain: f(theta))
            print(f"{model}, {setting}: profile and Jacobian for {len(NAMES)} parameters cost {cost:.2f} plain runs")
            parts = "".join(f"{name + ' median':>16s}   90 %  < 2 %" for name in ("profile", "front", "ln time"))
            print(f"  parameter          known of{parts}   [%]")
            for k, name in enumerate(NAMES):
                cells = []
                for part in (slice(0, DEPTHS), slice(DEPTHS, DEPTHS + 1), slice(DEPTHS + 1, DEPTHS + 2)):
                    scale = np.maximum(rms(narrow[:, part])[k], SEEN)
                    known = rms((wide - narrow)[:, part])[k] <= KNOWN * scale
                    error = 100.0 * rms((found - narrow)[:, part])[k][known] / scale[known]
                    good = 100.0 * np.mean(error <= WANTED) if known.any() else np.nan
                    quantiles = np.quantile(error, [0.5, 0.9]) if known.any() else (np.nan, np.nan)
                    cells.append((known.sum(), *quantiles, good))
                counts = "/".join(str(cell[0]) for cell in cells)
                table = "".join(f"{cell[1]:16.2f} {cell[2]:6.2f} {cell[3]:6.0f}" for cell in cells)
                print(f"  {name:18s} {counts:>9s}{table}", flush=True)


if __name__ == "__main__":
    main()

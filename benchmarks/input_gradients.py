"""Derivatives of a profile by every input of the bundled experiments and of the rivals of their studies.

Usage: python benchmarks/input_gradients.py [NAME ...] [--save]

NAME is a file of sweeps/ without its ending, or one of its rivals, as "rival_physics: ions drag one another".
For each experiment the fractions at some forty depths of its last output are differentiated by every key that a
parameter may have: forward, in reverse (a fixed sum of them), and by central differences of whole runs, whose mesh
follows the input; from one side where it is zero. Of two steps the nearer one counts: a long step does not see how a
profile bends, a short one sees how the mesh jumps. Errors are relative to the derivative by that input: forward against
reverse, and the RMS over the depths of forward against differences. An input whose e-fold (a unit, of one that is zero)
changes no fraction by `SEEN` is counted as without effect. `--save` keeps each result as it comes, in place of an
earlier one of its name.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import record

jax.config.update("jax_enable_x64", True)

from npp_jax.files import ConfigError, load_experiment
from npp_jax.files.study import load_study
from npp_jax.fitting.parameters import place, slots, value_of
from npp_jax.physics import Experiment
from npp_jax.physics.protocol import Blocking
from npp_jax.simulation.simulate import ACCURATE, simulate
from npp_jax.simulation.solution import Model

SWEEPS = Path(__file__).resolve().parents[1] / "sweeps"
DEPTHS = 40
SEEN = 1e-3
"""Least change of a fraction by an input that counts as an effect."""
CHANGE = 1e-2
"""Change of a fraction that a difference aims at."""
SHORTEST, LONGEST = 1e-4, 2e-2
"""Ends of its step, as a change of the logarithm."""
CONTROLS = replace(ACCURATE, companion=False, trace=False, observables=False)


def experiments() -> Iterator[tuple[str, Experiment]]:
    """All experiments that files describe, and the first one of each rival of each study."""
    for file in sorted(SWEEPS.glob("*.toml")):
        try:
            yield file.stem, load_experiment(file)
            continue
        except ConfigError:
            pass
        try:
            study = load_study(file)
        except ConfigError:
            continue
        for rival in study.rivals:
            yield f"{file.stem}: {rival.name}", rival.problem.measurements[0].experiment


def keys_of(experiment: Experiment) -> list[str]:
    """One key of each number; units that say the same twice are left out."""
    places = slots(experiment)
    return [name for k, name in enumerate(places) if places[name] not in list(places.values())[:k]]


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _differences(run: Callable[[jax.Array], jax.Array], step: np.ndarray, zero: np.ndarray) -> np.ndarray:
    """Derivatives by central differences; of what is zero, which may be the end of its range, from one side."""
    back = np.where(zero, 2.0, -1.0)
    moves = np.concatenate([np.diag(step), np.diag(back * step), np.zeros((1, len(step)))])
    there = np.asarray(run(jnp.asarray(moves)))
    ahead, other, here = there[: len(step)].T, there[len(step) : -1].T, there[-1][:, None]
    one_sided = (4.0 * ahead - other - 3.0 * here) / (2.0 * step)
    return np.where(zero, one_sided, (ahead - other) / (2.0 * step))


def judged(experiment: Experiment) -> list[dict]:
    """One row for each input."""
    blocked = any(isinstance(stage.front, Blocking) for stage in experiment.stages)
    model: Model = "full" if blocked else "electroneutral"
    names = keys_of(experiment)
    base = jnp.asarray([float(value_of(experiment, name)) for name in names])
    # In the logarithm, but for what is zero or may have either sign.
    scale = jnp.where(base > 0.0, base, 1.0)
    depth = simulate(experiment, CONTROLS, model=model).depth[-1]
    depth = depth[jnp.asarray(np.linspace(1, len(depth) - 2, DEPTHS).astype(int))]

    def profile(change: jax.Array) -> jax.Array:
        moved = place(experiment, dict(zip(names, base + scale * change, strict=True)))
        return simulate(moved, CONTROLS, model=model).profile(depth, output=-1).ravel()

    origin = jnp.zeros(len(names))
    forward = np.asarray(jax.jit(jax.jacfwd(profile))(origin))
    weights = jnp.cos(jnp.arange(len(forward), dtype=forward.dtype))
    reverse = np.asarray(jax.jit(jax.grad(lambda change: weights @ profile(change)))(origin))
    largest = np.max(np.abs(forward), axis=0)
    step = np.clip(CHANGE / np.maximum(largest, 1e-300), SHORTEST, LONGEST)
    run = jax.jit(lambda moves: jax.lax.map(profile, moves))
    zero = np.asarray(base) == 0.0
    differences = [_differences(run, length, zero) for length in (step, np.maximum(0.1 * step, SHORTEST))]
    rows = []
    for k, name in enumerate(names):
        own = forward[:, k]
        rows.append(
            {
                "input": name,
                "largest": float(largest[k]),
                "reverse": float(abs(reverse[k] - weights @ own) / max(np.sum(np.abs(own)), 1e-300)),
                "difference": min(float(_rms(own - found[:, k]) / max(_rms(own), 1e-300)) for found in differences),
            }
        )
    return rows


def main() -> None:
    """Judge the experiments, print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="*", help="files of sweeps/ without their ending, or `FILE: RIVAL`; all by default"
    )
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/input_gradients.json")
    options = parser.parse_args()
    stored = record.FOLDER / "input_gradients.json"
    kept = json.loads(stored.read_text(encoding="utf-8"))["rows"] if options.save and stored.is_file() else []
    for name, experiment in experiments():
        if options.names and not {name, name.split(":")[0]} & set(options.names):
            continue
        begin = time.perf_counter()
        rows = [{"experiment": name, **row} for row in judged(experiment)]
        seen = [row for row in rows if row["largest"] >= SEEN]
        worst = max(seen, key=lambda row: row["difference"])
        print(
            f"{name}: {len(seen)} of {len(rows)} inputs with an effect; forward = reverse to "
            f"{max(row['reverse'] for row in seen):.0e}, = differences to "
            f"{100 * np.median([row['difference'] for row in seen]):.2g} % in the median, "
            f"{100 * worst['difference']:.2g} % at most ({worst['input']}); {time.perf_counter() - begin:.0f} s",
            flush=True,
        )
        kept = [row for row in kept if row["experiment"] != name] + rows
        if options.save:
            record.save("input_gradients", {"seen": SEEN, "rows": kept})


if __name__ == "__main__":
    main()

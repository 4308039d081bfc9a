"""Write the synthetic isotope data of sweeps/synthetic_tracer: python benchmarks/synthetic_tracer.py.

Nothing in it was measured. D and durations are those of the LLTO samples of Hasegawa et al. (2024).
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfc

from npp_jax.tracer.boundaries import chain_of_grains
from npp_jax.tracer.diffusion import Closed, ConstantSurface, DiffusionStage, diffuse, profile_at
from npp_jax.tracer.evolution import evolve_exchange_profile, exchange_profile
from npp_jax.tracer.grain_map import grain_map
from npp_jax.tracer.isotope_map import MapStage, simulate_map

FOLDER = Path(__file__).parents[1] / "sweeps" / "synthetic_tracer"
HOUR, BASE, SURFACE, NOISE, UM = 3600.0, 0.0759, 0.95, 0.005, 1e-6
COUNTS = 200.0
"""Counts of both isotopes per pixel."""
COUNTS_OF_A_POINT = 4000


def write(name: str, position: np.ndarray, fraction: np.ndarray, rng: np.random.Generator, unit: str) -> None:
    drawn = fraction + NOISE * rng.normal(size=fraction.shape)
    rows = [f"{x:.6g},{y:.6f},{NOISE}" for x, y in zip(position, drawn, strict=True)]
    head = ["# synthetic, made by benchmarks/synthetic_tracer.py", f"position_{unit},fraction,fraction_sigma"]
    (FOLDER / name).write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8")


def evolution(rng: np.random.Generator) -> None:
    x = np.linspace(-0.8, 5.8, 67)
    exchange = 8.0e-13 * 110 * HOUR
    for name, areas in (("cool", [3.0e-13 * 336 * HOUR, 3.0e-13 * 1008 * HOUR]), ("hot", [6.6e-11 * 3.8 * HOUR])):
        shapes = evolve_exchange_profile(jnp.asarray(x * 1e-3), exchange, jnp.asarray(areas), cells=560, steps=96)
        shapes = [exchange_profile(jnp.asarray(x * 1e-3), exchange), *shapes]
        for k, shape in enumerate(shapes):
            write(f"{name}{k}.csv", x, BASE + (SURFACE - BASE) * np.asarray(shape), rng, "mm")


def chain(rng: np.random.Generator) -> None:
    sizes = jnp.asarray([16.0, 22.0, 12.0, 18.0]) * UM
    medium = chain_of_grains(sizes, jnp.asarray([1.4e-8, 3.0e-8, 1.0e-8]), 2.6e-12, cells=64)
    stages = [DiffusionStage(0.5 * HOUR, left=ConstantSurface(SURFACE)), DiffusionStage(0.2 * HOUR, left=Closed())]
    solution = jax.jit(diffuse, static_argnames="steps")(medium, jnp.full(256, BASE), stages, steps=128)
    x = np.linspace(0.5, 67.5, 135)
    for k in range(2):
        write(f"chain{k}.csv", x, np.asarray(profile_at(medium, solution.fraction[k], jnp.asarray(x * UM))), rng, "um")


def two_paths(rng: np.random.Generator) -> None:
    x, area = np.linspace(20.0, 4000.0, 80), 4.0 * 2e-13 * 100 * HOUR
    slow, fast = (np.asarray(erfc(x * UM / np.sqrt(ratio * area))) for ratio in (1.0, 10.0))
    fraction = BASE + (SURFACE - BASE) * (0.67 * slow + 0.33 * fast)
    light = rng.binomial(COUNTS_OF_A_POINT, fraction)
    rows = [f"{at:.6g},{n},{COUNTS_OF_A_POINT - n}" for at, n in zip(x, light, strict=True)]
    head = ["# synthetic, made by benchmarks/synthetic_tracer.py", "position_um,6Li,7Li"]
    (FOLDER / "two_paths.csv").write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8")


def grains(rng: np.random.Generator) -> None:
    seeds = rng.uniform([0.0, 0.0], [32.0, 64.0], (14, 2))
    pixel = np.stack(np.mgrid[:32, :64], -1) + 0.5
    labels = np.argmin(np.sum((pixel[:, :, None] - seeds) ** 2, -1), -1)
    np.save(FOLDER / "grains.npy", labels.astype(np.int16))
    grain = grain_map(labels, UM)
    stages = (MapStage(0.5 * HOUR, SURFACE, steps=64),)
    fraction = np.asarray(jax.jit(lambda: simulate_map(grain, 2.6e-12, 1.4e-8, BASE, stages))().fraction[-1])
    np.save(FOLDER / "light.npy", rng.poisson(COUNTS * fraction).astype(np.int16))
    np.save(FOLDER / "heavy.npy", rng.poisson(COUNTS * (1.0 - fraction)).astype(np.int16))


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    FOLDER.mkdir(exist_ok=True)
    for seed, make in enumerate((evolution, chain, grains, two_paths)):
        make(np.random.default_rng(seed))

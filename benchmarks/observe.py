"""Time per candidate of the SIMS forward model: the exact operator and the sampled one, error beside speed.

Usage: python benchmarks/observe.py [--candidates N] [--cells C] [--depths D]

Profiles are ramps with a front on cells clustered there, seen through a Dowsett response of 16-84 % width 7 nm at
depths 1 nm apart. Wall and processor time are the least of some repetitions, the error is the greatest of all.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from npp_jax.observe import DowsettResponse, convolve, sample_response


def profiles(candidates: int, cells: int, deepest: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    front, width = rng.uniform(0.2, 0.7, candidates) * deepest, rng.uniform(0.2, 10.0, candidates)
    s = np.linspace(-1.0, 1.0, cells + 1)
    faces = front[:, None] * (1.0 + np.sinh(4.0 * s) / np.sinh(4.0))
    middle = 0.5 * (faces[:, 1:] + faces[:, :-1])
    ramp = 0.1 + 0.2 * np.minimum(middle / front[:, None], 1.0)
    step = 0.5 * (1.0 + np.tanh(0.5 * (middle - front[:, None]) / width[:, None]))
    native = ramp + (1.0 - ramp) * step
    return faces, np.stack([native, 1.0 - native], axis=1)


def measured(
    run: Callable[..., Any], *inputs: jax.Array, repetitions: int = 15
) -> tuple[float, float, float, jax.Array]:
    start = time.perf_counter()
    compiled = jax.jit(run).lower(*inputs).compile()
    compilation = time.perf_counter() - start
    wall, processor = [], []
    for _ in range(repetitions):
        start, used = time.perf_counter(), time.process_time()
        result = jax.block_until_ready(compiled(*inputs))
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    return compilation, min(wall), min(processor), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--candidates", type=int, default=256)
    parser.add_argument("--cells", type=int, default=110)
    parser.add_argument("--depths", type=int, default=200)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    response, depth = DowsettResponse(1.0, 3.0, 2.0), np.arange(1.0, options.depths + 1.0)
    faces, values = profiles(options.candidates, options.cells, depth[-1])
    reference = np.asarray(jax.vmap(lambda x, v: convolve(response, x, v, jnp.asarray(depth)))(faces, values))
    device = jax.devices()[0]
    sizes = f"batch {options.candidates}, {options.cells} cells, {depth.size} depths"
    print(f"{device.platform} ({device.device_kind}), {sizes}")
    print(f"{'path':<10} {'dtype':<8} {'compile':>9} {'wall':>12} {'processor':>12} {'error':>9}")
    for dtype in (np.float64, np.float32):
        x, v, z = (jnp.asarray(a, dtype) for a in (faces, values, depth))
        paths = {"exact": lambda f, c, z=z: convolve(response, f, c, z)}
        paths |= {f"sampled/{k}": sample_response(response, depth.astype(dtype), refine=k) for k in (1, 2, 4)}
        for name, path in paths.items():
            run = jax.vmap(lambda f, c, path=path: path(f, c))
            compilation, wall, processor, result = measured(run, x, v)
            error = np.max(np.abs(np.asarray(result) - reference))
            each = 1e6 / options.candidates
            times = f"{compilation:7.2f} s {wall * each:9.1f} µs {processor * each:9.1f} µs"
            print(f"{name:<10} {np.dtype(dtype).name:<8} {times} {error:9.1e}", flush=True)


if __name__ == "__main__":
    main()

"""Speed of diffrax on the same equations: method of lines on the moving mesh, stiff Runge–Kutta, vmapped.

Usage: python benchmarks/diffrax_baseline.py [--candidates N] [--solvers kvaerno3 kvaerno5] [--rtol R] [--save]

What a user of JAX would write first. The fluxes, the mesh that follows the front and the clock are those of the library
(electroneutral model), so that what is compared is the integration alone: diffrax takes adaptive steps with a dense
Jacobian of each candidate, all candidates of a batch waiting for the slowest. The library runs the same candidates
without its error estimate. Accuracy against refined runs of the library stands beside both speeds.
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import record
from jaxtyping import Array

try:
    import diffrax
except ImportError:
    sys.exit("diffrax is not installed; install it with: python -m pip install diffrax")

from throughput import REFINED, inside, spread
from verify import candidates

from npp_jax.constants import NM
from npp_jax.physics import Experiment
from npp_jax.physics.front_theory import front_theory, quasi_steady_profile
from npp_jax.simulation.mesh.geometry import geometry
from npp_jax.simulation.mesh.predicted import Place, PredictedCourse
from npp_jax.simulation.observables import front_observables, interpolate_profile
from npp_jax.simulation.schemes import PairNeutral
from npp_jax.simulation.schemes.scheme import Rates
from npp_jax.simulation.simulate import FAST, simulate
from npp_jax.simulation.units import medium_of

SOLVERS = {"kvaerno3": diffrax.Kvaerno3, "kvaerno5": diffrax.Kvaerno5}
START_SHARE = 0.003
MAX_STEPS = 2000
CEILING = 1.002
"""Greatest native fraction that the fluxes see: what rounding and steps add to the bulk, no more."""


class Found(NamedTuple):
    """What the comparison reads of a solution; leading axis of one output."""

    depth: Array
    fraction: Array
    front_depth: Array
    steps: Array
    failed: Array

    def profile(self, depth: Array) -> Array:
        """Fractions at depths [m], shape [species, depth, candidate]."""
        return interpolate_profile(depth, self.depth, self.fraction)


def solve(experiment: Experiment, solver: diffrax.AbstractSolver, rtol: float) -> Found:
    """Integrate one candidate by diffrax.

    Parameters
    ----------
    experiment
        One candidate: a beam at constant potential until a charge has passed.
    solver
        Implicit Runge–Kutta method.
    rtol
        Relative tolerance; the absolute one, on fractions at the end, is a tenth of it.
    """
    (stage,) = experiment.stages
    medium = medium_of(experiment, stage)
    zero = jnp.zeros_like(stage.temperature)
    theory = front_theory(medium.native, medium.foreign, stage.temperature)
    path = PredictedCourse(medium=medium, theory=theory, front=stage.front, place=Place(zero, zero, zero), charge=zero)
    end = stage.charge / path.current_unit()
    drop = path.drive.value[0] / medium.thermal_potential

    def faces_at(clock: Array) -> Array:
        return path.faces_at(clock, FAST.cells_behind, FAST.cells_ahead)

    def rate(log_clock: Array, amount: Array, _: None) -> Array:
        """d(h u)/d ln q; what flows past a moving face is among the fluxes, so that the ions are conserved."""
        clock = jnp.exp(log_clock)
        step = 1e-5 * clock
        velocity = (faces_at(clock + step) - faces_at(clock - step)) / (2.0 * step)
        here = geometry(faces_at(clock), velocity, medium.thickness)
        positive = jnp.clip(amount / here.width, 1e-9, CEILING)

        def rates(v: Array) -> Rates:
            return PairNeutral().rates(medium, (positive,), v, lambda v: 1.0 / v, here)

        # At given composition the potential drop is linear in the current.
        guess = path.current_at(clock)
        base, slope = jax.jvp(lambda v: rates(v).drop, (guess,), (jnp.ones_like(guess),))
        gained = rates(guess + (drop - base) / slope).rate[0]
        return clock * gained

    # A front as wide as what has diffused so far, with exactly the ions that have passed: what a start has too much of
    # it keeps to the end.
    start, ell = START_SHARE * end, path.front_scale(zero)
    start = jnp.where(start < 30.0 * ell, jnp.minimum(start, 0.01 * ell), start)
    faces = faces_at(start)
    young = ell / jnp.sqrt(1.0 + ell / start)
    replaced = 1.0 - quasi_steady_profile(theory, 0.5 * (faces[1:] + faces[:-1]), start, young)
    first = 1.0 - replaced * jnp.minimum(start / jnp.sum(replaced * jnp.diff(faces)), 1.0)
    width = jnp.diff(faces_at(end))
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(rate),
        solver,
        jnp.log(start),
        jnp.log(end),
        0.05,
        first * jnp.diff(faces),
        stepsize_controller=diffrax.PIDController(rtol=rtol, atol=0.1 * rtol * width),
        max_steps=MAX_STEPS,
        throw=False,
    )
    faces = faces_at(end)
    centre = 0.5 * (faces[1:] + faces[:-1])
    u = solution.ys[-1] / width
    depth = NM * jnp.concatenate([jnp.zeros(1), centre, medium.thickness[None]])
    native = jnp.concatenate([u[:1], u, jnp.ones(1)])
    front = front_observables(depth, native, 1.0 - native).depth
    failed = solution.result != diffrax.RESULTS.successful
    return Found(depth, jnp.stack([native, 1.0 - native]), front[None], solution.stats["num_steps"], failed)


def timed(run: Callable, argument: Experiment, repeats: int = 3) -> tuple[float, float, object]:
    """Seconds of compilation, median seconds of a run, and its result."""
    begin = time.perf_counter()
    compiled = jax.jit(run).lower(argument).compile()
    compile_s = time.perf_counter() - begin
    seconds, result = [], None
    for _ in range(repeats):
        begin = time.perf_counter()
        result = jax.block_until_ready(compiled(argument))
        seconds.append(time.perf_counter() - begin)
    return compile_s, float(np.median(seconds)), result


def main() -> None:
    """Print a row for each solver and one for the library."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--candidates", type=int, default=32)
    parser.add_argument("--solvers", nargs="*", default=list(SOLVERS), choices=list(SOLVERS))
    parser.add_argument("--rtol", type=float, default=1e-3)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/diffrax.json")
    options = parser.parse_args()
    batch = candidates(spread(options.candidates))
    wanted = jax.jit(lambda e: simulate(e, REFINED))(batch)
    # The laws carry a trailing batch axis, everything else its own: one candidate along the last axis of every leaf.
    moved = lambda solver: jax.vmap(lambda e: solve(e, solver, options.rtol), in_axes=-1, out_axes=-1)  # noqa: E731
    spreading = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, jnp.broadcast_shapes(leaf.shape, (1,))), batch)
    spreading = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (*leaf.shape[:-1], options.candidates)), spreading)
    rows = []
    print(f"{platform.machine()}, jax {jax.__version__}, diffrax {diffrax.__version__}, one batch")
    for name in options.solvers:
        compile_s, seconds, found = timed(moved(SOLVERS[name]()), spreading)
        rows.append({"name": f"diffrax {name}", "compile_s": compile_s, "per_second": options.candidates / seconds})
        rows[-1] |= {"inside": float(inside(found, wanted).mean()), "failed": float(np.mean(found.failed))}
        rows[-1] |= {"steps_median": float(np.median(found.steps)), "steps_most": int(np.max(found.steps))}
        print(rows[-1], flush=True)
    controls = replace(FAST, companion=False)
    compile_s, seconds, found = timed(lambda e: simulate(e, controls), batch)
    rows.append({"name": "npp_jax", "compile_s": compile_s, "per_second": options.candidates / seconds})
    rows[-1] |= {"inside": float(inside(found, wanted).mean())}
    print(rows[-1])
    if options.save:
        record.save("diffrax", {"diffrax": diffrax.__version__, "rtol": options.rtol, "rows": rows})


if __name__ == "__main__":
    main()

"""How much of what the processor can do a simulation uses: operations and bytes counted, against measured peaks.

Usage: python benchmarks/roofline.py [--batch B] [--save]

Operations are counted in the traced program of a batch of candidates of the reference box p9 (`fast`, no error
estimate): scans by their length, the iterations of the solver by how many the runs report, which is what the fixed
number of the setting makes of them. `plain` are sums, products, comparisons and choices, `divisions` quotients and
square roots, `special` exponentials, logarithms, powers and quantiles; each counts once, whatever it costs. Bytes are
`unfused`, what the operations would read and write if none was fused with its neighbours, and `carried`, what scans
carry and stack, which no fusion avoids. Peaks of one core are those of a product of two matrices, of a chain of
products and sums over vectors that stay in its cache, of exponentials there, and of sums of two vectors that do not.

Equations are those of the traced program, for one candidate: what tracing and compilation take grows with them.
"""

import argparse
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import record

jax.config.update("jax_enable_x64", True)

from jax.extend.core import ClosedJaxpr, Jaxpr
from startup import four_ions
from throughput import spread
from verify import candidates

import npp_jax as npp
from npp_jax._compile import wide
from npp_jax.simulation.simulate import FAST, simulate

SPECIAL = {
    "exp",
    "exp2",
    "expm1",
    "log",
    "log1p",
    "pow",
    "erf_inv",
    "erf",
    "erfc",
    "tanh",
    "logistic",
    "sin",
    "cos",
    "cbrt",
}
DIVISIONS = {"div", "sqrt", "rsqrt", "rem"}
PLAIN = {
    "add", "sub", "mul", "neg", "abs", "max", "min", "sign", "floor", "ceil", "round", "select_n", "clamp", "lt", "le",
    "gt", "ge", "eq", "ne", "and", "or", "not", "integer_pow", "square", "add_any", "is_finite", "nextafter",
}  # fmt: skip
REDUCED = {
    "reduce_sum",
    "reduce_max",
    "reduce_min",
    "reduce_and",
    "reduce_or",
    "cumsum",
    "cumprod",
    "cummax",
    "argmax",
    "argmin",
}
SWEEPS = Path(__file__).parents[1] / "sweeps"


def inner(parameters: dict[str, Any]) -> Iterator[Jaxpr]:
    """Programs inside of an equation."""
    for value in parameters.values():
        for one in value if isinstance(value, tuple | list) else (value,):
            if isinstance(one, ClosedJaxpr):
                yield one.jaxpr
            elif isinstance(one, Jaxpr):
                yield one


def equations(program: Jaxpr) -> int:
    """All equations, each once, however often it is done."""
    return sum(1 + sum(equations(part) for part in inner(one.params)) for one in program.eqns)


def size(variable: Any) -> int:
    """Elements of an array."""
    return math.prod(getattr(variable.aval, "shape", ()))


def held(variable: Any) -> int:
    """Bytes of an array."""
    return size(variable) * np.dtype(variable.aval.dtype).itemsize


class Work:
    """Operations and bytes of a program: those outside of the iterations, and those of an iteration."""

    def __init__(self, program: Jaxpr) -> None:
        self.outside: Counter[str] = Counter()
        self.iteration: Counter[str] = Counter()
        self.solves = 0
        """How often the iterations begin."""
        self._walk(program, 1, self.outside)

    def _walk(self, program: Jaxpr, times: int, into: Counter[str]) -> None:
        for one in program.eqns:
            name = one.primitive.name
            if name == "scan":
                length, carried = one.params["length"], one.params["num_carry"]
                consts = one.params["num_consts"]
                moving = sum(map(held, one.invars[consts : consts + carried]))
                stacked = sum(map(held, (*one.invars[consts + carried :], *one.outvars[carried:])))
                into["carried"] += times * (2 * moving * length + stacked)
                self._walk(one.params["jaxpr"].jaxpr, times * length, into)
            elif name == "while":
                body = one.params["body_jaxpr"].jaxpr
                if into is self.outside:
                    # All that is iterated until it converges: the solver, once a stage of a step.
                    self.solves += times
                    self._walk(body, times, self.iteration)
                    self.iteration["carried"] += 2 * times * sum(map(held, one.outvars))
                else:
                    self._walk(body, times, into)
            elif name == "cond":
                self._walk(max((branch.jaxpr for branch in one.params["branches"]), key=equations), times, into)
            elif parts := list(inner(one.params)):
                for part in parts:
                    self._walk(part, times, into)
            else:
                self._one(one, name, times, into)

    def _one(self, one: Any, name: str, times: int, into: Counter[str]) -> None:
        moved = sum(held(v) for v in one.invars if hasattr(v, "aval")) + sum(map(held, one.outvars))
        into["unfused"] += times * moved
        result = sum(map(size, one.outvars))
        if name in SPECIAL:
            into["special"] += times * result
        elif name in DIVISIONS:
            into["divisions"] += times * result
        elif name in PLAIN:
            into["plain"] += times * result
        elif name in REDUCED:
            into["plain"] += times * sum(map(size, one.invars))
        elif name == "dot_general":
            (contracted, _), _ = one.params["dimension_numbers"]
            into["plain"] += times * 2 * result * math.prod(one.invars[0].aval.shape[k] for k in contracted)

    def total(self, iterations: float) -> dict[str, float]:
        """Work of a batch that takes so many iterations in all its solves together."""
        each = iterations / max(self.solves, 1)
        names = ("plain", "divisions", "special", "unfused", "carried")
        return {name: self.outside[name] + each * self.iteration[name] for name in names}


def seconds(run: Callable[[], Any], repeats: int = 7) -> float:
    """Median processor time after a first run."""
    jax.block_until_ready(run())
    taken = []
    for _ in range(repeats):
        begin = time.process_time()
        jax.block_until_ready(run())
        taken.append(time.process_time() - begin)
    return float(np.median(taken))


def peaks(dtype: type) -> dict[str, float]:
    """What a core does in a second: operations of matrices, of vectors in its cache, exponentials, bytes of memory."""
    options = wide()
    square, short, long = (
        jnp.ones((1024, 1024), dtype),
        jnp.full((2048,), 0.5, dtype),
        jnp.ones((2**28 // np.dtype(dtype).itemsize,), dtype),
    )
    turns, chain = 2000, 16

    def fused(x: jax.Array) -> jax.Array:
        def body(_: int, y: jax.Array) -> jax.Array:
            for _ in range(chain):
                y = y * 0.999 + 1e-3
            return y

        return jax.lax.fori_loop(0, turns, body, x)

    def exponentials(x: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(0, turns, lambda _, y: jnp.exp(-y), x)

    def sums(x: jax.Array, y: jax.Array) -> jax.Array:
        # In place: new memory would be paid for page by page.
        return jax.lax.fori_loop(0, 4, lambda _, z: z + x, y)

    def program(function: Callable, *arguments: jax.Array) -> Callable[[], Any]:
        compiled = jax.jit(function, compiler_options=options).lower(*arguments).compile()
        return lambda: compiled(*arguments)

    return {
        "matrix_per_s": 2.0 * 1024**3 / seconds(program(jnp.dot, square, square)),
        "vector_per_s": 2.0 * chain * turns * short.size / seconds(program(fused, short)),
        "exponentials_per_s": turns * short.size / seconds(program(exponentials, short)),
        "bytes_per_s": 4 * 3.0 * long.nbytes / seconds(program(sums, long, long), repeats=3),
    }


def row(model: str, dtype: type, batch: int) -> dict[str, Any]:
    """Work of a candidate, its rate on one core, and the shares of the peaks."""
    controls = replace(FAST, companion=False, trace=False)
    table = candidates(spread(batch), dtype)
    work = Work(jax.make_jaxpr(lambda e: simulate(e, controls, model=model))(table).jaxpr)
    run = jax.jit(lambda e: simulate(e, controls, model=model), compiler_options=wide()).lower(table).compile()
    report = run(table).report
    taken = seconds(lambda: run(table))
    # Those of a batch go on together.
    each = {name: value / batch for name, value in work.total(float(np.max(np.asarray(report.iterations)))).items()}
    rate, top = batch / taken, peaks(dtype)
    operations = each["plain"] + each["divisions"] + each["special"]
    return {
        "model": model,
        "dtype": np.dtype(dtype).name,
        "batch": batch,
        "per_s_and_core": rate,
        "of_a_candidate": each,
        "peaks": top,
        "operations_of_vector_peak": rate * operations / top["vector_per_s"],
        "special_of_their_peak": rate * each["special"] / top["exponentials_per_s"],
        "unfused_bytes_of_memory": rate * each["unfused"] / top["bytes_per_s"],
        "carried_bytes_of_memory": rate * each["carried"] / top["bytes_per_s"],
    }


def program_sizes(folder: Path) -> dict[str, int]:
    """Equations of the traced programs of one candidate, by ions and stages."""
    files = {
        "two ions, one stage": SWEEPS / "lithium_borate_K.toml",
        "three ions, two stages": SWEEPS / "double_cait_rubidium_caesium.toml",
        "four ions, three stages": four_ions(folder),
    }
    found = {}
    for title, file in files.items():
        experiment = npp.load_experiment(file)
        found[title] = equations(jax.make_jaxpr(lambda e: simulate(e, npp.ACCURATE))(experiment).jaxpr)
    return found


def main() -> None:
    """Print work, rates and shares."""
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # pyright: ignore
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/roofline.json")
    options = parser.parse_args()
    rows = [
        row(model, dtype, options.batch)
        for model, dtype in (("electroneutral", np.float64), ("electroneutral", np.float32), ("full", np.float64))
    ]
    for one in rows:
        each, top = one["of_a_candidate"], one["peaks"]
        operations = one["per_s_and_core"] * sum(each[name] for name in ("plain", "divisions", "special"))
        print(
            f"{one['model']}, {one['dtype']}: {one['per_s_and_core']:.0f} candidates per second and core; one takes "
            f"{each['plain'] / 1e6:.2f} million plain operations, {each['divisions'] / 1e3:.0f} thousand divisions, "
            f"{each['special'] / 1e3:.0f} thousand special functions; {each['unfused'] / 1e6:.1f} MB unfused, "
            f"{each['carried'] / 1e6:.2f} MB carried"
        )
        print(
            f"  a core: {top['matrix_per_s'] / 1e9:.1f} (matrices) and {top['vector_per_s'] / 1e9:.1f} (vectors) 10⁹ "
            f"operations, {top['exponentials_per_s'] / 1e9:.2f} 10⁹ exponentials, {top['bytes_per_s'] / 1e9:.1f} GB a "
            f"second; used are {100 * operations / top['matrix_per_s']:.0f} % of the operations of matrices, "
            f"{100 * one['operations_of_vector_peak']:.0f} % of the operations of vectors, "
            f"{100 * one['special_of_their_peak']:.0f} % of exponentials, {100 * one['carried_bytes_of_memory']:.0f} % "
            f"(carried) and {100 * one['unfused_bytes_of_memory']:.0f} % (unfused) of the bytes of memory",
            flush=True,
        )
    with tempfile.TemporaryDirectory() as name:
        sizes = program_sizes(Path(name))
    print("equations of the traced program:", ", ".join(f"{title} {count}" for title, count in sizes.items()))
    if options.save:
        record.save("roofline", {"rows": rows, "equations": sizes})


if __name__ == "__main__":
    main()

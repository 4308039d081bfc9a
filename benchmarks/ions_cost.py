"""Cost of more ions and stages: candidates per second with three ions in two stages against two ions in one.

Usage: python benchmarks/ions_cost.py [--batch B] [--rounds N] [--model full]

Both sweeps take the setting `fast` with its error estimate, as sweeps do, on the same candidates: two ions with the
parameters of the reference set p9, its extremes left out; three in a sequential experiment, the same beam followed by
that of a third, slower ion. The two programs run in turns, so that what else the machine does falls on both; the rate
is that of processor time, the ratio the median over the rounds. Exit status 1 if it is below 1/6.
"""

import argparse
import sys
import time
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from throughput import spread
from verify import candidates

from npp_jax._compile import wide
from npp_jax.physics import ConstantDiffusivity, Drive, Experiment, IonBeamPotential, Species, Stage
from npp_jax.simulation.simulate import FAST, simulate
from npp_jax.simulation.solution import Model
from npp_jax.simulation.status import Status

TARGET = 1.0 / 6.0
BOX = {"D_foreign_m2_s": (1e-22, 1e-20), "sed_fwhm_eV": (0.2, 0.35), "vacancy_fraction": (0.05, 0.2)}
"""Ranges that replace those of p9, whose fronts may be thinner than the Debye length."""


def moderate(count: int) -> list[dict]:
    """Candidates of p9, as many as wanted, with the columns of `BOX` in their ranges."""
    table = spread(count)
    for name, (low, high) in BOX.items():
        values = np.log([row[name] for row in table])
        share = (values - values.min()) / np.ptp(values)
        for row, new in zip(table, low * (high / low) ** share, strict=True):
            row[name] = float(new)
    return table


def with_third_ion(experiment: Experiment) -> Experiment:
    """The same candidates, bombarded by a third ion of a third of the mobility afterwards, up to half of the charge."""
    native, foreign = experiment.species
    third = Species("X", ConstantDiffusivity(foreign.diffusivity.D / 3.0), jnp.zeros_like(native.bulk_fraction))
    (first,) = experiment.stages
    beam = IonBeamPotential("X", Drive(first.front.potential.value))
    second = Stage(beam, first.temperature, charge=0.5 * first.charge)
    return replace(experiment, species=(native, foreign, third), stages=(first, second))


def main() -> int:
    """Compile both, run them in turns, print rates and ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", choices=["electroneutral", "full"], default="electroneutral")
    options = parser.parse_args()
    model: Model = options.model
    two = candidates(moderate(options.batch))
    sweeps = {"two ions, one stage": two, "three ions, two stages": with_third_ion(two)}
    programs, seconds = {}, {name: [] for name in sweeps}
    for name, experiment in sweeps.items():
        begin = time.process_time()
        program = jax.jit(lambda e: simulate(e, FAST, model=model), compiler_options=wide())
        programs[name] = program.lower(experiment).compile()
        compiled = time.process_time() - begin
        status = np.asarray(programs[name](experiment).report.status)
        counts = ", ".join(f"{Status(k).name} {np.sum(status == k)}" for k in np.unique(status))
        print(f"{name:24s} compile {compiled:5.1f} s (processor)  {counts}", flush=True)
    for _ in range(options.rounds):
        for name, experiment in sweeps.items():
            begin = time.process_time()
            jax.block_until_ready(programs[name](experiment))
            seconds[name].append(time.process_time() - begin)
    for name, spent in seconds.items():
        print(f"{name:24s} {options.batch / np.median(spent):8.1f} candidates per second of processor time")
    first, second = (np.asarray(spent) for spent in seconds.values())
    ratio = float(np.median(first / second))
    print(
        f"{model}, batch {options.batch}: ratio of the rates 1/{1.0 / ratio:.1f}, wanted at least 1/{1.0 / TARGET:.0f}"
    )
    return int(ratio < TARGET)


if __name__ == "__main__":
    sys.exit(main())

"""Cost and memory of whole sweeps, storing included, against the number of candidates.

Usage: python benchmarks/sweep_scaling.py [--sizes N ...] [--study FILE] [--dtype T] [--chunk B] [--workers W]
       [--no-error-estimate] [--profiles] [--baseline N] [--save]

Each size is a sweep in a process of its own, from the study to the final file, so that its peak memory is its own.
`first` is the time until the first chunk is stored, most of which is compilation; the rate counts from there, with all
that is done again. `apart` is the share of that time that is not spent in the simulations of the first evaluation, from
their rate on as many threads just after the sweep: comparison, what is done again, writing and Python. Memory is the
peak resident set, and what of it came after the imports. `--sizes 1000000` and more
is meant for a machine that has nothing else to do. With `--baseline`, the conventional SUNDIALS baseline of
`sundials_baseline` simulates all experiments of that many candidates of the same design on all cores, before the
sweeps; it makes no error estimate, compares with no data and stores nothing.
"""

import argparse
import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import record

if TYPE_CHECKING:
    from npp_jax.files.study import Study

ROOT = Path(__file__).resolve().parents[1]
MIB = 1024.0


def simulations_alone(study: "Study", chunk: int, dtype: str, threads: int) -> float:
    """Candidates per second whose experiments are simulated, with the settings of the sweep, and nothing else."""
    import jax
    import jax.numpy as jnp

    from npp_jax._compile import wide
    from npp_jax.fitting import Objective
    from npp_jax.simulation.simulate import SETTINGS
    from npp_jax.sweeping import rows

    controls = dataclasses.replace(SETTINGS[study.sweep.setting], companion=study.sweep.error_estimate, trace=False)
    objective = Objective(study.problem, controls, study.sweep.model)
    solve = jax.jit(lambda theta: [s.report.status for s in objective.solve(theta)], compiler_options=wide())
    parts = [
        jnp.asarray(rows(study.design, k * chunk, (k + 1) * chunk), dtype)
        for k in range(min(8, study.design.size // chunk))
    ]
    jax.block_until_ready(solve(parts[0]))
    work = parts * (-(-24 // len(parts)))
    begin = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda theta: jax.block_until_ready(solve(theta)), work))
    return chunk * len(work) / (time.perf_counter() - begin)


def one(options: argparse.Namespace) -> dict:
    """Run one sweep in this process."""
    import jax

    jax.config.update("jax_enable_x64", True)
    from npp_jax.commands.sweep import run_study
    from npp_jax.files.study import load_study
    from npp_jax.sweeping import Sobol, Workers
    from npp_jax.sweeping.run import suited_chunk

    size = options.sizes[0]
    study = load_study(options.study)
    settings = {"dtype": options.dtype, "error_estimate": options.error_estimate, "profiles": options.profiles}
    settings |= {} if options.chunk is None else {"chunk": options.chunk}
    study = dataclasses.replace(
        study,
        design=Sobol(size, seed=0, parameters=study.problem.parameters),
        sweep=study.sweep.model_copy(update=settings),
    )
    start_up = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        begin, wall = time.perf_counter(), time.time()
        target = Path(folder) / "sweep.h5"
        run_study(study, target, force=False, workers=Workers(options.workers), quiet=True)
        seconds = time.perf_counter() - begin
        first = (target.with_suffix(".sweep") / "00000000.chunk").stat().st_mtime - wall
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB
        chunk = study.sweep.chunk or suited_chunk(size, len(study.problem.measurements))
        rest = size - min(size, chunk)
        rate = rest / (seconds - first) if rest else None
        threads = options.workers or (os.cpu_count() or 1 if jax.default_backend() == "cpu" else 1)
        alone = simulations_alone(study, chunk, options.dtype, threads) if rate else None
        return {
            "candidates": size,
            "first_s": first,
            "total_s": seconds,
            "per_s": rate,
            "apart": None if rate is None or alone is None else 1.0 - rate / alone,
            "cpu_s": time.process_time(),
            "peak_MiB": peak,
            "beyond_start_up_MiB": peak - start_up,
            "file_MiB": target.stat().st_size / MIB**2,
            "device": f"{jax.devices()[0].platform} {jax.devices()[0].device_kind} x {jax.local_device_count()}",
            "jax": jax.__version__,
        }


def baseline(options: argparse.Namespace, cores: int) -> dict:
    """Simulations per second of the baseline on candidates of the study."""
    import jax
    import jax.numpy as jnp
    import sundials_baseline

    jax.config.update("jax_enable_x64", True)
    from npp_jax.files.study import load_study
    from npp_jax.sweeping import Sobol, rows

    study = load_study(options.study)
    table = []
    for theta in rows(Sobol(options.baseline, seed=0, parameters=study.problem.parameters), 0, options.baseline):
        for measurement in study.problem.measurements:
            experiment = study.problem.experiment(measurement, jnp.asarray(theta))
            (stage,), (native, foreign) = experiment.stages, (s.diffusivity for s in experiment.species)
            # The baseline has one D of the bulk; profiles depend on the ratio to it alone.
            scale = sundials_baseline.D_BULK / float(native.D_bulk)
            table.append(
                {
                    "temperature_K": float(stage.temperature),
                    "sed_fwhm_eV": float(native.sed.sed_fwhm),
                    "vacancy_fraction": float(native.vacancy_fraction),
                    "D_foreign_m2_s": scale * float(foreign.D),
                    "potential_V": float(stage.front.potential.value[0]),
                    "thickness_um": 1e6 * float(experiment.sample.thickness),
                    "charge_C_m2": float(stage.charge),
                }
            )
    use = sundials_baseline.TUNED["fixed"]["electroneutral"]
    rate = sundials_baseline.rate(table, cores, settings=use, repeats=1)
    inside = sundials_baseline.convergence(table, settings=use).inside
    return {"simulations": len(table), **dataclasses.asdict(rate), "inside": inside, "cores": cores}


def main() -> None:
    """Run all sizes, print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--study", type=Path, default=ROOT / "sweeps" / "one_distribution.toml")
    parser.add_argument("--dtype", choices=["float64", "float32"], default="float64")
    parser.add_argument(
        "--chunk", type=int, help="candidates of a chunk; by default that of the study, or what suits the device"
    )
    parser.add_argument("--workers", type=int, help="threads; by default one a core on a CPU")
    parser.add_argument("--no-error-estimate", dest="error_estimate", action="store_false")
    parser.add_argument("--profiles", action="store_true", help="keep the profiles")
    parser.add_argument("--baseline", type=int, help="candidates that the SUNDIALS baseline simulates")
    parser.add_argument("--folder", type=Path, help="where the files are written for the time being")
    parser.add_argument(
        "--save", action="store_true", help="write benchmarks/results/sweep_scaling_DTYPE[_DEVICE].json"
    )
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options)))
        return
    slow = baseline(options, os.cpu_count() or 1) if options.baseline else None
    if slow is not None:
        print(
            f"SUNDIALS, time and fixed mesh, {slow['cores']} cores: {slow['per_second']:.2f} simulations per s, "
            f"median {slow['median_seconds']:.3f} s, inside the limits {100 * slow['inside']:.1f} %",
            flush=True,
        )
    rows = []
    names = (
        "candidates",
        "first_s",
        "total_s",
        "per_s",
        "apart",
        "cpu_s",
        "peak_MiB",
        "beyond_start_up_MiB",
        "file_MiB",
    )
    print("  ".join(f"{name:>20s}" for name in names), flush=True)
    for size in options.sizes:
        own = [argument for argument in sys.argv[1:] if argument != "--save"] + ["--one", "--sizes", str(size)]
        done = subprocess.run([sys.executable, __file__, *own], stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        shown = ("" if rows[-1][name] is None else f"{rows[-1][name]:.5g}" for name in names)
        print("  ".join(f"{value:>20s}" for value in shown), flush=True)
    if options.save:
        settings = {k: str(v) for k, v in vars(options).items() if k not in ("one", "save", "folder", "sizes", "study")}
        content = {"study": options.study.name, "settings": settings, "baseline": slow, "rows": rows}
        platform = rows[-1]["device"].split()[0]
        record.save(f"sweep_scaling_{options.dtype}" + ("" if platform == "cpu" else f"_{platform}"), content)


if __name__ == "__main__":
    main()

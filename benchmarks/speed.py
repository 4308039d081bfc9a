"""Speed against SUNDIALS: the library and two baselines on the same candidates in one run, accuracy beside speed.

Usage: python benchmarks/speed.py [--candidates N] [--models ...] [--dtypes ...] [--save]

The baselines are those of `sundials_baseline`, on all cores: the conventional one, with time as variable on a fixed
graded mesh, and one that borrows charge as clock and the moving mesh from the library. They run a part of the
candidates, evenly spread like all; each figure is candidates per second. `--save` writes
benchmarks/results/speed.json.
"""

import argparse
import os
from dataclasses import asdict

import jax.numpy as jnp
import record
import sundials_baseline as baseline
from throughput import measure, spread

DTYPES = {"float64": jnp.float64, "float32": jnp.float32}


def baselines(options: argparse.Namespace, model: baseline.Model) -> dict[str, dict]:
    """Rates and accuracy of both baselines."""
    found = {}
    for mesh, count in (("fixed", options.fixed), ("moving", options.moving)):
        table, use = spread(count), baseline.TUNED[mesh][model]
        rate = baseline.rate(table, options.cores, model=model, settings=use, repeats=1 if mesh == "fixed" else 3)
        checked = baseline.convergence(table[: options.checked_baseline], model=model, settings=use)
        found[mesh] = {**asdict(rate), "candidates": count, "inside": checked.inside, "settings": asdict(use)}
        print(
            f"{model:15s} SUNDIALS {mesh:7s} {rate.per_second:9.2f} per s  median {rate.median_seconds:.3f} s  "
            f"failed {100 * rate.failed:.1f} %  inside {100 * checked.inside:.1f} %",
            flush=True,
        )
    return found


def main() -> None:
    """Print a row for each baseline, model and precision, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--candidates", type=int, default=4096)
    parser.add_argument("--chunk", type=int, default=256)
    parser.add_argument("--checked", type=int, default=1024, help="candidates compared with refined runs")
    parser.add_argument("--fixed", type=int, default=32, help="candidates of the baseline on the fixed mesh")
    parser.add_argument("--moving", type=int, default=256, help="candidates of the baseline on the moving mesh")
    parser.add_argument("--checked-baseline", type=int, default=32)
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--models", nargs="*", default=["electroneutral", "full"])
    parser.add_argument("--dtypes", nargs="*", default=list(DTYPES))
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/speed.json")
    options = parser.parse_args()
    print(", ".join(f"{key} {value}" for key, value in record.machine().items()))
    rows, slow = [], {}
    for model in options.models:
        slow[model] = baselines(options, model)
        for name in options.dtypes:
            if (model, name) == ("full", "float32"):
                # Single precision does not resolve the currents of the full model, which refuses it.
                continue
            row = measure(
                spread(options.candidates),
                model,
                DTYPES[name],
                chunk=options.chunk,
                threads=options.cores,
                companion=False,
                checked=options.checked,
            )
            ratios = {mesh: row.per_second / found["per_second"] for mesh, found in slow[model].items()}
            print(row, "  times SUNDIALS: " + ", ".join(f"{r:.0f} ({mesh})" for mesh, r in ratios.items()), flush=True)
            rows.append({**asdict(row), "ratio": ratios})
    if options.save:
        record.save("speed", {"cores": options.cores, "baselines": slow, "library": rows})


if __name__ == "__main__":
    main()

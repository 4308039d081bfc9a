"""Figure of the documentation from the stored results: speed by batch, precision and model; cost of large sweeps.

Usage: python benchmarks/draw_results.py

Reads throughput_cpu.json, speed.json and sweep_scaling_*.json of benchmarks/results and writes docs/performance.svg.
"""

import argparse
import json

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from record import FOLDER

TARGET = FOLDER.parents[1] / "docs" / "performance.svg"
COLORS = {"electroneutral": "tab:blue", "full": "tab:orange"}
LINES = {"float64": "-", "float32": "--"}
MARKS = {"float64": "o", "float32": "s"}


def read(name: str) -> dict:
    """A stored result."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def draw_speed(axes: Axes) -> None:
    """Candidates per second against the batch, and those of the baselines."""
    rows = read("throughput_cpu")["rows"]
    for model, color in COLORS.items():
        for dtype in LINES:
            shown = [row for row in rows if (row["model"], row["dtype"]) == (model, dtype)]
            # Half of the box cannot be solved by the full model in single precision.
            if not shown or (model, dtype) == ("full", "float32"):
                continue
            axes.plot(
                [row["batch"] for row in shown],
                [row["per_second"] for row in shown],
                LINES[dtype],
                marker=MARKS[dtype],
                color=color,
                label=f"{model}, {dtype}",
            )
        for mesh, style in (("moving", ":"), ("fixed", "-.")):
            rate = read("speed")["baselines"][model][mesh]["per_second"]
            axes.axhline(rate, color=color, linestyle=style, linewidth=1.0, label=f"SUNDIALS, {mesh} mesh, {model}")
    axes.set(xscale="log", yscale="log", xlabel="candidates of a batch", ylabel="candidates per second")
    axes.legend(fontsize=7)


def draw_sweeps(axes: Axes) -> None:
    """Time of whole sweeps against their size, and the memory beyond the imports."""
    memory = axes.twinx()
    for dtype, style in LINES.items():
        rows = read(f"sweep_scaling_{dtype}")["rows"]
        sizes = [row["candidates"] for row in rows]
        axes.plot(sizes, [row["total_s"] for row in rows], style, marker=MARKS[dtype], color="tab:blue", label=dtype)
        used = [row["beyond_start_up_MiB"] for row in rows]
        memory.plot(sizes, used, style, marker=MARKS[dtype], color="tab:gray")
    axes.set(xscale="log", yscale="log", xlabel="candidates of a sweep")
    axes.set_ylabel("time, compilation included [s]", color="tab:blue")
    memory.set(ylim=(0.0, 2048.0))
    memory.set_ylabel("memory beyond the imports [MiB]", color="tab:gray")
    axes.legend(fontsize=7)


def main() -> None:
    """Draw and write."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()  # pyright: ignore
    mpl.rcParams["svg.hashsalt"] = "npp_jax"
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.0, 4.0), layout="constrained")
    draw_speed(left)
    draw_sweeps(right)
    figure.savefig(TARGET, metadata={"Date": None})
    print(f"written: docs/{TARGET.name}")


if __name__ == "__main__":
    main()

"""Outputs of a fixed set of runs, recorded and compared: shows that a change of the code leaves the results alone.

Usage: python benchmarks/outputs.py record FILE.npz [--only PART ...]
       python benchmarks/outputs.py compare BEFORE.npz AFTER.npz [--tolerance 1e-12]

Parts: `p9` (candidates of the reference set in both models and precisions), `exchange` (a double exchange and an ion
exchange from two melts), `poling`, `simulate`, `fit`, `sweep` and `tracer` (one study of each kind), the last four
through the command line. `compare` prints a line for each part: equal bit for bit, or the largest difference relative
to the largest value of the array, and where it is.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import jax
import numpy as np

jax.config.update("jax_enable_x64", True)

ROOT = Path(__file__).resolve().parents[1]
SWEEPS = ROOT / "sweeps"
REFERENCE = ROOT.parent / "shared" / "reference" / "p9"
TRACERS = ("llto_arrhenius", "tracer_exchange", "tracer_evolution", "tracer_chain", "tracer_map")
CANDIDATES = 48


def leaves(tree: object, prefix: str) -> dict[str, np.ndarray]:
    """Arrays of a pytree by their paths."""
    return {prefix + jax.tree_util.keystr(path): np.asarray(x) for path, x in jax.tree_util.tree_leaves_with_path(tree)}


def p9() -> dict[str, np.ndarray]:
    """Candidates of p9: both models, both precisions, both settings."""
    from throughput import spread
    from verify import candidates

    import npp_jax as npp

    found, table = {}, spread(CANDIDATES)
    for model in ("electroneutral", "full"):
        for dtype in ("float64", "float32"):
            for name, controls in (("fast", npp.FAST), ("accurate", npp.ACCURATE)):
                if name == "accurate" and dtype == "float32":
                    continue
                run = jax.jit(lambda e, c=controls, m=model: npp.simulate(e, c, model=m))
                found |= leaves(run(candidates(table, np.dtype(dtype))), f"p9/{model}/{dtype}/{name}")
    return found


def simulated(name: str, part: str, models: tuple[str, ...]) -> dict[str, np.ndarray]:
    """One experiment of sweeps/ in some models."""
    import npp_jax as npp

    experiment, found = npp.load_experiment(SWEEPS / f"{name}.toml"), {}
    for model in models:
        run = jax.jit(lambda e, m=model: npp.simulate(e, npp.FAST, model=m))
        found |= leaves(run(experiment), f"{part}/{name}/{model}")
    return found


def exchange() -> dict[str, np.ndarray]:
    """Double exchange by beams, and exchange from two melts."""
    return simulated("double_cait_rubidium_caesium", "exchange", ("electroneutral", "full")) | simulated(
        "two_step_exchange", "exchange", ("electroneutral",)
    )


def poling() -> dict[str, np.ndarray]:
    """Thermal poling."""
    return simulated("thermal_poling", "poling", ("full",))


def command(part: str, words: list[str], study: Path) -> dict[str, np.ndarray]:
    """All numbers in the files that a command writes."""
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, "-m", "npp_jax", *words, str(study), "--output", folder]
        done = subprocess.run(
            line, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
        )
        if done.returncode not in (0, 3):
            raise SystemExit(f"{' '.join(line)} ended with {done.returncode}:\n{done.stderr}")
        found = {}
        for file in sorted(Path(folder).glob("*.h5")):
            found |= numbers(file, f"{part}/{file.stem}")
        return found


def numbers(file: Path, prefix: str) -> dict[str, np.ndarray]:
    """Numeric data sets and attributes of an HDF5 file."""
    found = {}

    def visit(name: str, node: h5py.Group | h5py.Dataset) -> None:
        values = {f"{name}@{key}": np.asarray(value) for key, value in node.attrs.items()}
        if isinstance(node, h5py.Dataset):
            values[name] = np.asarray(node[()])
        found.update({f"{prefix}/{key}": a for key, a in values.items() if a.dtype.kind in "fiub"})

    with h5py.File(file) as opened:
        visit("", opened)
        opened.visititems(visit)
    return {key: a for key, a in found.items() if "seconds" not in key and "wall" not in key}


def simulate_command() -> dict[str, np.ndarray]:
    """One experiment through the command line."""
    return command("simulate", ["simulate", "--no-figures"], SWEEPS / "lithium_borate_K.toml")


def fit() -> dict[str, np.ndarray]:
    """The bundled fit."""
    return command("fit", ["fit"], SWEEPS / "one_distribution.toml")


def sweep() -> dict[str, np.ndarray]:
    """The bundled sweep, of fewer candidates."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "sweeps"
        shutil.copytree(SWEEPS, copy)
        study = copy / "one_distribution.toml"
        study.write_text(study.read_text(encoding="utf-8").replace("candidates = 4096", "candidates = 256"))
        return command("sweep", ["sweep"], study)


def tracer() -> dict[str, np.ndarray]:
    """One tracer study of each kind."""
    found = {}
    for name in TRACERS:
        found |= command("tracer", ["tracer"], SWEEPS / f"{name}.toml")
    return found


PARTS = {
    "p9": p9,
    "exchange": exchange,
    "poling": poling,
    "simulate": simulate_command,
    "fit": fit,
    "sweep": sweep,
    "tracer": tracer,
}


def difference(before: np.ndarray, after: np.ndarray) -> float:
    """Largest difference over the largest value; 0 where equal bit for bit, NaN for equal ones alike."""
    if before.shape != after.shape:
        return np.inf
    if np.array_equal(before, after, equal_nan=before.dtype.kind == "f"):
        return 0.0
    before, after = before.astype(float), after.astype(float)
    if not np.array_equal(np.isfinite(before), np.isfinite(after)):
        return np.inf
    size = np.max(np.abs(before), where=np.isfinite(before), initial=0.0)
    return float(np.nanmax(np.abs(np.where(np.isfinite(before), after - before, 0.0))) / (size if size > 0.0 else 1.0))


def compare(before: Path, after: Path, tolerance: float) -> int:
    """Print a line a part; the number of arrays beyond the tolerance, or missing."""
    one, other = np.load(before), np.load(after)
    beyond = 0
    for part in sorted({key.split("/")[0] for key in one.files} & {key.split("/")[0] for key in other.files}):
        keys = [key for key in one.files if key.startswith(f"{part}/")]
        missing = [key for key in keys if key not in other.files]
        sizes = {key: difference(one[key], other[key]) for key in keys if key in other.files}
        worst = max(sizes, key=sizes.__getitem__, default=None)
        equal = sum(size == 0.0 for size in sizes.values())
        far = {key: size for key, size in sizes.items() if size > tolerance}
        beyond += len(far) + len(missing)
        tail = "" if worst is None or equal == len(sizes) else f"; largest difference {sizes[worst]:.1e} in {worst}"
        print(f"{part}: {equal} of {len(keys)} arrays equal bit for bit, {len(far)} beyond {tolerance:g}{tail}")
        for key, size in sorted(far.items(), key=lambda item: -item[1])[:5]:
            print(f"    {key}: {size:.1e}")
        for key in missing[:5]:
            print(f"    {key}: missing" + (f" (and {len(missing) - 5} more)" if key == missing[4:5] else ""))
    return beyond


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    recording = actions.add_parser("record")
    recording.add_argument("file", type=Path)
    recording.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    comparing = actions.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("--tolerance", type=float, default=1e-12)
    arguments = parser.parse_args()
    if arguments.action == "compare":
        return int(compare(arguments.before, arguments.after, arguments.tolerance) > 0)
    found = {}
    for part in arguments.only:
        print(f"recording {part}", flush=True)
        found |= PARTS[part]()
    np.savez_compressed(arguments.file, **{key.replace("//", "/"): value for key, value in found.items()})
    return 0


if __name__ == "__main__":
    sys.exit(main())

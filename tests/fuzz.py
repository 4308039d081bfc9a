"""Every reader of a file on mutated files: a result, or the reader's own error of one line; never anything else.

`python tests/fuzz.py --inputs 100000` runs each reader on so many files, and prints how many it took and refused.
`--reader NAME --first K --inputs 1` repeats one of them. `make test` runs some of each.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mutations import Draw, Rolled, by_bytes, by_cells, by_keys, mutated
from sound import write_sound_files

from npp_jax.commands.tracer.data import read_isotope_profile
from npp_jax.commands.tracer.study import load_tracer_study
from npp_jax.files import ConfigError, load_experiment
from npp_jax.files.profile_table import read_profile
from npp_jax.files.sims_profile import read_profile as read_imported
from npp_jax.files.sims_profile import write_profile
from npp_jax.files.solution import read_solution
from npp_jax.files.study import load_study
from npp_jax.files.trace import read_trace
from npp_jax.fitting import data_warnings
from npp_jax.physics.limits import above
from npp_jax.sims import ImportOptions, RawProfile, SimsFileError, convert, read_raw
from npp_jax.sims.raw import MINIMUM_POINTS
from npp_jax.simulation.supported import Unsupported, check_supported
from npp_jax.sweeping import DesignError, SweepFileError, best, read_sweep, read_table
from npp_jax.sweeping.profiles import read_profiles

PATIENCE_S = 20.0
"""How long a process may take over one file."""

OWN = (ConfigError, SimsFileError, DesignError, SweepFileError)
"""Errors of the readers."""


class Reader(NamedTuple):
    """A reader: names of sound files, what is done with one, and how it is changed."""

    files: tuple[str, ...]
    read: Callable[[Path], object]
    ways: Sequence[Callable[[bytes, Draw], bytes]]


def sims(path: Path) -> None:
    check_raw(read_raw(path))


def check_raw(raw: RawProfile) -> None:
    """A profile as it must be, as are the fractions that are made of it; what is written is read again."""
    assert raw.channels
    for channel in raw.channels:
        assert len(channel.axis) == len(channel.values) == len(channel.lines) >= MINIMUM_POINTS
        assert np.all(np.isfinite(channel.axis)) and np.all(np.diff(channel.axis) > 0.0)
        assert not np.any(np.isinf(channel.values))
        # What is no number, or less than nothing, is told.
        if channel.kind != "ratio" and np.any(~(channel.values >= 0.0)):
            assert any(line.startswith(f"{channel.name}: ") for line in raw.warnings)
    for name in raw.names[:2]:
        options = ImportOptions({"K": name}, crater_depth_nm=100.0 if raw.axis != "depth" else None)
        try:
            profile = convert(raw, options)
        except SimsFileError as error:
            check_message(str(error), Path(raw.path))
            continue
        assert np.all(np.isfinite(profile.fraction)) and np.all(profile.sigma > 0.0)
        if len(profile.depth_nm) % 8 == 0:
            target = Path(raw.path).with_name("written.h5")
            write_profile(target, profile)
            again = read_imported(target)
            for field in ("depth_nm", "fraction", "sigma", "counts"):
                assert np.array_equal(getattr(again, field), getattr(profile, field), equal_nan=True)


def trace(path: Path) -> None:
    drive = read_trace(path, "potential_V", above(0.0, 1e5), duration=90.0, charge=None)
    assert drive.time is not None
    times, values = np.asarray(drive.time), np.asarray(drive.value)
    assert np.all(np.isfinite(times)) and np.all(np.diff(times) > 0.0) and np.all((values >= 0.0) & (values <= 1e5))
    rows = [f"{t!r},{v!r}" for t, v in zip(times.tolist(), values.tolist(), strict=True)]
    again = written_again(path, "time_s,potential_V", rows)
    found = read_trace(again, "potential_V", above(0.0, 1e5), duration=90.0, charge=None)
    assert np.array_equal(found.time, times) and np.array_equal(found.value, values)


def profile(path: Path) -> None:
    found = read_profile(path)
    depth, fraction, sigma = (np.asarray(x) for x in (found.depth, found.fraction, found.sigma))
    assert np.all(np.isfinite(fraction)) and np.all(np.diff(depth) > 0.0) and np.all(sigma > 0.0)


def design(path: Path) -> None:
    table = read_table(path, ("sed_fwhm_eV", "D_K_m2_s"))
    assert np.all(np.isfinite(table.values)) and table.size
    again = written_again(path, ",".join(table.names), [",".join(map(repr, row)) for row in table.values.tolist()])
    assert np.array_equal(read_table(again, table.names).values, table.values)


def isotopes(path: Path) -> None:
    found = read_isotope_profile(path)
    assert np.all(np.diff(np.asarray(found.position)) > 0.0) and np.all(np.isfinite(np.asarray(found.fraction)))


def written_again(path: Path, head: str, rows: list[str]) -> Path:
    """Numbers as the commands write them."""
    target = path.with_name("again.csv")
    target.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return target


def experiment(path: Path) -> None:
    try:
        check_supported(load_experiment(path), "electroneutral")
    except Unsupported as error:
        # As the commands tell it.
        raise ConfigError(f"{path}: {error}") from None


def study(path: Path) -> None:
    for text in data_warnings(load_study(path).problem):
        assert "\n" not in text


def swept(path: Path) -> None:
    found = read_sweep(path)
    size = len(found.theta)
    assert found.chi2.shape == found.status.shape == (size, len(found.experiments)) and np.all(np.isfinite(found.theta))
    for kept in read_profiles(path, best(found, 2)):
        assert kept.profile.shape[1:] == (len(kept.species), len(kept.depth))


TRACERS = ("exchange", "evolution", "chain", "map", "arrhenius")
READERS = {
    "SIMS files": Reader(("surfacelab", "cameca", "sims_table", "sims_pairs"), sims, (by_bytes, by_cells)),
    "traces": Reader(("trace.csv", "trace_de.csv"), trace, (by_bytes, by_cells)),
    "profiles": Reader(("profile.csv", "profile_de.csv"), profile, (by_bytes, by_cells)),
    "designs": Reader(("design.csv", "design_one.csv"), design, (by_bytes, by_cells)),
    "isotope profiles": Reader(("isotopes.csv", "counts.csv"), isotopes, (by_bytes, by_cells)),
    "experiments": Reader(("experiment.toml", "traced.toml", "mixture.toml"), experiment, (by_bytes, by_keys)),
    "studies": Reader(("study.toml", "tabled.toml"), study, (by_bytes, by_keys)),
    "tracer studies": Reader(TRACERS, load_tracer_study, (by_bytes, by_keys)),
    "imported profiles": Reader(("imported.h5",), read_imported, (by_bytes,)),
    "sweeps": Reader(("sweep.h5",), swept, (by_bytes,)),
    "solutions": Reader(("solution.h5",), read_solution, (by_bytes,)),
}  # fmt: skip


def check_message(message: str, path: Path) -> None:
    """One line that names the file, or one beside it."""
    assert str(path.parent) in message and "\n" not in message and message.isprintable() and len(message) < 900, message


def outcome(reader: Reader, path: Path, content: bytes) -> bool:
    """Whether a file is taken; anything but that and the reader's own error of one line is raised."""
    path.write_bytes(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            reader.read(path)
    except OWN as error:
        check_message(str(error), path)
        return False
    return True


class Counts(NamedTuple):
    """What became of the files of a reader."""

    done: int = 0
    taken: int = 0
    failed: int = 0
    stuck: int = 0
    """Files at which the process was killed, or died by itself: HDF5 does not return from some of its own."""


def run(name: str, inputs: range, seed: int, told: Callable[[Counts], object]) -> None:
    """Run a reader on mutated files, which depend on their number and the seed; tell after each what became of all."""
    reader, counts = READERS[name], Counts()
    with tempfile.TemporaryDirectory() as folder:
        contents = write_sound_files(Path(folder))
        for k in inputs:
            draw = Rolled(f"{name} {seed} {k}")
            source = draw.choice(reader.files)
            content = mutated(contents[source], draw, reader.ways)
            path = Path(folder) / f"mutated{Path(source).suffix or '.txt'}"
            taken = failed = 0
            try:
                taken = outcome(reader, path, content)
            except Exception:
                failed = 1
                print(f"{name}, input {k}, {source}: {traceback.format_exc(-4)}", file=sys.stderr, flush=True)
            counts = Counts(counts.done + 1, counts.taken + taken, counts.failed + failed)
            told(counts)


def watched(name: str, inputs: int, seed: int) -> Counts:
    """The same in a process of its own, which goes on behind a file that kills it or keeps it for too long."""
    total = Counts()
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "counts"
        while total.done < inputs:
            record.write_text("0 0 0")
            arguments = ["--reader", name, "--first", str(total.done), "--inputs", str(inputs - total.done)]
            arguments += ["--seed", str(seed), "--record", str(record)]
            child = subprocess.Popen([sys.executable, __file__, *arguments])
            before, since = "", time.monotonic()
            while child.poll() is None:
                time.sleep(0.2)
                now = record.read_text()
                if now != before:
                    before, since = now, time.monotonic()
                elif time.monotonic() - since > PATIENCE_S:
                    child.kill()
                    child.wait()
            done, taken, failed = map(int, record.read_text().split())
            if not done and child.returncode == 1:
                raise SystemExit(f"{name}: the process failed before its first file")
            stuck = int(done < inputs - total.done)
            if stuck:
                print(f"{name}, input {total.done + done}: stuck", file=sys.stderr, flush=True)
            total = Counts(total.done + done + stuck, total.taken + taken, total.failed + failed, total.stuck + stuck)
    return total


def main() -> int:
    """Run all readers, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="files for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", choices=list(READERS), action="append", help="not all of them")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--record", type=Path, help="run the reader in this process, and keep the counts here")
    options = parser.parse_args()
    if options.record:
        import jax

        jax.config.update("jax_enable_x64", True)
        inputs = range(options.first, options.first + options.inputs)
        with options.record.open("r+b", buffering=0) as file:

            def told(counts: Counts) -> None:
                os.pwrite(file.fileno(), b"%d %d %d" % counts[:3], 0)

            run(options.reader[0], inputs, options.seed, told)
        return 0
    titles = ("inputs", "accepted", "refused", "tracebacks", "stuck", "ms each")
    print("reader            ", *(f"{title:>10s}" for title in titles), flush=True)
    failed = 0
    for name in options.reader or READERS:
        start = time.perf_counter()
        counts = watched(name, options.inputs, options.seed)
        each = 1e3 * (time.perf_counter() - start) / options.inputs
        refused = counts.done - counts.taken - counts.failed - counts.stuck
        shown = (counts.done, counts.taken, refused, counts.failed, counts.stuck)
        print(f"{name:18s}", *(f"{count:10d}" for count in shown), f"{each:10.2f}", flush=True)
        failed += counts.failed
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())

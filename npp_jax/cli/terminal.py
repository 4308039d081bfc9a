"""What all commands do alike: refuse wrong input in one line, start JAX, show that they work."""

import contextlib
import errno
import os
import shlex
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import typer


def say(text: str, *, err: bool = False) -> None:
    """Print a line, with a mark for what no terminal shows: odd bytes in the name of a file."""
    from npp_jax.files.writing import readable

    try:
        typer.echo(readable(text), err=err)
    except BrokenPipeError:
        # What reads the lines has ended, as `head` does: that costs no result, like a stream that is closed.
        stream = sys.stderr if err else sys.stdout
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def typed() -> str:
    """The command as it was typed, for the results to keep."""
    return shlex.join(["npp-jax", *sys.argv[1:]])


def wrong_input(message: str) -> typer.Exit:
    """Say in one line what is wrong; raise what is returned."""
    say(f"npp-jax: {' '.join(str(message).split())}", err=True)
    return typer.Exit(2)


def cannot_write(error: OSError) -> typer.Exit:
    """The same for a file or folder that cannot be written."""
    from npp_jax.store.disk import FULL

    if isinstance(error, FileExistsError):
        there = "a file" if os.path.exists(error.filename) else "a link that leads nowhere"
        return wrong_input(f"{error.filename}: {there} is there; a folder is needed")
    if error.errno in (errno.EMFILE, errno.ENFILE):
        # Whatever was opened then, to be read or written: nothing is wrong with it.
        return wrong_input(f"{error.strerror}: the limit (`ulimit -n`) is lower than the work needs")
    # That of HDF5 has no name of the system for what is wrong.
    text = error.strerror or str(error)
    # Files tell their names.
    name = error.filename or ("standard output" if error.errno in FULL else None)
    return wrong_input(f"{name}: cannot be written: {text}" if name else text)


@contextlib.contextmanager
def exit_codes(file: Path | None = None) -> Iterator[None]:
    """What a command raises for wrong input, as one line and an exit code; the rest is a bug.

    Parameters
    ----------
    file
        File of the user; errors that do not name it are told with its name.
    """
    from npp_jax.files import ConfigError
    from npp_jax.inference import MissingExtra, PosteriorError
    from npp_jax.sims.errors import SimsFileError
    from npp_jax.simulation.supported import Unsupported
    from npp_jax.sweeping import NoCandidate, StoreError, SweepFileError
    from npp_jax.sweeping.run import SweepStopped

    try:
        yield
    except (ConfigError, MissingExtra, SimsFileError, StoreError, SweepFileError, SweepStopped, Unsupported) as error:
        known = file is None or str(error).startswith(str(file))
        raise wrong_input(str(error) if known else f"{file}: {error}") from None
    except (NoCandidate, PosteriorError) as error:
        say(f"npp-jax: {error}", err=True)
        raise typer.Exit(4) from None
    except OSError as error:
        raise cannot_write(error) from None


def tell_written(files: Iterable[Path]) -> None:
    """Say which files there are now."""
    say("written: " + ", ".join(str(path) for path in files))


def make_folder(path: Path) -> None:
    """Make the folder of the results, before any work is done for them."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(error) from None


def start_jax(*, computing: bool = True) -> None:
    """Double precision, compiled code kept between runs, and a collector of garbage that seldom looks.

    Parameters
    ----------
    computing
        Whether numbers are computed: with the first start after another jaxlib was installed, known answers are.
    """
    import gc

    import jax
    from jaxlib.version import __version__ as jaxlib_version

    from npp_jax.cli.cache import use_cache

    # A program being traced is some million small objects that all live: looking through them is a tenth of the time.
    gc.set_threshold(100_000, 50, 100)
    jax.config.update("jax_enable_x64", True)
    _without_compiler_log()
    # Stricter rules in the environment are those of another program.
    jax.config.update("jax_numpy_dtype_promotion", "standard")
    jax.config.update("jax_numpy_rank_promotion", "allow")
    cache = use_cache()
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    try:
        backend = jax.default_backend()
    except (AssertionError, RuntimeError) as error:
        wanted = os.environ.get("JAX_PLATFORMS", "")
        reason = str(error) or "it is not there"
        raise wrong_input(f"JAX cannot start on JAX_PLATFORMS = '{wanted}': {reason}") from None
    note = None if cache is None else cache / f"checked_{jaxlib_version}_{backend}"
    if computing and (note is None or not note.exists()):
        _check_compiler(note)


def _without_compiler_log() -> None:
    """Silence the log of XLA, unless the user has chosen a level.

    It takes for an error that code in the cache prefers not to gather or scatter, on the very machine that compiled it.
    Warnings of JAX itself are told.
    """
    import logging

    import jax

    # One is what JAX sets where nothing is set.
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1") == "1" and "JAX_LOGGING_LEVEL" not in os.environ:
        jax.config.update("jax_logging_level", "CRITICAL")
        for name in ("jax", "jaxlib"):
            logging.getLogger(name).setLevel(logging.WARNING)


def _check_compiler(note: Path | None) -> None:
    """Compute known answers; leave a note that they were right, if there is a place, or refuse to compute others."""
    from jaxlib.version import __version__ as jaxlib_version

    from npp_jax.commands.known_answers import check_operations
    from npp_jax.commands.progress import progress

    # Once for each version: a line would be in the way where no one looks, a moving sign is not.
    with progress("checking what this version of JAX computes", compiling=True, lines=False):
        wrong = [one.name for one in check_operations() if not one.right]
    if wrong:
        raise wrong_input(
            f"jaxlib {jaxlib_version} computes wrong values on this machine ({', '.join(wrong)}): install another "
            "release; `npp-jax info --check` tells whether it is right"
        )
    with contextlib.suppress(OSError):
        if note is not None:
            note.touch()

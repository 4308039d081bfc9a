"""Where compiled code is kept between runs.

What is read there is executed: the folder must be closed to other accounts.
"""

import os
from contextlib import AbstractContextManager
from pathlib import Path

import jax
import typer

from npp_jax._compile import keep_programs, mend_cache, open_to


def use_cache() -> Path | None:
    """Keep compiled code in a folder to which no other account may write; in none, and say so, where there is no such.

    Returns
    -------
    The folder: `JAX_COMPILATION_CACHE_DIR`, or `npp_jax` among the caches of the user.
    """
    named = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    if named and "://" in named:
        # A store of a cloud, with rights of its own.
        return None
    folder = None
    try:
        folder = (Path(named) if named else _own()).absolute()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Without links, which others might turn.
        folder = folder.resolve()
        wrong = open_to(folder)
        if wrong is None and not named:
            folder.chmod(0o700)
    except (OSError, RuntimeError) as error:
        wrong = f"{folder or 'home'}: {getattr(error, 'strerror', None) or error}"
    if folder is None or wrong is not None:
        _tell(f"compiled code is neither kept nor read: {wrong}")
        jax.config.update("jax_compilation_cache_dir", None)
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    mend_cache(folder, _tell)
    keep_programs(folder, _written_whole)
    return folder


def _own() -> Path:
    place = os.environ.get("XDG_CACHE_HOME", "")
    # What is not absolute is to be ignored, says the standard.
    return (Path(place) if os.path.isabs(place) else Path.home() / ".cache") / "npp_jax"


def _written_whole(path: Path) -> AbstractContextManager[Path]:
    # Imported when the first program is written: all commands come here.
    from npp_jax.store.disk import written_whole

    return written_whole(path)


def _tell(text: str) -> None:
    typer.echo(f"npp-jax: {text}", err=True)

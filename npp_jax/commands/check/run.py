"""A file of the user, read and looked at before any work: what `npp-jax check` does."""

from pathlib import Path

from npp_jax.commands.check.checked import Checked
from npp_jax.commands.check.experiment import check_experiment
from npp_jax.commands.check.study import check_study
from npp_jax.commands.check.tracer import check_tracer
from npp_jax.files.origin import Origin, check_targets
from npp_jax.files.toml import toml_table
from npp_jax.files.writing import draw


def check_file(path: Path) -> Checked:
    """Check a file of any kind: a tracer study has the key `kind`, a study the table `experiments`.

    Raises
    ------
    ConfigError
        The file, or one that it names, is wrong.
    """
    table = toml_table(path)
    if "kind" in table:
        return check_tracer(path)
    return check_study(path) if "experiments" in table else check_experiment(path)


def write_figure_of(checked: Checked, path: Path, target: Path, *, force: bool) -> tuple[list[Path], list[str]]:
    """Draw data and start; return the file, and a sentence if it could not be drawn.

    Raises
    ------
    ConfigError
        Something else is in the place.
    OSError
        Its folder cannot be written.
    """
    origin = Origin("check", path, reads=checked.reads)
    check_targets([target], origin, force=force)
    lost: list[str] = []
    return draw(target, checked.draw, lost, origin=origin), lost
